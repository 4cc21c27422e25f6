#include "server/async_call.h"

#include <utility>

#include "wire/frame_writer.h"

namespace weir {

AsyncCall::AsyncCall(ServerConnection& server, Connection& connection, const ServedMethod& method,
                     std::uint64_t id, bool checksum)
    : ServerCall(server.facts(), *method.bound->info),
      server_(server),
      connection_(Ref<Connection>::Share(&connection)),
      handlers_(server.state().runtime().handlers()),
      method_(method),
      id_(id),
      checksum_(checksum),
      limits_(server.reply_limits()) {
  server_.state().running_calls.fetch_add(1, std::memory_order_relaxed);
  run_node_.call = this;
  run_node_.run = [](detail::Task* task) noexcept {
    AsyncCall* call = static_cast<Node*>(task)->call;
    call->RunKept();
    call->Release();
  };
  cancel_node_.call = this;
  cancel_node_.run = [](detail::Task* task) noexcept {
    AsyncCall* call = static_cast<Node*>(task)->call;
    call->EmitCancel();
    call->Release();
  };
  send_node_.call = this;
  send_node_.run = [](detail::Task* task) noexcept {
    AsyncCall* call = static_cast<Node*>(task)->call;
    call->SendOnReactor();
    call->Release();
  };
  deadline_timer_.call = this;
  deadline_timer_.fire = [](detail::TimerNode* node) noexcept {
    static_cast<Timer*>(node)->call->OnDeadline();
  };
}

AsyncCall::~AsyncCall() {
  server_.state().running_calls.fetch_sub(1, std::memory_order_relaxed);
}

void AsyncCall::Prepare(wire::Frame& frame, const wire::RequestMeta& meta, Metadata metadata) {
  MutableMetadata() = std::move(metadata);
  MutableAttachment() = std::move(frame.attachment);
  if (meta.attempt > 0) SetAttempt(meta.attempt);
  if (meta.timeout_us > 0) {
    const auto deadline = connection_->reactor().now() + meta.Timeout();
    SetDeadline(deadline);
    connection_->reactor().SetTimer(deadline_timer_, deadline);
  }
}

void AsyncCall::Run(std::string_view body) noexcept {
  body_ = body;
  Reactor& reactor = connection_->reactor();
  const auto now = reactor.IsCurrent() ? reactor.now() : Reactor::Clock::now();
  began_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  method_.bound->run(*method_.service, *this);
  body_ = {};
}

bool AsyncCall::RunOnWorker(WorkerPool& workers, std::string_view body) {
  kept_body_ = body;
  AddRef();
  const bool taken = workers.Submit(&run_node_);
  if (!taken) Release();
  return taken;
}

void AsyncCall::RunOnHandlers(std::string_view body) {
  kept_body_ = body;
  AddRef();
  server_.state().runtime().ToHandlers(connection_->reactor(), &run_node_);
}

void AsyncCall::RunKept() noexcept {
  if (context().cancelled()) return;
  Run(kept_body_);
  if (handlers_ != nullptr && handlers_->IsCurrent()) {
    server_.WatchHandler(*handlers_, context().method().full_name);
  }
}

void AsyncCall::TellHandler() {
  if (std::exchange(told_, true)) return;
  if (handlers_ == nullptr) return EmitCancel();
  MarkCancelled();
  AddRef();
  server_.state().runtime().ToHandlers(connection_->reactor(), &cancel_node_);
}

void AsyncCall::Cancelled() {
  const bool unanswered = ClaimAnswer();
  TellHandler();
  if (unanswered) server_.Ended(*this, nullptr, true);
}

void AsyncCall::Forget() {
  connection_->reactor().ClearTimer(deadline_timer_);
  if (handlers_ == nullptr) {
    TakeCancelCallback();
  } else if (!told_) {
    // What it holds belongs to the handlers' thread.
    if (auto callback = TakeCancelCallback()) {
      handlers_->PostFunction([callback = std::move(callback)] {});
    }
  }
}

void AsyncCall::OnDeadline() {
  const auto keep = detail::ServerCallRef::Share(this);
  // Claimed first: a handler that gives up on being cancelled must not answer something else.
  const bool unanswered = ClaimAnswer();
  TellHandler();
  if (!unanswered) return;
  failed_ = true;
  const auto now = StopClock();
  wire::WriteFailure(
      frame_, id_,
      DeadlineExceeded("the handler of " + std::string(context().method().full_name) +
                       " did not answer in time"),
      false, server_.LoadAt(now, 0));
  Send();
}

void AsyncCall::Complete(const google::protobuf::MessageLite& reply) noexcept {
  if (!ClaimAnswer()) return;
  const auto now = StopClock();
  if (connection_->reactor().IsCurrent()) {  // straight into the output
    server_.Reply(id_, reply, std::move(ReplyAttachment()), checksum_, 1);
    return server_.Ended(*this, nullptr, false);
  }
  const wire::Load load = server_.LoadAt(now, 1);
  const Status status =
      wire::WriteReply(frame_, id_, reply, std::move(ReplyAttachment()), checksum_, limits_, load);
  if (!status.ok()) {
    failed_ = true;
    wire::WriteFailure(frame_, id_, status, false, load);
  }
  Send();
}

void AsyncCall::Fail(const Status& status) noexcept {
  AnswerWithFailure(status, false);
}

void AsyncCall::FailNotStarted(const Status& status) noexcept {
  AnswerWithFailure(status, true);
}

void AsyncCall::AnswerWithFailure(const Status& status, bool not_started) noexcept {
  if (!ClaimAnswer()) return;
  failed_ = true;
  const auto now = StopClock();
  if (ServerConnection::IsFault(status.code())) taken_ = {};
  wire::WriteFailure(frame_, id_, status, not_started, server_.LoadAt(now, 1));
  Send();
}

Reactor::Clock::time_point AsyncCall::StopClock() noexcept {
  const auto now = Reactor::Clock::now();
  if (const auto began = began_.load(std::memory_order_relaxed); began != 0) {
    taken_ = now - Reactor::Clock::time_point(Reactor::Clock::duration(began));
  }
  return now;
}

void AsyncCall::Send() noexcept {
  Reactor& reactor = connection_->reactor();
  if (reactor.IsCurrent()) return SendOnReactor();
  AddRef();
  if (handlers_ != nullptr && handlers_->IsCurrent()) {
    server_.state().runtime().FromHandlers(reactor, &send_node_);
  } else {
    reactor.Post(&send_node_);
  }
}

void AsyncCall::SendOnReactor() {
  server_.Ended(*this, &frame_, failed_);
}

void AsyncCall::Release() noexcept {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

}  // namespace weir
