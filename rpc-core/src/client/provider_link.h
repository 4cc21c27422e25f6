// ProviderLink: a channel's way to one provider from one reactor: connects, waits after failures,
// keeps the calls that cannot be sent yet.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "client/call_list.h"
#include "transport/connection.h"
#include "transport/socket.h"
#include "weir/channel.h"
#include "weir/endpoint.h"
#include "weir/status.h"

namespace weir {

class ClientConnection;
class ClientShard;
class ConnectAttempt;
class SpareConnections;

// Belongs to its ClientShard; touched by its reactor's thread only. Connects when it is first used,
// and again by itself after a connection was lost, as long as a provider list names it.
class ProviderLink {
 public:
  ProviderLink(ClientShard& shard, std::string address);
  ~ProviderLink();
  ProviderLink(const ProviderLink&) = delete;
  ProviderLink& operator=(const ProviderLink&) = delete;

  const std::string& address() const noexcept { return address_; }
  // False while the provider is known to be out of reach: strategies are told to pass it by.
  bool IsUsable() const noexcept;
  // Why not.
  const Status& last_failure() const noexcept { return last_failure_; }
  bool HasCalls() const noexcept;

  // Some provider list names it, or none does since when first asked.
  void MarkListed() noexcept { unlisted_since_ = {}; }
  bool UnlistedFor(Reactor::Clock::time_point now, std::chrono::nanoseconds time) noexcept {
    if (unlisted_since_ == Reactor::Clock::time_point{}) unlisted_since_ = now;
    return now - unlisted_since_ >= time;
  }

  // Sends the call, or keeps it until it can be sent. If the provider is out of reach the attempt
  // fails at once.
  void Submit(detail::ClientCall& call);
  // Takes back a call that is kept.
  void Withdraw(detail::ClientCall& call);
  // Asks for a sign of life: by a PING, or, if wanted, by a connection where there is none.
  void Probe(bool connect);
  // Asks for its load; without a connection makes one, if wanted, and returns false.
  bool AskLoad(bool connect);
  // Tells the channel's LiveLinks when the provider was last heard.
  void ReportHeard() const;
  // The provider has been announced anew: no reason to wait any longer.
  void ResetBackoff();
  // Ends the connection, if there is one, and stops connecting. Calls fail with `reason`.
  void Close(const Status& reason);

  // Of the connection.
  void OnReady(ClientConnection& connection);
  void OnRoom();
  void OnLoad(LoadReport report);
  void OnGoingAway(const ClientConnection& connection, const Status& why);
  void OnIdle(const ClientConnection& connection);
  void OnConnectionGone(const ClientConnection& connection, const Status& reason);

 private:
  enum class State : std::uint8_t { kIdle, kConnecting, kReady, kBackoff };

  void Connect();
  void OnConnected(Socket socket);
  void OnConnectFailed(const Status& why);
  void WaitToReconnect();
  void SetState(State state, std::uint32_t failures);
  void Enter(State state);
  void FailQueued(const Status& why);
  // Ready only: the connection for the next call; look whether it has room.
  ClientConnection& Way();
  static void SendOn(ClientConnection& way, detail::ClientCall& call);
  // True if a spare has taken the place of the first connection, which is no more.
  bool Succeed();
  void Drop();

  ClientShard& shard_;
  const std::string address_;
  State state_ = State::kIdle;
  Reactor::Clock::time_point unlisted_since_{};
  std::uint32_t failures_ = 0;         // in a row
  std::uint32_t failures_before_ = 0;  // the present connection
  std::uint32_t sent_away_ = 0;        // in a row, as soon as it was ready
  Reactor::Clock::time_point ready_since_{};
  Status last_failure_;
  CallList queued_;
  std::shared_ptr<ConnectAttempt> attempt_;   // a connection being made
  Ref<Connection> connection_;                // the first
  ClientConnection* protocol_ = nullptr;      // owned by the connection
  std::unique_ptr<SpareConnections> spares_;  // null: the first is the only one

  struct Timer : detail::TimerNode {
    ProviderLink* link = nullptr;
  };
  Timer connect_timer_;
  Timer backoff_timer_;
};

}  // namespace weir
