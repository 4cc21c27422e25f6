// How long reads take, from a sample of them, so that background work can see when it is in the
// way.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace weir::kv {

// A histogram with steps of a quarter of a power of two. Add: any threads. The rest: one thread.
class ReadLatency {
 public:
  // True for every 64th call on a thread: then the read is worth timing.
  static bool Sampled() noexcept {
    thread_local std::uint32_t reads = 0;
    return (++reads & 63) == 0;
  }

  void Add(std::chrono::nanoseconds took) noexcept {
    counts_[BucketOf(static_cast<std::uint64_t>(took.count()))].fetch_add(
        1, std::memory_order_relaxed);
  }

  struct Window {
    std::uint64_t reads = 0;          // sampled
    std::chrono::nanoseconds p99{0};  // 0: none
  };
  // Of the reads since the last call.
  Window Take() noexcept;

 private:
  static constexpr std::size_t kBuckets = 160;
  static std::size_t BucketOf(std::uint64_t ns) noexcept;
  static std::uint64_t UpperBound(std::size_t bucket) noexcept;

  std::array<std::atomic<std::uint32_t>, kBuckets> counts_{};
};

}  // namespace weir::kv
