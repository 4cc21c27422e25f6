// SpareConnections: the connections of a link beyond its first, where a channel may have several.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/reactor.h"
#include "transport/connection.h"
#include "transport/socket.h"
#include "weir/status.h"

namespace weir {

class ClientConnection;
class ClientShard;
class ConnectAttempt;
class ProviderLink;

// Made one at a time, when a call finds every connection occupied. What becomes of them does not
// touch the link: a provider is out of reach when its first connection fails and no spare can take
// its place. Touched by its reactor's thread only.
class SpareConnections {
 public:
  // Both must outlive it.
  SpareConnections(ClientShard& shard, ProviderLink& link);
  ~SpareConnections();
  SpareConnections(const SpareConnections&) = delete;
  SpareConnections& operator=(const SpareConnections&) = delete;

  // Of the link's first connection and these, the one with the fewest calls in flight that has
  // room, the older one if several have as few: so those that are not needed come to rest and are
  // closed. Calls differ in size and in how long they take, which taking turns would not see.
  // `first` if none has room. Makes another connection if the one chosen is occupied.
  ClientConnection& Choose(ClientConnection& first);
  bool HasCalls() const noexcept;

  // Of connections; false if it is not one of these. OnLost: it ended or goes away, and the next
  // one is made no sooner than after the wait before reconnecting.
  bool OnReady(const ClientConnection& connection);
  bool OnIdle(const ClientConnection& connection) { return Forget(connection); }
  bool OnLost(const ClientConnection& connection);

  struct Successor {
    Ref<Connection> connection;
    ClientConnection* protocol = nullptr;
  };
  // The oldest that is ready, for the place of the first one, which was lost; null if there is
  // none.
  Successor TakeReady();
  // Gives up those that are being made. Those that are ready are closed with `reason`.
  void Close(const Status& reason);

 private:
  struct Spare;

  void Grow();
  void OnConnected(Spare& spare, Result<Socket> socket);
  void OnFailed(Spare& spare);
  void Wait();
  bool Forget(const ClientConnection& connection);
  Spare* Find(const ClientConnection& connection) const noexcept;
  std::unique_ptr<Spare> Take(const Spare& spare);

  ClientShard& shard_;
  ProviderLink& link_;
  std::vector<std::unique_ptr<Spare>> spares_;  // by age
  Reactor::Clock::time_point not_before_{};
  std::uint32_t failures_ = 0;  // in a row
};

}  // namespace weir
