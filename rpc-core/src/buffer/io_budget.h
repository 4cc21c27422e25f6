// The memory that the I/O buffers of this process take, against its budget.
#pragma once

#include <atomic>
#include <cstddef>

namespace weir {

class IoBudget {
 public:
  static void Take(std::size_t bytes) noexcept {
    used_.fetch_add(bytes, std::memory_order_relaxed);
  }
  static void Give(std::size_t bytes) noexcept {
    used_.fetch_sub(bytes, std::memory_order_relaxed);
  }
  static std::size_t used() noexcept { return used_.load(std::memory_order_relaxed); }
  static std::size_t limit() noexcept { return limit_.load(std::memory_order_relaxed); }
  static void set_limit(std::size_t bytes) noexcept {
    limit_.store(bytes, std::memory_order_relaxed);
  }
  // At 80 % connections stop reading; at 95 % new calls are refused.
  static bool reads_must_pause() noexcept { return used() > limit() / 5 * 4; }
  static bool calls_must_fail() noexcept { return used() > limit() / 20 * 19; }

 private:
  static constinit inline std::atomic<std::size_t> used_{0};
  static constinit inline std::atomic<std::size_t> limit_{std::size_t{1} << 30};
};

}  // namespace weir
