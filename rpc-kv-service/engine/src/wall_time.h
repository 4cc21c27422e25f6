// The time by which keys expire: the wall clock, which may jump, but never before the floor, the
// time at which something has already been taken as expired for good.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>

#include "weir/kv/clock.h"

namespace weir::kv {

// Thread-safe.
class WallTime {
 public:
  explicit WallTime(std::shared_ptr<Clock> clock) : clock_(std::move(clock)) {}

  // Milliseconds since 1970.
  std::uint64_t Now() const { return std::max(clock_->WallMs(), floor()); }
  bool Expired(std::uint64_t expiry_ms) const { return expiry_ms != 0 && expiry_ms <= Now(); }

  std::uint64_t floor() const noexcept { return floor_.load(std::memory_order_acquire); }
  // Only after MANIFEST has it.
  void RaiseFloor(std::uint64_t ms) noexcept {
    if (ms > floor()) floor_.store(ms, std::memory_order_release);
  }

 private:
  const std::shared_ptr<Clock> clock_;
  std::atomic<std::uint64_t> floor_{0};
};

}  // namespace weir::kv
