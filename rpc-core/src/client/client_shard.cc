#include "client/client_shard.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "base/split_mix.h"
#include "client/client_connection.h"
#include "client/route.h"

namespace weir {
namespace {

// A provider that vanishes from the list and returns within this time keeps its connection.
constexpr std::chrono::seconds kUnlistedGrace{5};
constexpr double kBackoffFactor = 1.6;
constexpr double kJitter = 0.2;

}  // namespace

ClientShard::ClientShard(Reactor& reactor, const ChannelOptions& options, LiveLinks& live,
                         std::uint64_t seed)
    : reactor_(reactor),
      options_(options),
      terms_(ClientConnection::Terms(options)),
      live_(live),
      random_state_(seed) {
  drop_timer_.shard = this;
  drop_timer_.fire = [](detail::TimerNode* node) noexcept {
    static_cast<Timer*>(node)->shard->DropUnlisted();
  };
}

ClientShard::~ClientShard() = default;

ProviderLink& ClientShard::Link(const std::string& address) {
  auto& link = links_[address];
  if (!link) link = std::make_unique<ProviderLink>(*this, address);
  return *link;
}

void ClientShard::DropUnlisted() {
  bool later = false;
  for (auto at = links_.begin(); at != links_.end();) {
    ProviderLink& link = *at->second;
    bool listed = false;
    for (detail::RouteShard* route : routes_) listed = listed || route->Lists(link);
    if (listed) {
      link.MarkListed();
    } else if (!link.UnlistedFor(reactor_.now(), kUnlistedGrace) || link.HasCalls()) {
      later = true;
    } else {
      link.Close(Unavailable(link.address() + " is no longer registered"));
      at = links_.erase(at);
      continue;
    }
    ++at;
  }
  if (later) reactor_.SetTimer(drop_timer_, reactor_.now() + kUnlistedGrace);
}

void ClientShard::OnLinkChanged(ProviderLink& link) {
  if (closed_) return;
  for (detail::RouteShard* route : routes_) route->OnLinkChanged(link);
}

void ClientShard::OnLoad(const ProviderLink& link, LoadReport report) {
  if (closed_) return;
  for (detail::RouteShard* route : routes_) route->OnLoad(link, report);
}

bool ClientShard::TakeWaitingPlace() noexcept {
  if (waiting_ >= options_.max_waiting_calls) return false;
  ++waiting_;
  return true;
}

std::chrono::nanoseconds ClientShard::PauseAfter(std::uint32_t failures) noexcept {
  const double first = static_cast<double>(options_.reconnect_min.count());
  const double most = static_cast<double>(options_.reconnect_max.count());
  const double wait = std::min(most, first * std::pow(kBackoffFactor, failures));
  const double jitter = 1.0 - kJitter + 2.0 * kJitter * RandomUnit();
  return std::chrono::nanoseconds(static_cast<std::int64_t>(wait * jitter));
}

std::uint64_t ClientShard::Random() noexcept {
  return detail::SplitMix64(random_state_);
}

void ClientShard::Close(const Status& reason) {
  if (std::exchange(closed_, true)) return;
  const Reactor::Turn turn(reactor_);
  reactor_.ClearTimer(drop_timer_);
  for (detail::RouteShard* route : routes_) route->Close(reason);
  for (const auto& [address, link] : links_) link->Close(reason);
  const std::vector<ClientConnection*> open(connections_.begin(), connections_.end());
  for (ClientConnection* connection : open) {
    if (connections_.count(connection) > 0) connection->CloseNow(reason);
  }
}

}  // namespace weir
