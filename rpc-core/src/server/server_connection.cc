#include "server/server_connection.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "buffer/io_budget.h"
#include "server/async_call.h"
#include "weir/log.h"

namespace weir {
namespace {

using wire::FrameType;

constexpr std::uint64_t kDrainToken = 1;
constexpr std::uint64_t kAllIds = ~std::uint64_t{0};
// Numbers a client may give to methods on one connection.
constexpr std::uint32_t kMaxMethodNumber = 4096;
constexpr int kPingStrikes = 3;
// Of plain handlers that are done within kShortHandler, one in so many is timed exactly: reading
// the clock takes as long as a part of the call.
constexpr std::uint32_t kTimedEvery = 16;
constexpr std::chrono::microseconds kShortHandler{20};
// Questions about the load that a connection may put in a tenth of a second; more are not answered.
constexpr std::chrono::milliseconds kLoadAskPeriod{100};
constexpr std::uint32_t kMostLoadAsks = 1000;

NativeTerms TermsOf(const ServerLimits& limits) {
  NativeTimes times;
  times.handshake = limits.handshake_timeout;
  times.header = limits.header_timeout;
  times.min_body_bytes_per_s = limits.min_body_bytes_per_s;
  times.idle = limits.idle_timeout;
  wire::SettingsMeta settings;
  settings.max_message_bytes = limits.max_message_bytes;
  settings.max_attachment_bytes = limits.max_attachment_bytes;
  settings.max_calls = limits.max_calls_per_connection;
  settings.min_ping_interval_us = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(limits.min_ping_interval).count());
  return {{.max_body_bytes = limits.max_message_bytes,
           .max_attachment_bytes = limits.max_attachment_bytes},
          times,
          settings};
}

// A plain handler's call: lives on the stack, answers within the turn.
class PlainCall final : public detail::ServerCall {
 public:
  PlainCall(ServerConnection& server, const ServedMethod& method, std::uint64_t id,
            std::string_view body, bool checksum)
      : ServerCall(server.facts(), *method.bound->info),
        server_(server),
        id_(id),
        body_(body),
        checksum_(checksum) {}

  void Prepare(Metadata metadata, Buffer attachment, std::uint32_t attempt,
               std::optional<Reactor::Clock::time_point> deadline) {
    MutableMetadata() = std::move(metadata);
    MutableAttachment() = std::move(attachment);
    if (attempt > 0) SetAttempt(attempt);
    if (deadline) SetDeadline(*deadline);
  }

  std::string_view body() const noexcept override { return body_; }
  void Complete(const google::protobuf::MessageLite& reply) noexcept override {
    if (std::exchange(answered_, true)) return;
    server_.shard().load->EndTurnCall();
    server_.Reply(id_, reply, std::move(ReplyAttachment()), checksum_);
  }
  void Fail(const Status& status) noexcept override {
    if (std::exchange(answered_, true)) return;
    faulted_ = ServerConnection::IsFault(status.code());
    server_.shard().load->EndTurnCall();
    server_.Refuse(id_, status, false);
  }
  // What it took says nothing of how long a call takes that goes well.
  bool faulted() const noexcept { return faulted_; }
  void AddRef() noexcept override {}
  void Release() noexcept override {}

 private:
  ServerConnection& server_;
  const std::uint64_t id_;
  const std::string_view body_;
  const bool checksum_;
  bool answered_ = false;
  bool faulted_ = false;
};

// Where handlers are called back.
Reactor& HandlersOf(ServerState& state, ServerShard& shard) {
  Reactor* const handlers = state.runtime().handlers();
  return handlers == nullptr ? *shard.reactor : *handlers;
}

}  // namespace

ServerState::ServerState(ServerOptions server_options)
    : options(std::move(server_options)), terms(TermsOf(options.limits)) {}

void ServerState::RunOn(detail::RuntimeCore& core) {
  runtime_ = &core;
  load_ = std::make_unique<ServerLoad>(core.size(), Slots());
  for (std::uint32_t i = 0; i < core.size(); ++i) {
    shards.push_back(std::make_unique<ServerShard>());
    shards.back()->reactor = &core.reactor(i);
    shards.back()->load = &load_->cell(i);
  }
}

std::uint32_t ServerState::Slots() const noexcept {
  if (options.load_slots > 0) return options.load_slots;
  if (runtime_->plain_on_workers() || services.all_block()) return runtime_->workers().threads();
  return runtime_->handlers() != nullptr ? 1 : runtime_->size();
}

ServerConnection::ServerConnection(std::shared_ptr<ServerState> state, ServerShard& shard,
                                   std::string peer)
    : NativeProtocol(state->terms),
      state_(std::move(state)),
      shard_(shard),
      facts_{std::move(peer), HandlersOf(*state_, shard).io().get_executor()} {
  shard_.connections.insert(this);
}

ServerConnection::~ServerConnection() = default;

Status ServerConnection::OnRequest(wire::Frame& frame) {
  const std::uint64_t id = frame.header.id;
  if (id % 2 == 0 || id <= last_id_) {
    return FailedPrecondition("request id " + std::to_string(id) +
                              " is not odd and above the last one");
  }
  if (draining_ == Draining::kFinal) return {};  // told not to come; the client goes elsewhere
  last_id_ = id;

  wire::RequestMeta meta;
  Metadata metadata;
  const auto error = meta.Decode(frame.meta, &metadata);
  if (error == wire::RequestMeta::Error::kMalformed) {
    return FailedPrecondition("malformed request meta");
  }
  // Also of a call that is refused: the client takes its number for agreed.
  Status status;
  const ServedMethod* method = FindMethod(meta, &status);
  if (error == wire::RequestMeta::Error::kTooMuchMetadata) {
    Refuse(id, ResourceExhausted("the call's metadata is above 16 KiB"), true);
    return {};
  }
  if (method == nullptr) {
    if (status.code() == StatusCode::kFailedPrecondition) return status;
    Refuse(id, status, true);
    return {};
  }
  if (status = Admit(frame, meta); !status.ok()) {
    Refuse(id, status, status.code() == StatusCode::kResourceExhausted);
    return {};
  }
  ServerShard::Count(shard_.calls_started);
  if (method->bound->form == detail::HandlerForm::kPlain && !RunsOnWorker(*method) &&
      state_->runtime().handlers() == nullptr) {
    RunPlain(*method, frame, meta, std::move(metadata));
  } else {
    RunAsync(*method, frame, meta, std::move(metadata));
  }
  return {};
}

bool ServerConnection::RunsOnWorker(const ServedMethod& method) const noexcept {
  if (method.bound->info->blocking) return true;
  return method.bound->form == detail::HandlerForm::kPlain && state_->runtime().plain_on_workers();
}

const ServedMethod* ServerConnection::FindMethod(const wire::RequestMeta& meta, Status* status) {
  if (meta.method_id > kMaxMethodNumber) {
    *status = FailedPrecondition("method number " + std::to_string(meta.method_id) + " is above " +
                                 std::to_string(kMaxMethodNumber));
    return nullptr;
  }
  if (meta.method.empty()) {
    if (meta.method_id > 0 && meta.method_id < numbered_.size() &&
        numbered_[meta.method_id] != nullptr) {
      return numbered_[meta.method_id];
    }
    *status = Unimplemented("method number " + std::to_string(meta.method_id) +
                            " was not agreed on this connection");
    return nullptr;
  }
  const ServedMethod* method = state_->services.Find(meta.method);
  if (method == nullptr) {
    *status = state_->services.Explain(meta.method);
  } else if (meta.method_id > 0) {
    if (numbered_.size() <= meta.method_id) numbered_.resize(meta.method_id + 1);
    numbered_[meta.method_id] = method;
  }
  return method;
}

Status ServerConnection::Admit(const wire::Frame& frame, const wire::RequestMeta& meta) const {
  if ((frame.header.flags & wire::kMustUnderstandFlags) != 0) {
    return Unimplemented("the call has flags that must be understood and are not");
  }
  const ServerLimits& limits = state_->options.limits;
  if (running_.size() >= limits.max_calls_per_connection) {
    return ResourceExhausted("more than " + std::to_string(limits.max_calls_per_connection) +
                             " calls run on this connection");
  }
  if (state_->running_calls.load(std::memory_order_relaxed) >= limits.max_calls) {
    return ResourceExhausted("more than " + std::to_string(limits.max_calls) +
                             " calls run in this server");
  }
  if (IoBudget::calls_must_fail()) {
    return ResourceExhausted("the server's I/O buffers are full");
  }
  if (meta.checksum && *meta.checksum != wire::Checksum(frame.body, nullptr, &frame.attachment)) {
    return DataLoss("the request's checksum is wrong");
  }
  return {};
}

void ServerConnection::RunPlain(const ServedMethod& method, wire::Frame& frame,
                                const wire::RequestMeta& meta, Metadata metadata) {
  PlainCall call(*this, method, frame.header.id, frame.body, meta.checksum.has_value());
  std::optional<Reactor::Clock::time_point> deadline;
  if (meta.timeout_us > 0) {
    deadline = reactor().now() + meta.Timeout();
  }
  call.Prepare(std::move(metadata), std::move(frame.attachment), meta.attempt, deadline);
  const bool timed = shard_.plain_calls++ % kTimedEvery == 0;
  if (timed) reactor().RefreshNow();
  const TimePoint before = reactor().now();
  shard_.load->BeginTurnCall();
  method.bound->run(*method.service, call);
  shard_.load->EndTurnCall();
  if (!WatchHandler(reactor(), method.bound->info->full_name)) {
    if (!timed) return;
    reactor().RefreshNow();
  }
  if (call.faulted()) return;
  // Each short one that is timed stands for those that are not.
  const auto taken = reactor().now() - before;
  if (taken >= kShortHandler) {
    shard_.load->Served(taken);
  } else if (timed) {
    shard_.load->Served(taken * kTimedEvery, kTimedEvery);
  }
}

void ServerConnection::RunAsync(const ServedMethod& method, wire::Frame& frame,
                                const wire::RequestMeta& meta, Metadata metadata) {
  auto* call =
      new AsyncCall(*this, connection(), method, frame.header.id, meta.checksum.has_value());
  running_.emplace(call->id(), call);
  const auto keep = detail::ServerCallRef::Share(call);
  call->Prepare(frame, meta, std::move(metadata));
  if (RunsOnWorker(method)) {
    if (!call->RunOnWorker(state_->runtime().workers(), frame.body)) {
      call->FailNotStarted(ResourceExhausted("all workers are busy and their queue is full"));
    }
  } else if (state_->runtime().handlers() != nullptr) {
    call->RunOnHandlers(frame.body);
  } else {
    call->Run(frame.body);
    WatchHandler(reactor(), method.bound->info->full_name);
  }
}

bool ServerConnection::WatchHandler(Reactor& reactor, std::string_view method) const {
  const auto limit = state_->options.slow_handler;
  if (limit.count() == 0) return false;
  const TimePoint before = reactor.now();
  reactor.RefreshNow();
  const auto taken = reactor.now() - before;
  if (taken < limit) return true;
  using std::chrono::milliseconds;
  LogWarning("handler " + std::string(method) + " kept its reactor for " +
             std::to_string(std::chrono::duration_cast<milliseconds>(taken).count()) +
             " ms; mark it (weir.blocking) or make it a coroutine");
  return true;
}

bool ServerConnection::IsFault(StatusCode code) noexcept {
  switch (code) {
    case StatusCode::kUnknown:
    case StatusCode::kResourceExhausted:
    case StatusCode::kInternal:
    case StatusCode::kUnavailable:
    case StatusCode::kDataLoss:
      return true;
    default:
      return false;
  }
}

wire::Load ServerConnection::LoadAt(TimePoint now, std::uint32_t own) const {
  if (!reports_load()) return {};
  // Of those that outlive their turns a few may have been answered and not yet destroyed.
  const std::uint32_t running = state_->running_calls.load(std::memory_order_relaxed);
  return state_->load().Report(running > own ? running - own : 0, now).Pack();
}

Status ServerConnection::OnLoadAsk(std::uint64_t id) {
  const TimePoint now = reactor().now();
  if (now >= load_asks_until_) {
    load_asks_until_ = now + kLoadAskPeriod;
    load_asks_ = 0;
  }
  if (++load_asks_ > kMostLoadAsks) return {};
  const std::uint32_t running = state_->running_calls.load(std::memory_order_relaxed);
  wire::WriteLoad(outbox(), id, state_->load().Report(running, now).Pack());
  connection().Flush();
  return {};
}

wire::ReplyLimits ServerConnection::reply_limits() const noexcept {
  const auto lower = [](std::uint32_t own, std::uint32_t theirs) {
    return theirs == 0 ? own : std::min(own, theirs);
  };
  const ServerLimits& limits = state_->options.limits;
  return {lower(limits.max_message_bytes, peer().max_message_bytes),
          lower(limits.max_attachment_bytes, peer().max_attachment_bytes)};
}

void ServerConnection::Reply(std::uint64_t id, const google::protobuf::MessageLite& message,
                             Buffer attachment, bool checksum, std::uint32_t own) {
  if (!is_open()) return;
  if (IsOverfull()) return CloseOverfull();
  const Status status = wire::WriteReply(outbox(), id, message, std::move(attachment), checksum,
                                         reply_limits(), LoadAt(reactor().now(), own));
  if (!status.ok()) return Refuse(id, status, false);
  connection().Flush();
}

void ServerConnection::Refuse(std::uint64_t id, const Status& status, bool not_started) {
  ServerShard::Count(shard_.calls_failed);
  if (!is_open()) return;
  wire::WriteFailure(outbox(), id, status, not_started, LoadAt(reactor().now(), 0));
  connection().Flush();
}

void ServerConnection::Ended(AsyncCall& call, Outbox* frame, bool failed) {
  if (failed) ServerShard::Count(shard_.calls_failed);
  if (const auto taken = call.taken(); taken.count() > 0) shard_.load->Served(taken);
  const bool answers = is_open() && frame != nullptr;
  const bool overfull = answers && IsOverfull();
  if (answers && !overfull) {
    outbox().TakeFrom(*frame);
    connection().Flush();
  }
  call.Forget();
  if (running_.erase(call.id()) > 0) call.Release();
  if (overfull) return CloseOverfull();
  CloseIfDrained();
}

bool ServerConnection::IsOverfull() noexcept {
  return outbox().size() > state_->options.limits.unwritten_hard;
}

void ServerConnection::CloseOverfull() {
  connection().Close(ResourceExhausted("the peer does not take what it is sent: " +
                                       std::to_string(outbox().size()) + " bytes are waiting"));
}

Status ServerConnection::OnResponse(wire::Frame& /*frame*/) {
  return FailedPrecondition("a client must not send RESPONSE");
}

void ServerConnection::OnCancel(std::uint64_t id) {
  const auto found = running_.find(id);
  if (found == running_.end()) return;  // answered already
  const auto keep = detail::ServerCallRef::Share(found->second);
  found->second->Cancelled();
}

void ServerConnection::OnGoAway(std::uint64_t /*last_id*/, const Status& /*why*/) {}

Status ServerConnection::OnPing() {
  const TimePoint now = reactor().now();
  if (last_ping_ != TimePoint{} && now - last_ping_ < state_->options.limits.min_ping_interval) {
    if (++ping_strikes_ > kPingStrikes) {
      Status status = ResourceExhausted("too many PINGs");
      Notice(FrameType::kGoAway, last_id_, status);
      return status;
    }
  } else {
    ping_strikes_ = 0;
  }
  last_ping_ = now;
  return {};
}

void ServerConnection::OnPong(std::uint64_t token) {
  if (token != kDrainToken || draining_ != Draining::kAnnounced) return;
  draining_ = Draining::kFinal;
  Notice(FrameType::kGoAway, last_id_, Unavailable("the server is draining"));
  CloseIfDrained();
}

void ServerConnection::Drain() {
  if (draining_ != Draining::kNo || !is_open()) return;
  draining_ = Draining::kAnnounced;
  Notice(FrameType::kGoAway, kAllIds, Unavailable("the server is draining"));
  // What the client sent before it read this comes before its answer to the PING.
  Signal(FrameType::kPing, kDrainToken);
}

void ServerConnection::CloseIfDrained() {
  if (draining_ == Draining::kFinal && running_.empty() && is_open()) {
    connection().CloseWhenWritten(Unavailable("drained"));
  }
}

void ServerConnection::CloseNow(const Status& reason) {
  connection().Close(reason);
}

void ServerConnection::OnIdle() {
  Notice(FrameType::kGoAway, last_id_, Unavailable("the connection was idle"));
  connection().CloseWhenWritten(Unavailable("the connection was idle"));
}

void ServerConnection::OnGone(const Status& reason) {
  if (violated()) {
    ServerShard::Count(shard_.protocol_errors);
    LogWarning("connection from " + facts_.peer + " closed: " + std::string(reason.message()));
  }
  while (!running_.empty()) {
    const auto call = detail::ServerCallRef::Share(running_.begin()->second);
    static_cast<AsyncCall&>(*call).Cancelled();
    // Answered on another thread, and on its way here.
    static_cast<AsyncCall&>(*call).Forget();
    if (running_.erase(static_cast<AsyncCall&>(*call).id()) > 0) call->Release();
  }
  shard_.connections.erase(this);
  state_->open_connections.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace weir
