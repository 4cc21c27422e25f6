// What bench-rpc measures: an echo server in a process of its own, and a client that keeps a number
// of requests in flight on a number of connections.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "histogram.h"

namespace weir::bench {

struct Workload {
  std::string name;  // "W2"
  std::uint32_t connections;
  std::uint32_t in_flight;  // per connection
  std::size_t payload_bytes;
};

struct Measurement {
  std::uint64_t calls = 0;
  double seconds = 0;
  Histogram latency;
};

class Contestant {
 public:
  virtual ~Contestant() = default;
  virtual std::string name() const = 0;
  // Serves on `port` of the loopback, or any free one if it is 0, on one thread; calls `ready` with
  // the port and does not return.
  virtual void Serve(std::uint16_t port, void (*ready)(std::uint16_t)) = 0;
  // Drives the server for `warm_up`, then measures for `time`, on one thread.
  virtual Measurement Drive(std::uint16_t port, const Workload& workload,
                            std::chrono::nanoseconds warm_up, std::chrono::nanoseconds time) = 0;
};

std::unique_ptr<Contestant> MakeBareEpoll();
std::unique_ptr<Contestant> MakeBareAsio();
std::unique_ptr<Contestant> MakeWeir();            // completion handlers
std::unique_ptr<Contestant> MakeWeirAttachment();  // the same, the payload as attachment
std::unique_ptr<Contestant> MakeWeirBlocking();    // a blocking stub; one call in flight at most

// Decides which calls count: those that end after the warm-up and before the end.
class Window {
 public:
  using Clock = std::chrono::steady_clock;
  Window(std::chrono::nanoseconds warm_up, std::chrono::nanoseconds time)
      : from_(Clock::now() + warm_up), to_(from_ + time) {}
  // Counts a call; false when the time is over.
  bool Count(Clock::time_point started, Clock::time_point ended) {
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
