// ClientShard: the part of a channel that lives on one reactor: its links to providers.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "client/live_links.h"
#include "client/provider_link.h"
#include "runtime/reactor.h"
#include "transport/native_protocol.h"
#include "weir/channel.h"

namespace weir {

class ClientConnection;
namespace detail {
class RouteShard;
}

// Touched by its reactor's thread only.
class ClientShard {
 public:
  // All must outlive it.
  ClientShard(Reactor& reactor, const ChannelOptions& options, LiveLinks& live, std::uint64_t seed);
  ~ClientShard();
  ClientShard(const ClientShard&) = delete;
  ClientShard& operator=(const ClientShard&) = delete;

  Reactor& reactor() noexcept { return reactor_; }
  const ChannelOptions& options() const noexcept { return options_; }
  const NativeTerms& terms() const noexcept { return terms_; }
  LiveLinks& live() noexcept { return live_; }
  bool is_closed() const noexcept { return closed_; }

  // The link to a provider, made if there is none.
  ProviderLink& Link(const std::string& address);
  // The link to a provider, if there is one.
  ProviderLink* Find(const std::string& address) const {
    const auto link = links_.find(address);
    return link != links_.end() ? link->second.get() : nullptr;
  }
  // Links that no route lists any more are closed once they have no calls.
  void DropUnlisted();
  void OnLinkChanged(ProviderLink& link);
  void OnLoad(const ProviderLink& link, LoadReport report);

  void AddRoute(detail::RouteShard& route) { routes_.push_back(&route); }
  void AddConnection(ClientConnection& connection) { connections_.insert(&connection); }
  void RemoveConnection(ClientConnection& connection) { connections_.erase(&connection); }

  // Room for a call that must wait. False: too many wait already.
  bool TakeWaitingPlace() noexcept;
  void GiveWaitingPlace() noexcept { --waiting_; }

  // How long to wait before connecting again after so many failures in a row before the last.
  std::chrono::nanoseconds PauseAfter(std::uint32_t failures) noexcept;

  // A random word; uniform in [0, 1).
  std::uint64_t Random() noexcept;
  double RandomUnit() noexcept { return static_cast<double>(Random() >> 11) * 0x1.0p-53; }

  // Fails everything with `reason` and closes all connections.
  void Close(const Status& reason);

 private:
  Reactor& reactor_;
  const ChannelOptions& options_;
  const NativeTerms terms_;
  LiveLinks& live_;
  std::uint64_t random_state_;
  std::unordered_map<std::string, std::unique_ptr<ProviderLink>> links_;
  std::unordered_set<ClientConnection*> connections_;
  std::vector<detail::RouteShard*> routes_;
  std::uint32_t waiting_ = 0;
  bool closed_ = false;

  struct Timer : detail::TimerNode {
    ClientShard* shard = nullptr;
  };
  Timer drop_timer_;
};

}  // namespace weir
