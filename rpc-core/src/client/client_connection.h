// ClientConnection: the client's side of a connection: requests out, replies to their calls.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "transport/connection.h"
#include "transport/native_protocol.h"
#include "transport/socket.h"
#include "weir/channel.h"
#include "weir/detail/client_call.h"

namespace weir {

class ClientShard;
class ProviderLink;

// Belongs to a link, until the link or the connection ends.
class ClientConnection final : public NativeProtocol {
 public:
  ClientConnection(ClientShard& shard, ProviderLink& link);
  // A connection that speaks it over a connected socket, yet to be started.
  static Ref<Connection> Over(Socket socket, ClientShard& shard, ProviderLink& link);

  // What the connections of a channel go by.
  static NativeTerms Terms(const ChannelOptions& options);

  // True if a call may be sent now: the peer's limit and the output's soft limit leave room.
  bool HasRoom() const noexcept;
  // Writes the request; it leaves with the present turn. Needs HasRoom.
  void Send(detail::ClientCall& call);
  // Forgets a call that is in flight and tells the provider.
  void Abandon(detail::ClientCall& call);
  // The largest message and attachment the provider takes.
  Status CheckSize(const detail::PreparedRequest& request) const;
  // Whose connection it is; outlives the link.
  const std::string& provider() const noexcept { return provider_; }
  bool HasCalls() const noexcept override { return in_flight_ > 0; }
  std::uint32_t in_flight() const noexcept { return in_flight_; }
  // Asks the provider for its load, unless it was asked just now and has not answered yet.
  void AskLoad();
  void CloseNow(const Status& reason) { connection().Close(reason); }
  // The link does not want to hear of this connection any more.
  void Detach() noexcept { link_ = nullptr; }

 private:
  using Call = detail::ClientCall;
  struct Slot {
    std::uint64_t id = 0;
    Call* call = nullptr;
  };

  void OnReady() override;
  Status OnRequest(wire::Frame& frame) override;
  Status OnResponse(wire::Frame& frame) override;
  void OnCancel(std::uint64_t id) override;
  void OnGoAway(std::uint64_t last_id, const Status& why) override;
  void OnLoad(std::uint64_t id, std::uint64_t load) override;
  void OnIdle() override;
  void OnDrained() override;
  void OnGone(const Status& reason) override;

  Call* Find(std::uint64_t id) const noexcept;
  void FreeSlot(std::uint64_t id) noexcept;
  // The provider answered.
  void Deliver(Call& call, wire::Frame& frame, const wire::ResponseMeta& meta);

  ClientShard& shard_;
  ProviderLink* link_;
  const std::string provider_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::vector<bool> named_;  // methods, by number, that this connection knows
  std::uint64_t sequence_ = 0;
  std::uint32_t in_flight_ = 0;
  std::uint64_t load_asks_ = 0;
  bool load_asked_ = false;  // and not answered
  TimePoint load_asked_at_{};
};

}  // namespace weir
