// Load: calls made again and again, and what became of them.
//
// In a closed loop a number of callers make one call after the other. In an open loop calls are
// started at the times of a schedule, whether or not earlier ones have been answered, and their
// latency counts from those times: a provider that stalls cannot hide the calls it kept from being
// made ("coordinated omission", Gil Tene, "How NOT to Measure Latency"; wrk2 does the same).
#pragma once

#include <google/protobuf/message_lite.h>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "histogram.h"
#include "weir/channel.h"
#include "weir/generic_stub.h"

namespace weir::tool {

struct LoadPlan {
  std::uint32_t concurrency = 16;       // callers of a closed loop
  double rate = 0;                      // calls per second of an open loop; 0: closed loop
  std::chrono::nanoseconds warm_up{0};  // at the beginning, not counted
  std::chrono::nanoseconds time{0};     // after that; 0: no end
  std::uint64_t calls = 0;              // ends after so many counted calls; 0: no end
};

// The call that is made.
struct LoadedCall {
  const MethodInfo* method = nullptr;
  std::string request;  // serialised
  CallOptions options;
  std::optional<std::string> key;
};

// What became of calls. A value.
struct Tally {
  static constexpr std::size_t kCodes = 17;

  std::array<std::uint64_t, kCodes> by_code{};    // calls that have ended, by StatusCode
  std::array<std::string, kCodes> first_message;  // of those that failed
  Histogram latency;                              // of calls answered OK
  Histogram lateness;                             // of an open loop: how late calls were started
  std::uint64_t reply_bytes = 0;                  // of messages
  std::uint64_t not_started = 0;                  // of an open loop: too many calls were in flight
  std::uint64_t in_flight = 0;                    // at the moment
  std::chrono::steady_clock::time_point last_end{};

  std::uint64_t ok() const noexcept { return by_code[0]; }
  std::uint64_t ended() const noexcept;
  void Add(const Tally& later);
};

// A resource. All public functions are for one thread, which is no reactor of the runtime.
class Load {
 public:
  using Clock = std::chrono::steady_clock;

  // Uses all reactors of `runtime`, which is that of `channel` and outlives this. A closed loop has
  // at least one caller for each.
  Load(Runtime& runtime, std::unique_ptr<Channel> channel, const ServiceInfo& service,
       LoadedCall call, LoadPlan plan);
  ~Load();  // cancels what is still in flight
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  void Start();
  // Starts no more calls.
  void Stop();
  // Nothing is in flight and nothing will be started.
  bool finished() const noexcept { return busy_.load(std::memory_order_acquire) == 0; }
  // What counts and has ended since the last Take.
  Tally Take();
  // When counting began, or will.
  Clock::time_point begin() const noexcept { return begin_; }
  const Channel& channel() const noexcept { return *channel_; }

 private:
  class Lane;

  bool Counts(Clock::time_point start) const noexcept { return start >= begin_; }
  bool Over(Clock::time_point now) const noexcept {
    return now >= end_ || stopped_.load(std::memory_order_relaxed);
  }
  void Pace();
  Clock::time_point TimeOf(std::uint64_t number) const noexcept;

  const LoadedCall call_;
  const LoadPlan plan_;
  std::unique_ptr<Channel> channel_;
  std::vector<std::unique_ptr<Lane>> lanes_;  // one per reactor
  std::atomic<std::uint32_t> busy_{0};        // lanes that have not finished
  std::atomic<bool> stopped_{false};
  Clock::time_point first_{};  // when the first call starts
  Clock::time_point begin_{};
  Clock::time_point end_ = Clock::time_point::max();

  std::thread pacer_;
  std::mutex mutex_;
  std::condition_variable stop_pacing_;
};

}  // namespace weir::tool
