// A consumer that calls at a fixed rate, whatever becomes of its calls, and counts.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/echo_service.h"
#include "weir/channel.h"
#include "weir/status.h"

namespace weir::test {

struct SteadyLoadOptions {
  int calls_per_second = 500;
  // Idempotent calls are tried again on another provider; others only if they cannot have started.
  bool idempotent = false;
  int handler_ms = 0;  // how long a handler takes, so that calls are in flight
  std::chrono::nanoseconds timeout = std::chrono::seconds(1);
};

// What became of the calls. A value.
struct LoadTally {
  using Clock = std::chrono::steady_clock;
  struct Failure {
    Clock::time_point started;
    Status status;
  };
  int started = 0;
  int answered = 0;
  std::map<std::string, int> answered_by;  // by EchoReply::served_by
  std::vector<Failure> failures;

  // Failures of calls started in [from, to).
  int FailedBetween(Clock::time_point from, Clock::time_point to) const;
  int FailedSince(Clock::time_point from) const {
    return FailedBetween(from, Clock::time_point::max());
  }
  // "2000 calls, 1998 answered, 2 failed: 2 x UNAVAILABLE: ..."
  std::string ToString() const;
};

// Calls Echo from the moment it is made: open loop, each call is started at its time even if those
// before it have not ended. Times that were missed for more than 100 ms (this process was stopped)
// are left out. Thread-safe.
class SteadyLoad {
 public:
  // Waits until a first call was answered; the calls before it are not counted. Throws
  // std::runtime_error when there is none within 20 s.
  explicit SteadyLoad(const std::string& registry_url, SteadyLoadOptions options = {},
                      ChannelOptions channel = {});
  ~SteadyLoad();
  SteadyLoad(const SteadyLoad&) = delete;
  SteadyLoad& operator=(const SteadyLoad&) = delete;

  LoadTally tally() const;
  int started() const;
  int AnsweredBy(const std::string& provider) const;
  // Waits until each of these has answered `calls` more calls than now.
  bool AwaitAnswersFrom(const std::vector<std::string>& providers,
                        std::chrono::milliseconds timeout, int calls = 5) const;
  // Starts no more calls, waits for those under way, and says what became of all.
  LoadTally Stop();

 private:
  void Run();
  void Call();

  const SteadyLoadOptions options_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  LoadTally tally_;
  int in_flight_ = 0;
  bool stopped_ = false;
  Channel channel_;
  Echo::Stub echo_;
  std::thread thread_;
};

}  // namespace weir::test
