// A clock that stands still until it is told to move.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "weir/kv/clock.h"

namespace weir::kv {

// Thread-safe.
class ManualClock final : public Clock {
 public:
  TimePoint Now() const override {
    const std::lock_guard lock(mutex_);
    return now_;
  }
  std::uint64_t WallMs() const override {
    const std::lock_guard lock(mutex_);
    return wall_ms_;
  }
  void WaitUntil(std::unique_lock<std::mutex>& lock, std::condition_variable& wake,
                 TimePoint deadline) override {
    if (Now() >= deadline) return;
    // Real time only bounds how late an advance is noticed.
    wake.wait_for(lock, std::chrono::milliseconds(1));
  }

  void Advance(std::chrono::milliseconds by) {
    const std::lock_guard lock(mutex_);
    now_ += by;
    wall_ms_ += static_cast<std::uint64_t>(by.count());
  }
  // The wall clock alone jumps, perhaps back.
  void SetWall(std::uint64_t ms) {
    const std::lock_guard lock(mutex_);
    wall_ms_ = ms;
  }

 private:
  mutable std::mutex mutex_;
  TimePoint now_{};
  std::uint64_t wall_ms_ = 1'000'000;
};

}  // namespace weir::kv
