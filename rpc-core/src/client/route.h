// Route: a service as reached through one channel: its providers, and the calls to them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "client/call_list.h"
#include "client/client_shard.h"
#include "client/discovery.h"
#include "client/load_probes.h"
#include "client/outlier_watch.h"
#include "client/route_side.h"
#include "weir/channel.h"
#include "weir/load_balance.h"
#include "weir/method.h"
#include "weir/registry.h"

namespace weir::detail {

class ChannelCore;

// What a route knows of its providers at one time. Immutable, shared by the reactors.
struct RouteView {
  std::shared_ptr<const Snapshot> snapshot;    // those the strategy is to see
  std::shared_ptr<const Snapshot> everything;  // and those it is not; null if it sees all
  ProviderList all;                            // those that are draining as well
};

// The part that lives on one reactor, and whose thread alone touches it. Every call ends here.
class RouteShard {
 public:
  RouteShard(Route& route, ClientShard& client);
  ~RouteShard();
  RouteShard(const RouteShard&) = delete;
  RouteShard& operator=(const RouteShard&) = delete;

  Reactor& reactor() noexcept { return client_.reactor(); }
  // The number that names a method on this channel's connections.
  std::uint32_t MethodNumber(const MethodInfo& method) const noexcept;

  // Takes a call over.
  void Start(ClientCall& call);
  void Cancel(ClientCall& call);
  void SetView(std::shared_ptr<const RouteView> view);
  // The registry is silent: until there is a view, fails the calls that do not wait for ready.
  void GiveUpOnRegistry(const Status& why);
  // Has the route tick at that time; only the first shard of a route is asked.
  void TickAt(Reactor::Clock::time_point time);
  // These providers have been announced anew: no reason to wait before connecting to them.
  void OnReturned(const std::vector<std::string>& addresses);
  // Asks these providers for a sign of life; without `connect` only those that are connected.
  void Probe(const std::vector<std::string>& addresses, bool connect);
  // Tells the channel's LiveLinks when they were last heard.
  void ReportHeard(const std::vector<std::string>& addresses) const;
  // Asks those of them that are connected for their load.
  void AskLoad(const std::vector<std::string>& addresses);
  // These get no calls, or one on trial.
  void SetEjected(std::shared_ptr<const EjectedProviders> ejected);
  // Fails all calls that wait, and every call that comes.
  void Close(const Status& reason);

  // The call was answered, or can never be.
  void OnAnswer(ClientCall& call, Status status);
  // The call ends for a reason that is no provider's.
  void OnRefusedHere(ClientCall& call, Status why);
  // An attempt did not bring an answer; the call may be tried again.
  void OnAttemptFailed(ClientCall& call, Status why, bool may_have_started, Outcome outcome);
  bool Lists(const ProviderLink& link) const noexcept;
  void OnLinkChanged(const ProviderLink& link);
  void OnLoad(const ProviderLink& link, LoadReport report);
  // Of LoadProbes: the call has waited for its answers.
  void PlaceProbed(ClientCall& call, Draw draw);

 private:
  void Place(ClientCall& call);
  void PlaceBy(ClientCall& call, Draw draw);
  // True if the call waits until providers have told their load.
  bool ProbeFirst(ClientCall& call, Draw draw);
  void PlacePinned(ClientCall& call, const std::string& address);
  PickContext ContextOf(const ClientCall& call, const RouteSide& side, bool avoid_tried, Draw draw);
  Index Pick(const ClientCall& call, const RouteSide& side, bool avoid_tried, Draw draw);
  // The strategy's answer, recorded if somebody wants to know.
  Index Ask(const RequestView& request, const Snapshot& snapshot, const PickContext& context) const;
  // Has the endpoint count the attempt that begins.
  void BeginAttempt(ClientCall& call, Endpoint& endpoint);
  // The provider on trial has its call.
  void EndTrial(const ProviderLink& link);
  void Wait(ClientCall& call);
  void PlaceWaiting();
  void OnDeadline(ClientCall& call);
  // Takes the call from wherever it is.
  void Withdraw(ClientCall& call, Outcome outcome);
  void EndAttempt(ClientCall& call, Outcome outcome) noexcept;
  void Complete(ClientCall& call, Status status);
  Status NoneUsable() const;
  void FindUnusable();
  void ShowCounts(const RouteView& view, bool show) const noexcept;
  std::uint32_t cell() const noexcept { return client_.reactor().index(); }
  std::int64_t NowNs() const noexcept { return client_.reactor().now().time_since_epoch().count(); }
  std::uint64_t NextSequence() noexcept;
  bool MayRetry(const ClientCall& call, bool may_have_started) noexcept;

  Route& route_;
  ClientShard& client_;
  std::shared_ptr<const RouteView> view_;
  RouteSide chosen_;                  // those the strategy is to see,
  RouteSide everything_;              // and all of them, if that is not the same
  const RouteSide* side_ = &chosen_;  // from which calls are placed
  std::vector<Index> excluded_;       // of the present pick
  CallList waiting_;
  LoadProbes probes_;
  std::vector<EjectedProvider> ejected_;
  std::vector<EjectedProvider> tried_;  // had their call from this reactor
  std::uint64_t sequence_ = 0;
  std::uint64_t sequence_end_ = 0;
  double retry_tokens_;
  Status registry_silent_;
  Status closed_;

  struct Timer : TimerNode {
    RouteShard* shard = nullptr;
  };
  Timer tick_;
};

// The part any thread may use.
class Route {
 public:
  Route(ChannelCore& channel, std::string service);
  Route(const Route&) = delete;
  Route& operator=(const Route&) = delete;

  const std::string& service() const noexcept { return service_; }
  // The channel's number of the service's first method; 0 before there is a stub. Set once, before
  // the first call starts.
  std::uint32_t method_base() const noexcept { return method_base_; }
  void set_method_base(std::uint32_t base) noexcept { method_base_ = base; }
  ChannelCore& channel() const noexcept { return channel_; }
  RouteShard& shard(std::uint32_t reactor) noexcept { return *shards_[reactor]; }

  // Begins to watch the registry; the first call does.
  void Watch();
  void Unwatch();
  // Waits until a provider is known.
  Status WaitForProviders(std::chrono::nanoseconds timeout);
  // As Channel::Providers.
  std::vector<ProviderState> Providers();
  // The first of 64 sequence numbers that nobody else gets.
  std::uint64_t ReserveSequence() noexcept {
    return next_sequence_.fetch_add(64, std::memory_order_relaxed);
  }
  OutlierWatch& outliers() noexcept { return outliers_; }
  // The shard's timer: it is time for what TickAt was asked for.
  void OnTick() { discovery_.OnTick(); }

  // Of Discovery, one at a time.
  void Use(const ProviderList& providers);
  void GiveUpOnRegistry(const Status& why);
  template <class Work>
  void OnShard(std::uint32_t reactor, Work work) {
    RouteShard* shard = shards_[reactor].get();
    shard->reactor().PostFunction([shard, work = std::move(work)] { work(*shard); });
  }
  template <class Work>
  void OnEveryShard(const Work& work) {
    for (std::uint32_t i = 0; i < shards_.size(); ++i) OnShard(i, work);
  }

 private:
  std::shared_ptr<const RouteView> BuildView(const ProviderList& providers);
  std::shared_ptr<const Snapshot> BuildSnapshot(const std::vector<Provider>& providers,
                                                const Snapshot* previous);
  void KeepEndpoints(const ProviderList& providers);

  ChannelCore& channel_;
  const std::string service_;
  std::uint32_t method_base_ = 0;
  std::vector<std::unique_ptr<RouteShard>> shards_;
  std::atomic<std::uint64_t> next_sequence_;
  std::once_flag watched_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<const RouteView> view_;
  Status watch_failure_;

  // Counters by address; kept a while when a provider vanishes. Of Use alone.
  struct KnownEndpoint {
    std::shared_ptr<Endpoint> endpoint;
    std::chrono::steady_clock::time_point last_listed;
    std::int64_t started_ms = 0;  // as Provider's
  };
  std::map<std::string, KnownEndpoint, std::less<>> endpoints_;
  bool had_providers_ = false;
  const std::uint64_t random_;  // Consumer::random
  OutlierWatch outliers_;
  Discovery discovery_;
};

inline std::uint32_t RouteShard::MethodNumber(const MethodInfo& method) const noexcept {
  return route_.method_base() + method.index;
}

}  // namespace weir::detail
