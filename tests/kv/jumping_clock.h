// A clock whose wall time stands still and jumps when a test says so. Its monotonic time is real.
#pragma once

#include <atomic>
#include <cstdint>

#include "weir/kv/clock.h"

namespace weir::kv {

class JumpingClock final : public Clock {
 public:
  explicit JumpingClock(std::uint64_t wall_ms) : wall_ms_(wall_ms) {}

  TimePoint Now() const override { return std::chrono::steady_clock::now(); }
  std::uint64_t WallMs() const override { return wall_ms_; }
  void WaitUntil(std::unique_lock<std::mutex>& lock, std::condition_variable& wake,
                 TimePoint deadline) override {
    wake.wait_until(lock, deadline);
  }
  void JumpTo(std::uint64_t wall_ms) { wall_ms_ = wall_ms; }

 private:
  std::atomic<std::uint64_t> wall_ms_;
};

}  // namespace weir::kv
