#include "client/route.h"

#include <chrono>
#include <random>
#include <utility>

#include "client/channel_core.h"

namespace weir::detail {
namespace {

// A provider that vanishes and returns within this time keeps its counters.
constexpr std::chrono::seconds kEndpointGrace{5};

}  // namespace

Route::Route(ChannelCore& channel, std::string service)
    : channel_(channel),
      service_(std::move(service)),
      // A random start, so that channels do not all begin with the same provider.
      next_sequence_(std::random_device{}()),
      discovery_(*this, channel) {
  for (std::uint32_t i = 0; i < channel.runtime().size(); ++i) {
    shards_.push_back(std::make_unique<RouteShard>(*this, channel.shard(i)));
    Reactor& reactor = channel.runtime().reactor(i);
    reactor.PostFunction(
        [shard = shards_.back().get(), &client = channel.shard(i)] { client.AddRoute(*shard); });
  }
}

void Route::Watch() {
  std::call_once(watched_, [this] {
    Status status = discovery_.Watch();
    if (status.ok()) return;
    GiveUpOnRegistry(status);
    const std::lock_guard lock(mutex_);
    watch_failure_ = std::move(status);
  });
}

void Route::Unwatch() {
  discovery_.Unwatch();
}

void Route::GiveUpOnRegistry(const Status& why) {
  OnEveryShard([why](RouteShard& shard) { shard.GiveUpOnRegistry(why); });
}

Status Route::WaitForProviders(std::chrono::nanoseconds timeout) {
  std::unique_lock lock(mutex_);
  const bool found = changed_.wait_for(lock, timeout, [this] {
    return !watch_failure_.ok() || (view_ != nullptr && view_->snapshot->size() > 0);
  });
  if (!watch_failure_.ok()) return watch_failure_;
  if (found) return {};
  return DeadlineExceeded(view_ == nullptr
                              ? "registry " + channel_.registry_url() +
                                    " has not answered; see that it runs and can be reached"
                              : "no provider of " + service_ + " is registered at " +
                                    channel_.registry_url() + "; start one");
}

std::vector<ProviderState> Route::Providers() {
  std::shared_ptr<const RouteView> view;
  {
    const std::lock_guard lock(mutex_);
    view = view_;
  }
  std::vector<ProviderState> states;
  if (view == nullptr) return states;
  const Snapshot& snapshot = *view->snapshot;
  for (Index i = 0; i < snapshot.size(); ++i) {
    const Endpoint& endpoint = snapshot.endpoint(i);
    states.push_back({.address = snapshot.provider(i).address,
                      .weight = snapshot.provider(i).weight,
                      .active = endpoint.active.load(std::memory_order_relaxed),
                      .failures = endpoint.failures.load(std::memory_order_relaxed),
                      .calls = endpoint.calls.load(std::memory_order_relaxed)});
  }
  return states;
}

void Route::Use(const ProviderList& providers) {
  std::shared_ptr<const RouteView> view = BuildView(providers);
  // The shards first: a call made as soon as WaitForProviders returns must find them on their way.
  OnEveryShard([view](RouteShard& shard) { shard.SetView(view); });
  {
    const std::lock_guard lock(mutex_);
    view_ = view;
  }
  changed_.notify_all();
}

std::shared_ptr<const RouteView> Route::BuildView(const ProviderList& providers) {
  const auto now = std::chrono::steady_clock::now();
  std::vector<Provider> pickable;
  std::vector<std::shared_ptr<Endpoint>> endpoints;
  for (const Provider& provider : *providers) {
    KnownEndpoint& known = endpoints_[provider.address];
    if (!known.endpoint) known.endpoint = std::make_shared<Endpoint>();
    known.last_listed = now;
    if (provider.weight <= 0) continue;
    pickable.push_back(provider);
    endpoints.push_back(known.endpoint);
  }
  std::erase_if(endpoints_, [&](const auto& entry) {
    const KnownEndpoint& known = entry.second;
    return now - known.last_listed > kEndpointGrace && known.endpoint.use_count() == 1 &&
           known.endpoint->active.load(std::memory_order_acquire) == 0;
  });
  std::shared_ptr<const RouteView> previous;
  {
    const std::lock_guard lock(mutex_);
    previous = view_;
  }
  auto snapshot = std::make_shared<Snapshot>(std::move(pickable), std::move(endpoints));
  channel_.load_balance().BuildTables(*snapshot, previous ? previous->snapshot.get() : nullptr);
  return std::make_shared<const RouteView>(RouteView{std::move(snapshot), providers});
}

}  // namespace weir::detail
