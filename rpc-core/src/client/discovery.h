// Discovery: where a route's list of providers comes from.
//
// From the registry, as a rule. When that suddenly shows few or none of those it showed before,
// those that answer are kept (KeptProviders). When it is silent at the start, the last list comes
// from the disk (ProviderCache), and without one the calls that do not wait for ready are told so.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "client/kept_providers.h"
#include "client/provider_cache.h"
#include "weir/metrics.h"
#include "weir/registry.h"

namespace weir::detail {

class ChannelCore;
class Route;

// Thread-safe. Its ticks run on the channel's first reactor.
class Discovery {
 public:
  // Both must outlive it.
  Discovery(Route& route, ChannelCore& channel);
  Discovery(const Discovery&) = delete;
  Discovery& operator=(const Discovery&) = delete;

  // Begins to watch the registry. Once.
  Status Watch();
  // When it has returned, the registry calls no more.
  void Unwatch();
  // Does what is due; the route calls it when the time has come that it was told (Route::TickAt).
  void OnTick();

 private:
  using Clock = std::chrono::steady_clock;

  // On a thread of the registry, one at a time.
  void OnProviders(const ProviderList& announced);
  void Collect(MetricsWriter& writer) const;
  void KeepOnDisk(const std::vector<Provider>& providers);
  // All below with mutex_ held.
  void OnSilence(Clock::time_point now);
  void UseCached();
  void GiveUp(Clock::time_point now);
  void ReviewKept(Clock::time_point now);
  void Publish(const ProviderList& providers);
  void TickBy(Clock::time_point time);

  Route& route_;
  ChannelCore& channel_;
  bool cache_fault_reported_ = false;  // of OnProviders alone

  // What comes from the registry, from the disk and with the clock takes turns.
  std::mutex mutex_;
  std::unique_ptr<Subscription> subscription_;
  bool unwatched_ = false;
  KeptProviders kept_;
  bool keeping_reported_ = false;
  bool answered_ = false;  // the registry has
  bool gave_up_ = false;
  Clock::time_point began_{};
  Clock::time_point confirmed_{};
  Clock::time_point next_tick_ = Clock::time_point::max();
  std::optional<ProviderCache> cache_;
  std::optional<ProviderCache::Cached> cached_;  // until something better is known

  // For Collect.
  std::atomic<std::size_t> in_use_{0};
  std::atomic<std::size_t> kept_count_{0};
  std::atomic<std::uint64_t> keepings_{0};
  std::atomic<std::int64_t> cached_since_{0};  // seconds since 1970; 0: the registry has answered
  const MetricsSource metrics_;
};

}  // namespace weir::detail
