// How fast background work may go: so many bytes a second, in short bursts.
#pragma once

#include <chrono>
#include <cstdint>

namespace weir::kv {

// A value; one thread. Time is passed in.
class TokenBucket {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // Full at `now`. `rate`: bytes a second; 0: no limit. `burst`: most bytes that are saved up.
  TokenBucket(std::uint64_t rate, std::uint64_t burst, TimePoint now);

  // Takes `bytes`, which may be more than there are, and returns when the debt is paid: the work
  // that follows should wait until then. Not after `now`: it need not wait.
  TimePoint Take(std::uint64_t bytes, TimePoint now);
  // The rate from `now` on.
  void SetRate(std::uint64_t rate, TimePoint now);
  std::uint64_t rate() const noexcept { return rate_; }

 private:
  void Refill(TimePoint now);

  std::uint64_t rate_;
  const double burst_;
  double tokens_;  // below zero: debt
  TimePoint filled_at_;
};

}  // namespace weir::kv
