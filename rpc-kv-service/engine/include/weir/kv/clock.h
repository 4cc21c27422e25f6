// The time seam of the engine: what it does by time (syncing every interval, letting keys expire)
// it does by a Clock.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>

namespace weir::kv {

// Thread-safe.
class Clock {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  virtual ~Clock() = default;
  virtual TimePoint Now() const = 0;
  // Milliseconds since 1970, UTC. May jump, also backwards.
  virtual std::uint64_t WallMs() const = 0;
  // Waits on `wake` until it is notified or `deadline` has come. May return early. `lock` is held
  // on entry and on return.
  virtual void WaitUntil(std::unique_lock<std::mutex>& lock, std::condition_variable& wake,
                         TimePoint deadline) = 0;
};

// The machine's clocks.
std::shared_ptr<Clock> SteadyClock();

}  // namespace weir::kv
