#include "client/route.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>

#include "client/channel_core.h"

namespace weir::detail {
namespace {

// A provider that vanishes and returns within this time keeps its counters.
constexpr std::chrono::seconds kEndpointGrace{5};

// When a provider started, on the steady clock, as far as its fact "started" and the clocks of two
// machines tell.
std::int64_t StartedNs(std::int64_t started_ms, std::chrono::steady_clock::time_point now) {
  using std::chrono::milliseconds;
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  const auto age = wall - milliseconds(started_ms);
  return (now - std::max<std::chrono::nanoseconds>(age, {})).time_since_epoch().count();
}

}  // namespace

Route::Route(ChannelCore& channel, std::string service)
    : channel_(channel),
      service_(std::move(service)),
      // A random start, so that channels do not all begin with the same provider.
      next_sequence_(std::random_device{}()),
      random_(std::uint64_t{std::random_device{}()} << 32 | std::random_device{}()),
      outliers_(*this, channel),
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
    states.push_back(
        {.address = snapshot.provider(i).address,
         .weight = snapshot.provider(i).weight,
         .active = endpoint.active(),
         .failures = endpoint.failures(),
         .calls = endpoint.calls(),
         .latency = std::chrono::nanoseconds(static_cast<std::int64_t>(endpoint.latency_ns())),
         .error_rate = endpoint.error_rate(),
         .report = endpoint.report(),
         .ejected = outliers_.IsEjected(snapshot.provider(i).address)});
  }
  return states;
}

void Route::Use(const ProviderList& providers) {
  std::shared_ptr<const RouteView> view = BuildView(providers);
  {
    // At once, for who looks on: a call made when WaitForProviders has returned finds the
    // providers, and who asks for Providers when a call has ended finds those that it could go to.
    const std::lock_guard lock(mutex_);
    OnEveryShard([view](RouteShard& shard) { shard.SetView(view); });
    view_ = view;
  }
  changed_.notify_all();
}

void Route::KeepEndpoints(const ProviderList& providers) {
  const auto now = std::chrono::steady_clock::now();
  for (const Provider& provider : *providers) {
    KnownEndpoint& known = endpoints_[provider.address];
    const bool is_new = !known.endpoint;
    if (is_new) known.endpoint = std::make_shared<Endpoint>(channel_.runtime().size());
    if (provider.started_ms > 0 && provider.started_ms != known.started_ms) {
      known.started_ms = provider.started_ms;
      known.endpoint->set_started_ns(StartedNs(provider.started_ms, now));
    } else if (is_new && had_providers_) {
      known.endpoint->set_started_ns(now.time_since_epoch().count());
    }
    known.last_listed = now;
  }
  had_providers_ = had_providers_ || !providers->empty();
  std::erase_if(endpoints_, [&](const auto& entry) {
    const KnownEndpoint& known = entry.second;
    return now - known.last_listed > kEndpointGrace && known.endpoint.use_count() == 1 &&
           known.endpoint->active() == 0;
  });
}

std::shared_ptr<const Snapshot> Route::BuildSnapshot(const std::vector<Provider>& providers,
                                                     const Snapshot* previous) {
  std::vector<std::shared_ptr<Endpoint>> endpoints;
  for (const Provider& provider : providers) {
    endpoints.push_back(endpoints_.find(provider.address)->second.endpoint);
  }
  auto snapshot =
      std::make_shared<Snapshot>(providers, std::move(endpoints), channel_.runtime().size());
  channel_.load_balance().BuildTables(*snapshot, previous);
  return snapshot;
}

std::shared_ptr<const RouteView> Route::BuildView(const ProviderList& providers) {
  KeepEndpoints(providers);
  std::vector<Provider> pickable;
  for (const Provider& provider : *providers) {
    if (provider.weight > 0) pickable.push_back(provider);
  }
  std::shared_ptr<const RouteView> previous;
  {
    const std::lock_guard lock(mutex_);
    previous = view_;
  }
  const ConfiguredLoadBalance& balance = channel_.load_balance();
  std::vector<Provider> chosen;
  if (balance.narrows()) {
    const Consumer consumer{.zone = channel_.options().zone, .random = random_};
    for (const Index i : balance.Select(pickable, consumer)) chosen.push_back(pickable[i]);
  }
  RouteView view;
  view.all = providers;
  if (chosen.empty() || chosen.size() == pickable.size()) {
    view.snapshot = BuildSnapshot(pickable, previous ? previous->snapshot.get() : nullptr);
  } else {
    view.snapshot = BuildSnapshot(chosen, previous ? previous->snapshot.get() : nullptr);
    view.everything = BuildSnapshot(pickable, previous ? previous->everything.get() : nullptr);
  }
  return std::make_shared<const RouteView>(std::move(view));
}

}  // namespace weir::detail
