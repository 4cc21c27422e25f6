#include "client/provider_link.h"

#include <utility>

#include "client/client_connection.h"
#include "client/client_shard.h"
#include "client/connect_attempt.h"
#include "client/route.h"
#include "client/spare_connections.h"
#include "weir/address.h"
#include "weir/log.h"

namespace weir {
namespace {

using detail::CallState;
using detail::ClientCall;

// A connection that lasted this long ends a row of failures.
constexpr std::chrono::seconds kStable{1};
// Who sends away sooner than this may be one of several that are replaced one after the other; who
// does so as often as this would only do it again.
constexpr std::chrono::milliseconds kLeastStay{10};
constexpr std::uint32_t kMostSentAway = 16;

}  // namespace

ProviderLink::ProviderLink(ClientShard& shard, std::string address)
    : shard_(shard), address_(std::move(address)) {
  connect_timer_.link = this;
  connect_timer_.fire = [](detail::TimerNode* node) noexcept {
    ProviderLink& self = *static_cast<Timer*>(node)->link;
    if (self.connection_) {
      self.connection_->Close(DeadlineExceeded("no answer in time"));
    } else {
      self.OnConnectFailed(DeadlineExceeded("no answer in time"));
    }
  };
  if (shard_.options().connections_per_provider > 1) {
    spares_ = std::make_unique<SpareConnections>(shard_, *this);
  }
  backoff_timer_.link = this;
  backoff_timer_.fire = [](detail::TimerNode* node) noexcept {
    static_cast<Timer*>(node)->link->Connect();
  };
}

ProviderLink::~ProviderLink() {
  Drop();
  Enter(State::kIdle);
}

void ProviderLink::Drop() {
  shard_.reactor().ClearTimer(connect_timer_);
  shard_.reactor().ClearTimer(backoff_timer_);
  if (attempt_) attempt_->GiveUp();
  attempt_.reset();
  if (protocol_ != nullptr) protocol_->Detach();
  protocol_ = nullptr;
  connection_ = {};
}

bool ProviderLink::IsUsable() const noexcept {
  switch (state_) {
    case State::kIdle:
    case State::kReady:
      return true;
    case State::kConnecting:
      return failures_ == 0;
    case State::kBackoff:
      return false;
  }
  return false;
}

bool ProviderLink::HasCalls() const noexcept {
  return !queued_.empty() || (protocol_ != nullptr && protocol_->HasCalls()) ||
         (spares_ && spares_->HasCalls());
}

void ProviderLink::Enter(State state) {
  if (state_ != State::kReady && state == State::kReady) shard_.live().Up(address_);
  if (state_ == State::kReady && state != State::kReady) shard_.live().Down(address_);
  state_ = state;
}

void ProviderLink::SetState(State state, std::uint32_t failures) {
  const bool was_usable = IsUsable();
  // Who takes connections only to drop them is not connected to any faster for it.
  if (state == State::kReady) failures_before_ = failures_;
  Enter(state);
  failures_ = failures;
  if (IsUsable() != was_usable) shard_.OnLinkChanged(*this);
}

void ProviderLink::Submit(ClientCall& call) {
  call.link = this;
  if (state_ == State::kReady && queued_.empty()) {
    if (ClientConnection& way = Way(); way.HasRoom()) return SendOn(way, call);
  }
  if (!IsUsable()) {
    return call.shard->OnAttemptFailed(call, last_failure_, false, Outcome::kLost);
  }
  if (!shard_.TakeWaitingPlace()) {
    return call.shard->OnRefusedHere(
        call, ResourceExhausted("too many calls wait to be sent to " + address_));
  }
  call.state = CallState::kQueued;
  queued_.PushBack(call);
  if (state_ == State::kIdle) Connect();
}

void ProviderLink::Withdraw(ClientCall& call) {
  queued_.Remove(call);
  shard_.GiveWaitingPlace();
}

void ProviderLink::OnRoom() {
  while (state_ == State::kReady && !queued_.empty()) {
    ClientConnection& way = Way();
    if (!way.HasRoom()) return;
    ClientCall& call = *queued_.PopFront();
    shard_.GiveWaitingPlace();
    SendOn(way, call);
  }
}

void ProviderLink::SendOn(ClientConnection& way, ClientCall& call) {
  if (Status status = way.CheckSize(call.request); !status.ok()) {
    call.shard->OnRefusedHere(call, std::move(status));
  } else {
    way.Send(call);
  }
}

void ProviderLink::Connect() {
  shard_.reactor().ClearTimer(backoff_timer_);
  const Result<Address> address = Address::Parse(address_);
  if (!address.ok()) return OnConnectFailed(address.status());
  SetState(State::kConnecting, failures_);
  shard_.reactor().SetTimer(connect_timer_,
                            shard_.reactor().now() + shard_.options().connect_timeout);
  attempt_ = std::make_shared<ConnectAttempt>(shard_.reactor().io(), shard_.options().socket,
                                              [this](Result<Socket> socket) {
                                                const Reactor::Turn turn(shard_.reactor());
                                                if (!socket.ok())
                                                  return OnConnectFailed(socket.status());
                                                OnConnected(*std::move(socket));
                                              });
  attempt_->Start(*address);
}

void ProviderLink::OnConnected(Socket socket) {
  attempt_.reset();
  connection_ = ClientConnection::Over(std::move(socket), shard_, *this);
  protocol_ = static_cast<ClientConnection*>(&connection_->protocol());
  const Ref<Connection> keep = connection_;
  keep->Start();
}

ClientConnection& ProviderLink::Way() {
  return spares_ ? spares_->Choose(*protocol_) : *protocol_;
}

bool ProviderLink::Succeed() {
  if (!spares_) return false;
  if (state_ == State::kReady) {
    SpareConnections::Successor next = spares_->TakeReady();
    connection_ = std::move(next.connection);
    protocol_ = next.protocol;
    if (protocol_ != nullptr) return true;
  }
  spares_->Close(last_failure_);
  return false;
}

void ProviderLink::OnReady(ClientConnection& connection) {
  if (spares_ && spares_->OnReady(connection)) return OnRoom();
  shard_.reactor().ClearTimer(connect_timer_);
  if (failures_ > 0) LogInfo("connected to " + address_ + " again");
  ready_since_ = shard_.reactor().now();
  SetState(State::kReady, 0);
  OnRoom();
}

void ProviderLink::OnConnectFailed(const Status& why) {
  shard_.reactor().ClearTimer(connect_timer_);
  if (attempt_) attempt_->GiveUp();
  attempt_.reset();
  last_failure_ = Unavailable("cannot connect to " + address_ + ": " + std::string(why.message()));
  WaitToReconnect();
}

void ProviderLink::OnConnectionGone(const ClientConnection& connection, const Status& reason) {
  const std::string why(reason.message());
  if (spares_ && spares_->OnLost(connection)) {
    return LogInfo("one of the connections to " + address_ + " was lost: " + why);
  }
  shard_.reactor().ClearTimer(connect_timer_);
  protocol_ = nullptr;
  connection_ = {};
  last_failure_ = Unavailable("the connection to " + address_ + " was lost: " + why);
  if (Succeed()) return LogInfo("one of the connections to " + address_ + " was lost: " + why);
  WaitToReconnect();
}

void ProviderLink::OnGoingAway(const ClientConnection& connection, const Status& why) {
  if (spares_ && spares_->OnLost(connection)) return;
  if (protocol_ == nullptr) return;
  // The connection finishes what it has; this link makes a new one.
  protocol_ = nullptr;
  connection_ = {};
  last_failure_ = Unavailable(address_ + " is going away: " + std::string(why.message()));
  if (Succeed()) return;
  const bool at_once = shard_.reactor().now() - ready_since_ < kLeastStay;
  sent_away_ = at_once ? sent_away_ + 1 : 0;
  if (sent_away_ >= kMostSentAway) return WaitToReconnect();
  // Who leaves in order is perhaps replaced at the same address: the next call will find out.
  SetState(State::kIdle, failures_);
  if (!queued_.empty()) Connect();
}

void ProviderLink::OnIdle(const ClientConnection& connection) {
  if (spares_ && spares_->OnIdle(connection)) return;
  protocol_ = nullptr;
  connection_ = {};
  if (!Succeed()) SetState(State::kIdle, failures_);
}

void ProviderLink::WaitToReconnect() {
  if (state_ == State::kReady && shard_.reactor().now() - ready_since_ < kStable) {
    failures_ = failures_before_;
  }
  if (failures_ == 0) LogInfo(std::string(last_failure_.message()));
  const std::chrono::nanoseconds pause = shard_.PauseAfter(failures_);
  SetState(State::kBackoff, failures_ + 1);
  if (!shard_.is_closed()) {
    shard_.reactor().SetTimer(backoff_timer_, shard_.reactor().now() + pause);
  }
  FailQueued(last_failure_);
}

void ProviderLink::FailQueued(const Status& why) {
  // A call that fails may come back to this list: only those that are in it now.
  for (std::size_t left = queued_.size(); left > 0 && !queued_.empty(); --left) {
    ClientCall& call = *queued_.PopFront();
    shard_.GiveWaitingPlace();
    call.shard->OnAttemptFailed(call, why, false, Outcome::kLost);
  }
}

void ProviderLink::Probe(bool connect) {
  if (state_ == State::kReady) {
    protocol_->PingNow();
  } else if (connect && state_ == State::kIdle) {
    Connect();
  }
}

bool ProviderLink::AskLoad(bool connect) {
  if (state_ == State::kReady) {
    protocol_->AskLoad();
    return true;
  }
  if (connect && state_ == State::kIdle) Connect();
  return false;
}

void ProviderLink::OnLoad(LoadReport report) {
  shard_.OnLoad(*this, report);
}

void ProviderLink::ReportHeard() const {
  if (state_ != State::kReady) return;
  const auto heard =
      protocol_->AnsweredJustNow() ? shard_.reactor().now() : protocol_->last_heard();
  shard_.live().Heard(address_, heard);
}

void ProviderLink::ResetBackoff() {
  if (state_ == State::kBackoff) Connect();
}

void ProviderLink::Close(const Status& reason) {
  const Ref<Connection> connection = connection_;
  ClientConnection* protocol = protocol_;
  Drop();
  Enter(State::kIdle);
  last_failure_ = reason;
  if (protocol != nullptr) connection->Close(reason);
  if (spares_) spares_->Close(reason);
  FailQueued(reason);
}

}  // namespace weir
