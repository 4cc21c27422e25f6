#include "client/client_connection.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "client/client_shard.h"
#include "client/provider_link.h"
#include "client/route.h"

namespace weir {
namespace {

using wire::FrameType;

// An id is sequence, slot, and a last bit that says "from the client": it never repeats, it grows,
// and it finds its call without a search.
constexpr int kSlotBits = 16;
constexpr std::uint32_t kMaxSlots = 1u << kSlotBits;

// A question for the load that was not answered by then is put again.
constexpr std::chrono::milliseconds kLoadPatience{5};

constexpr std::uint64_t MakeId(std::uint64_t sequence, std::uint32_t slot) noexcept {
  return ((sequence << kSlotBits | slot) << 1) | 1;
}
constexpr std::uint32_t SlotOf(std::uint64_t id) noexcept {
  return static_cast<std::uint32_t>(id >> 1) & (kMaxSlots - 1);
}

}  // namespace

NativeTerms ClientConnection::Terms(const ChannelOptions& options) {
  NativeTimes times;
  times.handshake = options.connect_timeout;
  times.header = std::chrono::seconds(10);
  times.min_body_bytes_per_s = 1024;
  times.idle = options.idle_timeout;
  times.keepalive = options.keepalive;
  times.keepalive_busy = options.keepalive_busy;
  times.keepalive_timeout = options.keepalive_timeout;
  wire::SettingsMeta settings;
  settings.max_message_bytes = options.max_message_bytes;
  settings.max_attachment_bytes = options.max_attachment_bytes;
  settings.load_reports = true;
  return {{.max_body_bytes = options.max_message_bytes,
           .max_attachment_bytes = options.max_attachment_bytes},
          times,
          settings};
}

ClientConnection::ClientConnection(ClientShard& shard, ProviderLink& link)
    : NativeProtocol(shard.terms()), shard_(shard), link_(&link), provider_(link.address()) {
  shard_.AddConnection(*this);
}

Ref<Connection> ClientConnection::Over(Socket socket, ClientShard& shard, ProviderLink& link) {
  // A request waits until less than the soft limit is unwritten, so no more than that and one
  // request ever are, however large the provider lets it be.
  constexpr ConnectionLimits kLimits{.hold_input = false};
  auto protocol = std::make_unique<ClientConnection>(shard, link);
  return Ref<Connection>::Adopt(
      new Connection(shard.reactor(), std::move(socket), std::move(protocol), kLimits));
}

bool ClientConnection::HasRoom() const noexcept {
  const std::uint32_t most = peer().max_calls > 0 ? peer().max_calls : 1;
  return in_flight_ < std::min(most, kMaxSlots) && !congested();
}

Status ClientConnection::CheckSize(const detail::PreparedRequest& request) const {
  const std::size_t message = request.small.size() + request.large.size();
  const auto* rare = request.options.rare();
  const std::size_t attachment = rare != nullptr ? rare->attachment.size() : 0;
  const auto refuse = [](std::string_view what, std::size_t bytes, std::uint32_t limit) {
    return ResourceExhausted("the " + std::string(what) + " of " + std::to_string(bytes) +
                             " bytes is above the provider's limit of " + std::to_string(limit));
  };
  if (message > peer().max_message_bytes) {
    return refuse("request", message, peer().max_message_bytes);
  }
  if (attachment > peer().max_attachment_bytes) {
    return refuse("attachment", attachment, peer().max_attachment_bytes);
  }
  return {};
}

void ClientConnection::Send(Call& call) {
  std::uint32_t slot;
  if (!free_slots_.empty()) {
    slot = free_slots_.back();
    free_slots_.pop_back();
  } else {
    slot = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
  }
  call.id = MakeId(sequence_++, slot);
  call.state = detail::CallState::kInFlight;
  call.connection = this;
  call.link = nullptr;  // may end before this connection does
  call.sent_offset = outbox().appended();
  slots_[slot] = {call.id, &call};
  ++in_flight_;

  const detail::PreparedRequest& request = call.request;
  wire::RequestFrame frame;
  frame.id = call.id;
  frame.small_body = request.small.view();
  if (!request.large.empty()) frame.large_body = &request.large;
  const std::uint32_t number = call.shard->MethodNumber(*request.method);
  frame.meta.method_id = number;
  if (number >= named_.size()) named_.resize(number + 1);
  if (!named_[number]) {
    named_[number] = true;
    frame.meta.method = request.method->full_name;
  }
  const auto left =
      std::chrono::duration_cast<std::chrono::microseconds>(request.deadline - reactor().now());
  frame.meta.timeout_us = static_cast<std::uint64_t>(std::max<std::int64_t>(1, left.count()));
  if (call.attempts > 1) frame.meta.attempt = call.attempts;
  if (const auto* rare = request.options.rare(); rare != nullptr) {
    if (!rare->metadata.empty()) frame.metadata = &rare->metadata;
    if (!rare->attachment.empty()) frame.attachment = &rare->attachment;
  }
  if (shard_.options().checksum) {
    frame.meta.checksum = wire::Checksum(frame.small_body, frame.large_body, frame.attachment);
  }
  wire::WriteRequest(outbox(), frame);
  connection().Flush();
}

ClientConnection::Call* ClientConnection::Find(std::uint64_t id) const noexcept {
  const std::uint32_t slot = SlotOf(id);
  return slot < slots_.size() && slots_[slot].id == id ? slots_[slot].call : nullptr;
}

void ClientConnection::FreeSlot(std::uint64_t id) noexcept {
  const std::uint32_t slot = SlotOf(id);
  slots_[slot] = {};
  free_slots_.push_back(slot);
  --in_flight_;
}

void ClientConnection::Abandon(Call& call) {
  FreeSlot(call.id);
  if (is_open()) Signal(FrameType::kCancel, call.id);
}

void ClientConnection::AskLoad() {
  if (!is_open()) return;
  const TimePoint now = reactor().now();
  if (load_asked_ && now < load_asked_at_ + kLoadPatience) return;
  load_asked_ = true;
  load_asked_at_ = now;
  Signal(FrameType::kLoadAsk, ++load_asks_);
}

void ClientConnection::OnLoad(std::uint64_t id, std::uint64_t load) {
  if (id == load_asks_) load_asked_ = false;
  if (link_ != nullptr) link_->OnLoad(LoadReport::Unpack(load));
}

void ClientConnection::OnReady() {
  if (link_ != nullptr) link_->OnReady(*this);
}

Status ClientConnection::OnRequest(wire::Frame& /*frame*/) {
  return FailedPrecondition("a server must not send REQUEST");
}

void ClientConnection::OnCancel(std::uint64_t /*id*/) {}

Status ClientConnection::OnResponse(wire::Frame& frame) {
  Call* call = Find(frame.header.id);
  if (call == nullptr) return {};  // its caller has stopped waiting
  wire::ResponseMeta meta;
  if (!frame.meta.empty() && !meta.Decode(frame.meta)) {
    return FailedPrecondition("malformed response meta");
  }
  if ((frame.header.flags & wire::kMustUnderstandFlags) != 0) {
    meta = {};
    meta.code = static_cast<std::uint32_t>(StatusCode::kUnimplemented);
    meta.message = "the reply has flags that must be understood and are not";
  }
  FreeSlot(call->id);
  Deliver(*call, frame, meta);
  if (link_ != nullptr) link_->OnRoom();
  return {};
}

void ClientConnection::Deliver(Call& call, wire::Frame& frame, const wire::ResponseMeta& meta) {
  detail::RouteShard& shard = *call.shard;
  if (meta.load && call.endpoint != nullptr) {
    call.endpoint->OnReport(LoadReport::Unpack(*meta.load),
                            reactor().now().time_since_epoch().count());
  }
  if (meta.checksum && *meta.checksum != wire::Checksum(frame.body, nullptr, &frame.attachment)) {
    return shard.OnAnswer(call, DataLoss("the reply's checksum is wrong"));
  }
  if (meta.code != 0) {
    const auto code = meta.code <= 16 ? static_cast<StatusCode>(meta.code) : StatusCode::kUnknown;
    Status status(code, std::string(meta.message), std::string(meta.details));
    if (code == StatusCode::kUnimplemented) {
      // The provider may not have kept the number: the next call says the name again, so that its
      // failure names the method.
      named_[shard.MethodNumber(*call.request.method)] = false;
    }
    if (meta.not_started) {
      return shard.OnAttemptFailed(call, std::move(status), false, Outcome::kFaulted);
    }
    return shard.OnAnswer(call, std::move(status));
  }
  if (!call.ParseReply(frame.body)) {
    return shard.OnAnswer(call,
                          Internal("the reply of " + std::string(call.request.method->full_name) +
                                   " cannot be parsed"));
  }
  if (auto* rare = call.request.options.rare();
      rare != nullptr && rare->reply_attachment != nullptr) {
    *rare->reply_attachment = std::move(frame.attachment);
  }
  shard.OnAnswer(call, Status());
}

void ClientConnection::OnGoAway(std::uint64_t last_id, const Status& why) {
  if (ProviderLink* link = std::exchange(link_, nullptr); link != nullptr)
    link->OnGoingAway(*this, why);
  // Calls above the last id were not started, and never will be.
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Call* call = slots_[i].call;
    if (call == nullptr || call->id <= last_id) continue;
    FreeSlot(call->id);
    call->shard->OnAttemptFailed(*call, why, false, Outcome::kAbandoned);
  }
}

void ClientConnection::OnIdle() {
  if (ProviderLink* link = std::exchange(link_, nullptr); link != nullptr) link->OnIdle(*this);
  connection().Close(Unavailable("the connection was idle"));
}

void ClientConnection::OnDrained() {
  if (link_ != nullptr) link_->OnRoom();
}

void ClientConnection::OnGone(const Status& reason) {
  shard_.RemoveConnection(*this);
  const std::uint64_t written = connection().written();
  // The link first, so that retries do not come back here.
  if (ProviderLink* link = std::exchange(link_, nullptr); link != nullptr) {
    link->OnConnectionGone(*this, reason);
  }
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Call* call = slots_[i].call;
    if (call == nullptr) continue;
    FreeSlot(call->id);
    const bool may_have_started = call->sent_offset < written;
    call->shard->OnAttemptFailed(*call, reason, may_have_started, Outcome::kLost);
  }
}

}  // namespace weir
