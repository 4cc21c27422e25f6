// OutlierWatch: has an OutlierDetector look at a route's providers, and tells its reactors who is
// ejected.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "client/outlier_detector.h"
#include "runtime/reactor.h"
#include "weir/metrics.h"

namespace weir::detail {

class ChannelCore;
class Route;
struct RouteView;

// A provider that gets no calls, or, on trial, one from each reactor.
struct EjectedProvider {
  std::string address;
  bool on_trial = false;
  std::uint32_t trial = 0;  // which one of its trials
};
using EjectedProviders = std::vector<EjectedProvider>;  // sorted by address

// Lives on the reactor of the route's first shard; what other threads may call is marked.
class OutlierWatch {
 public:
  // Both must outlive it.
  OutlierWatch(Route& route, ChannelCore& channel);
  OutlierWatch(const OutlierWatch&) = delete;
  OutlierWatch& operator=(const OutlierWatch&) = delete;

  void Use(const RouteView& view);
  // No more reviews.
  void Close();

  // Any reactor: a call was started. Costs one load, as long as reviews go on.
  void OnStart() noexcept {
    if (!awake_.load(std::memory_order_relaxed)) ReviewSoon();
  }
  // Any reactor: an attempt ended, `in_a_row` failures after the last good answer.
  void OnEnd(Outcome outcome, std::uint32_t in_a_row) noexcept {
    const bool alarming = (outcome == Outcome::kFaulted || outcome == Outcome::kLate) &&
                          in_a_row >= alarm_ && alarm_ > 0;
    if (alarming || trials_.load(std::memory_order_relaxed)) ReviewSoon();
  }
  // Any reactor: the next review is due at once.
  void ReviewSoon() noexcept;
  // Any thread.
  bool IsEjected(std::string_view address) const;

 private:
  using TimePoint = Reactor::Clock::time_point;

  void Review();
  void Tell();
  void Collect(MetricsWriter& writer) const;

  Route& route_;
  ChannelCore& channel_;
  const bool enabled_;
  const std::uint32_t alarm_;
  OutlierDetector detector_;
  std::shared_ptr<const Snapshot> providers_;
  TimePoint last_review_{};
  bool told_ = false;  // the reactors of someone who is ejected
  bool closed_ = false;

  std::atomic<bool> awake_;  // reviews go on, or there is nothing to review
  std::atomic<bool> asked_{false};
  std::atomic<bool> trials_{false};
  std::atomic<std::uint32_t> ejected_count_{0};
  std::array<std::atomic<std::uint64_t>, OutlierDetector::kRules> ejections_{};
  mutable std::mutex mutex_;
  std::shared_ptr<const EjectedProviders> ejected_;

  struct Timer : TimerNode {
    OutlierWatch* watch = nullptr;
  };
  Timer timer_;
  const MetricsSource metrics_;  // last: it reads the others
};

}  // namespace weir::detail
