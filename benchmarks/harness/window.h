// What a client of a benchmark counts: calls, and how long each took.
#pragma once

#include <chrono>
#include <cstdint>

#include "histogram.h"

namespace weir::bench {

struct Measurement {
  std::uint64_t calls = 0;      // that ended in the measured time
  std::uint64_t all_calls = 0;  // those of the warm-up too: what the CPU time was spent on
  double seconds = 0;           // the measured time
  Histogram latency;
};

// Decides which calls count: those that end after the warm-up and before the end. One thread.
class Window {
 public:
  using Clock = std::chrono::steady_clock;
  Window(std::chrono::nanoseconds warm_up, std::chrono::nanoseconds time)
      : from_(Clock::now() + warm_up), to_(from_ + time) {}
  // Counts a call; false when the time is over.
  bool Count(Clock::time_point started, Clock::time_point ended) {
    ++measured_.all_calls;
    if (ended >= to_) return false;
    if (ended >= from_) {
      ++measured_.calls;
      measured_.latency.Add(static_cast<std::uint64_t>((ended - started).count()));
    }
    return true;
  }
  Measurement Result() const {
    Measurement result = measured_;
    result.seconds = std::chrono::duration<double>(to_ - from_).count();
    return result;
  }

 private:
  const Clock::time_point from_;
  const Clock::time_point to_;
  Measurement measured_;
};

}  // namespace weir::bench
