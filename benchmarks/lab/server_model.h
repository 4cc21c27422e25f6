// ServerModel: a simulated server: slots that work, one FIFO queue, a speed that changes.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "lab/event_queue.h"
#include "lab/random.h"
#include "lab/scenario.h"
#include "weir/endpoint.h"

namespace weir::lab {

inline constexpr std::uint32_t kNoCall = ~std::uint32_t{0};

// A call as its server sees it. A value.
struct Work {
  std::uint32_t call = kNoCall;
  double nanos = 0;    // at speed 1
  Nanos deadline = 0;  // it is not begun after that
  bool fails = false;
};

// What changes a server by itself.
enum class ServerChange : std::uint32_t {
  kPause,
  kResume,
  kSlowDown,
  kRecover,
  kSpeed,
  kWarm,
  kLeave,  // from the provider list, when a stop is announced
  kStop,
  kStart
};

// Schedules its own changes in the queue; whoever pops events calls Change and Finish.
class ServerModel {
 public:
  ServerModel(std::uint32_t number, const ServerGroup& group, std::uint64_t seed);

  const ServerGroup& group() const noexcept { return *group_; }
  // Before the first event: puts its changes into the queue. Times count from `start`.
  void Begin(Nanos start, EventQueue& queue);
  // Schedules a restart of its own at `at`.
  void PlanRestart(Nanos at, Nanos gone_for, EventQueue& queue);

  // A call arrives; false if the server does not run.
  bool Accept(const Work& work, Nanos now, EventQueue& queue);
  // The end of a slot's work; kNoCall in `work.call` if the event is outdated. Begins what waits;
  // what waited too long is appended to `dropped`.
  Work Finish(const Event& event, EventQueue& queue, std::vector<std::uint32_t>& dropped);
  // One of its own changes. The calls it loses by stopping are appended to `lost`.
  void Change(const Event& event, EventQueue& queue, std::vector<std::uint32_t>& lost);

  bool running() const noexcept { return running_; }
  bool listed() const noexcept { return listed_; }  // in the registry
  bool paused() const noexcept { return paused_; }
  Nanos paused_until() const noexcept { return paused_until_; }
  Nanos started() const noexcept { return started_; }  // 0: with the simulation
  double speed() const noexcept;                       // without regard to a pause
  bool failing(Nanos now) const noexcept;
  std::uint32_t in_flight() const noexcept {
    return busy_ + static_cast<std::uint32_t>(queue_.size());
  }
  // What it would say about itself.
  LoadReport Report() const noexcept;
  // Calls that clients have sent to it and not yet got back, in transit or not; kept by whoever
  // knows.
  std::uint32_t assigned = 0;

 private:
  struct Slot {
    Work work;
    Nanos began = 0;
    double left = 0;  // work at `since_`
    std::uint32_t epoch = 0;
  };

  void BeginWork(std::size_t slot, const Work& work, Nanos now, EventQueue& queue);
  void Schedule(std::size_t slot, Nanos now, EventQueue& queue);
  double rate() const noexcept { return paused_ ? 0 : speed(); }
  // Settles what was done so far at the present rate.
  void Settle(Nanos now);
  void Plan(ServerChange change, Nanos at, EventQueue& queue, std::uint32_t detail_index = 0);

  const ServerGroup* group_;
  const std::uint32_t number_;
  Random random_;
  Nanos start_ = 0;
  std::vector<Slot> slots_;
  std::uint32_t busy_ = 0;
  std::deque<Work> queue_;
  Nanos since_ = 0;
  Nanos started_ = 0;
  Nanos paused_until_ = 0;
  Nanos gone_for_ = 0;
  double base_speed_;
  bool slow_ = false;
  bool cold_ = false;
  bool paused_ = false;
  bool running_ = true;
  bool listed_ = true;
  double service_ns_ = 0;  // mean time in a slot, as measured
};

}  // namespace weir::lab
