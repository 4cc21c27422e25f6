// How a handler's form is read from its signature, and how each form is run. Used by generated
// code.
#pragma once

#include <google/protobuf/message_lite.h>

#include <asio/awaitable.hpp>
#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "weir/buffer.h"
#include "weir/detail/recycle.h"
#include "weir/server_context.h"
#include "weir/status.h"

namespace weir {

class Service;

namespace detail {

// A call being handled, as generated code sees it. The server completes each exactly once.
class ServerCall {
 public:
  ServerCall(const ConnectionFacts& connection, const MethodInfo& method) noexcept
      : context_(connection, method) {}
  ServerCall(const ServerCall&) = delete;
  ServerCall& operator=(const ServerCall&) = delete;

  ServerContext& context() noexcept { return context_; }
  // The serialised request. Valid until RunHandler returns.
  virtual std::string_view body() const noexcept = 0;
  // Ends the call; only the first of these counts. Any thread if the call is shared.
  virtual void Complete(const google::protobuf::MessageLite& reply) noexcept = 0;
  virtual void Fail(const Status& status) noexcept = 0;

  // Shared ownership, for the forms that outlive RunHandler.
  virtual void AddRef() noexcept = 0;
  virtual void Release() noexcept = 0;
  // Keeps a deferred handler's request alive as long as the call.
  void KeepRequest(std::unique_ptr<google::protobuf::MessageLite> request) noexcept {
    request_ = std::move(request);
  }
  // Emitted on context().executor() when the call is cancelled. Only there, before the call ends.
  asio::cancellation_slot cancellation_slot() { return cancellation_.slot(); }

 protected:
  ~ServerCall() = default;

  // For the server: fills in and reads out the context.
  void SetDeadline(ServerContext::Clock::time_point deadline) noexcept {
    context_.deadline_ = deadline;
  }
  void SetAttempt(std::uint32_t attempt) noexcept { context_.attempt_ = attempt; }
  Metadata& MutableMetadata() noexcept { return context_.metadata_; }
  Buffer& MutableAttachment() noexcept { return context_.attachment_; }
  Buffer& ReplyAttachment() noexcept { return context_.reply_attachment_; }
  // Lets context().cancelled() be true. Any thread.
  void MarkCancelled() noexcept;
  // Tells the handler, through every way it may listen. On context().executor(), once.
  void EmitCancel();
  // After this no cancellation callback runs any more. Any thread; what it holds is the caller's to
  // destroy.
  std::function<void()> TakeCancelCallback() noexcept;

 private:
  ServerContext context_;
  std::unique_ptr<google::protobuf::MessageLite> request_;
  asio::cancellation_signal cancellation_;
};

using ServerCallRef = Ref<ServerCall>;
using RunHandler = void (*)(Service& service, ServerCall& call) noexcept;

enum class HandlerForm : std::uint8_t { kPlain, kCoroutine, kDeferred };

// Parses, or fails the call with INVALID_ARGUMENT.
bool ParseRequest(ServerCall& call, google::protobuf::MessageLite& request) noexcept;
// Runs `work`, which answers `call`, on the thread of the call's executor: at once until it first
// waits, if this is that thread. Cancelling the call cancels it.
void RunCoroutine(ServerCall& call, asio::awaitable<void> work);
// Fails the call with INTERNAL, naming the method and the exception in flight (or "unknown").
void FailFromException(ServerCall& call) noexcept;

}  // namespace detail

// The answer of a deferred handler: complete it once, from any thread. A resource, movable. Dropped
// without an answer, the call fails with INTERNAL.
template <class Message>
class Reply {
 public:
  explicit Reply(detail::ServerCallRef call) noexcept : call_(std::move(call)) {}
  Reply(Reply&&) noexcept = default;
  Reply& operator=(Reply&& other) noexcept {
    Drop();
    call_ = std::move(other.call_);
    return *this;
  }
  ~Reply() { Drop(); }

  // Answers. Answers after the first are ignored.
  void operator()(const Result<Message>& result) noexcept {
    const detail::ServerCallRef call = std::move(call_);
    if (!call) return;
    if (result.ok()) {
      call->Complete(*result);
    } else {
      call->Fail(result.status());
    }
  }

 private:
  void Drop() noexcept {
    if (call_) call_->Fail(Internal("the handler dropped its reply"));
    call_ = {};
  }
  detail::ServerCallRef call_;
};

namespace detail {

template <class Self, class Request, class Message, auto Method>
concept PlainHandler = requires(Self& self, ServerContext& context, const Request& request) {
  { (self.*Method)(context, request) } -> std::same_as<Result<Message>>;
};
template <class Self, class Request, class Message, auto Method>
concept CoroutineHandler = requires(Self& self, ServerContext& context, const Request& request) {
  { (self.*Method)(context, request) } -> std::same_as<asio::awaitable<Result<Message>>>;
};
template <class Self, class Request, class Message, auto Method>
concept DeferredHandler = requires(Self& self, ServerContext& context, const Request& request,
                                   Reply<Message> reply) {
  { (self.*Method)(context, request, std::move(reply)) } -> std::same_as<void>;
};
template <class Self, class Request, class Message, auto Method>
concept AnyHandler = PlainHandler<Self, Request, Message, Method> ||
    CoroutineHandler<Self, Request, Message, Method> ||
    DeferredHandler<Self, Request, Message, Method>;

template <class Self, class Request, class Message, auto Method>
struct Handler {
  static constexpr HandlerForm kForm =
      PlainHandler<Self, Request, Message, Method>       ? HandlerForm::kPlain
      : CoroutineHandler<Self, Request, Message, Method> ? HandlerForm::kCoroutine
                                                         : HandlerForm::kDeferred;

  static void Run(Service& service, ServerCall& call) noexcept {
    try {
      auto& self = static_cast<Self&>(service);
      if constexpr (kForm == HandlerForm::kPlain) {
        RunPlain(self, call);
      } else if constexpr (kForm == HandlerForm::kCoroutine) {
        Request request;
        if (!ParseRequest(call, request)) return;
        RunCoroutine(call, Drive(self, ServerCallRef::Share(&call), std::move(request)));
      } else {
        auto request = std::make_unique<Request>();
        if (!ParseRequest(call, *request)) return;
        const Request& kept = *request;
        call.KeepRequest(std::move(request));
        (self.*Method)(call.context(), kept, Reply<Message>(ServerCallRef::Share(&call)));
      }
    } catch (...) {
      FailFromException(call);
    }
  }

 private:
  static void RunPlain(Self& self, ServerCall& call) {
    // The thread's own message, whose memory is used again. No handler runs within another.
    thread_local Request kept;
    thread_local std::size_t kept_bytes = 0;
    if (MayKeep(call.body().size(), kept_bytes)) return Answer(self, call, kept);
    Request request;
    Answer(self, call, request);
  }

  static void Answer(Self& self, ServerCall& call, Request& request) {
    if (!ParseRequest(call, request)) return;
    const Result<Message> reply = (self.*Method)(call.context(), request);
    if (reply.ok()) {
      call.Complete(*reply);
    } else {
      call.Fail(reply.status());
    }
  }

  static asio::awaitable<void> Drive(Self& self, ServerCallRef call, Request request) {
    try {
      const Result<Message> reply = co_await (self.*Method)(call->context(), request);
      if (reply.ok()) {
        call->Complete(*reply);
      } else {
        call->Fail(reply.status());
      }
    } catch (...) {
      FailFromException(*call);
    }
  }
};

}  // namespace detail
}  // namespace weir
