// One call on its way, as generated stubs make it. What the runtime does with it is in src/client/.
#pragma once

#include <google/protobuf/message_lite.h>

#include <asio/any_io_executor.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/dispatch.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/system_executor.hpp>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "weir/buffer.h"
#include "weir/call_options.h"
#include "weir/detail/futex_event.h"
#include "weir/detail/intrusive.h"
#include "weir/detail/recycle.h"
#include "weir/method.h"
#include "weir/status.h"

namespace weir {
class Endpoint;
class ClientConnection;
class ProviderLink;
}  // namespace weir

namespace weir::detail {

class Route;       // a service as reached through one channel
class RouteShard;  // the part of it that lives on one reactor
struct ProbingCall;

// A request ready to travel: serialised, its deadline fixed, its key hashed. Movable.
struct PreparedRequest {
  PreparedRequest(const Route& route, const MethodInfo& method,
                  const google::protobuf::MessageLite& request, CallOptions call_options,
                  std::optional<std::string_view> routing_key);
  const MethodInfo* method;
  CallOptions options;
  CallOptions::Clock::time_point deadline;
  Status status;        // not OK: the request cannot be sent
  RecycledBytes small;  // the serialised request, if it is small enough to be copied into frames,
  Buffer large;         // or else here
  std::string key;      // the routing key's text
  std::uint64_t key_hash = 0;
  bool has_key = false;
};

enum class CallState : std::uint8_t {
  kNew,       // not started
  kWaiting,   // for a provider
  kProbing,   // for what providers say of their load
  kQueued,    // on a connection that cannot take it yet
  kInFlight,  // written, or about to be with this turn
  kDone,
};

// A call. Reference counted: the runtime holds one reference from Start to Finished; cancellation
// handlers may hold others. Fields below `book` belong to the reactor the call lives on.
class ClientCall {
 public:
  explicit ClientCall(PreparedRequest&& prepared) noexcept : request(std::move(prepared)) {}
  ClientCall(const ClientCall&) = delete;
  ClientCall& operator=(const ClientCall&) = delete;

  void AddRef() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void Release() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) Destroy();
  }

  // Puts the call on its way; the runtime takes over one reference. Any thread: on one of the
  // channel's reactors the call stays there, from elsewhere one is chosen.
  void Start(Route& route) noexcept;
  // Ends the call with CANCELLED, if it has not ended, and tells the provider. Any thread.
  void Cancel() noexcept;

  // Parses the reply; false if it is malformed. On the reactor.
  virtual bool ParseReply(std::string_view body) = 0;
  // The call has ended. Called exactly once, on a reactor; takes back the runtime's reference.
  virtual void Finished(Status status) = 0;

  PreparedRequest request;

  // The runtime's book on the call.
  struct Node : Task {
    ClientCall* call = nullptr;
  };
  struct Timer : TimerNode {
    ClientCall* call = nullptr;
  };
  RouteShard* shard = nullptr;             // where the call lives
  ProviderLink* link = nullptr;            // where it is queued
  ClientConnection* connection = nullptr;  // where it is in flight
  Endpoint* endpoint = nullptr;            // whose counters count it; null for a pinned call
  CallState state = CallState::kNew;
  bool probed = false;    // providers were asked for their load
  bool starting = false;  // Start is on the stack: the end must wait for its return
  std::uint32_t attempts = 0;
  std::int64_t attempt_began_ns = 0;  // as the endpoint was told
  std::uint64_t id = 0;               // on that connection
  std::uint64_t sent_offset = 0;      // where its frame begins in its output
  ProbingCall* probing = nullptr;     // while it is kProbing
  ClientCall* next = nullptr;         // in the list of those that wait or are queued
  ClientCall* previous = nullptr;
  std::vector<std::string> tried;  // addresses of earlier attempts
  Status last_failure;
  Timer deadline_timer;
  Node start_node;
  Node cancel_node;
  std::atomic<bool> cancel_posted{false};

 protected:
  virtual ~ClientCall() = default;

 private:
  virtual void Destroy() noexcept = 0;
  std::atomic<std::uint32_t> references_{1};
};

// A call whose caller waits for it, blocked; lives on the caller's stack.
class BlockingCall final : ClientCall {
 public:
  BlockingCall(PreparedRequest&& prepared, google::protobuf::MessageLite& reply) noexcept
      : ClientCall(std::move(prepared)), reply_(reply) {}
  // Runs the call to its end.
  Status Run(Route& route);

 private:
  bool ParseReply(std::string_view body) override;
  void Finished(Status status) override;
  void Destroy() noexcept override {}

  google::protobuf::MessageLite& reply_;
  Status status_;
  FutexEvent ended_;
};

// True if `executor` is that of the reactor whose thread runs this.
bool RunsOnReactor(const asio::any_io_executor& executor) noexcept;

// A reply to parse into: the one that this thread keeps, whose memory is used again if the handler
// leaves it there, or one of its own.
template <class Reply>
class KeptReply {
 public:
  explicit KeptReply(std::size_t bytes) {
    Kept& kept = ThisThreads();
    if (!kept.taken && MayKeep(bytes, kept.bytes)) {
      kept.taken = true;
      kept_ = &kept;
      // The last handler may have taken the answer's place for something else.
      if (!kept.result.ok()) kept.result = Result<Reply>(std::in_place);
    } else {
      own_.emplace(std::in_place);
    }
  }
  KeptReply(KeptReply&& other) noexcept
      : kept_(std::exchange(other.kept_, nullptr)), own_(std::move(other.own_)) {}
  KeptReply& operator=(KeptReply&& other) noexcept {
    std::swap(kept_, other.kept_);
    std::swap(own_, other.own_);
    return *this;
  }
  ~KeptReply() {
    if (kept_ != nullptr) kept_->taken = false;
  }

  Result<Reply>& result() noexcept { return kept_ != nullptr ? kept_->result : *own_; }
  Reply* operator->() noexcept { return &*result(); }

 private:
  struct Kept {
    Result<Reply> result{std::in_place};
    std::size_t bytes = 0;
    bool taken = false;
  };
  static Kept& ThisThreads() {
    thread_local Kept kept;
    return kept;
  }

  Kept* kept_ = nullptr;
  std::optional<Result<Reply>> own_;
};

// A call that completes a handler of type void(Result<Reply>).
template <class Reply, class Handler>
class CompletingCall final : public ClientCall {
 public:
  CompletingCall(PreparedRequest&& prepared, std::shared_ptr<Route> route, Handler&& handler)
      : ClientCall(std::move(prepared)), route_(std::move(route)), target_(std::move(handler)) {}

  void Launch() {
    auto slot = asio::get_associated_cancellation_slot(target_.handler);
    if (slot.is_connected()) {
      slot.assign([call = Ref<ClientCall>::Share(this)](asio::cancellation_type type) {
        if (type != asio::cancellation_type::none) call->Cancel();
      });
    }
    Start(*route_);
  }

  static void* operator new(std::size_t bytes) { return AllocateRecycled(bytes); }
  static void operator delete(void* memory, std::size_t bytes) noexcept {
    FreeRecycled(memory, bytes);
  }

 private:
  using Executor = typename asio::associated_executor<Handler>::type;
  static constexpr bool kHasExecutor = !std::is_same_v<Executor, asio::system_executor>;
  struct NoGuard {
    explicit NoGuard(const Handler&) {}
  };
  struct Guard {
    explicit Guard(const Handler& handler) : work(asio::get_associated_executor(handler)) {}
    asio::executor_work_guard<Executor> work;
  };

  // The handler and what keeps its executor running.
  struct Target {
    explicit Target(Handler&& h) : handler(std::move(h)), guard(handler) {}
    void Complete(Result<Reply>&& result) {
      auto slot = asio::get_associated_cancellation_slot(handler);
      if (slot.is_connected()) slot.clear();
      Handler ready(std::move(handler));
      std::move(ready)(std::move(result));
    }
    Handler handler;
    [[no_unique_address]] std::conditional_t<kHasExecutor, Guard, NoGuard> guard;
  };
  // What is dispatched to another executor.
  struct Completion {
    void operator()() { target.Complete(std::move(result)); }
    Target target;
    Result<Reply> result;
  };

  bool ParseReply(std::string_view body) override {
    reply_.emplace(body.size());
    return (*reply_)->ParseFromArray(body.data(), static_cast<int>(body.size()));
  }

  void Finished(Status status) override {
    std::optional<KeptReply<Reply>> reply;
    if (status.ok()) reply = std::move(reply_);
    Target target(std::move(target_));
    Release();
    if constexpr (kHasExecutor) {
      const bool here = [&] {
        if constexpr (std::is_same_v<Executor, asio::any_io_executor>) {
          return RunsOnReactor(target.guard.work.get_executor());
        }
        return false;
      }();
      if (!here) {
        // Until dispatch has returned: the handler may be the last that its context runs, and the
        // context gone, before this thread has left it.
        const auto work = target.guard.work;
        Result<Reply> result =
            reply ? std::move(reply->result()) : Result<Reply>(std::move(status));
        return asio::dispatch(work.get_executor(),
                              Completion{std::move(target), std::move(result)});
      }
    }
    if (!reply) return target.Complete(Result<Reply>(std::move(status)));
    target.Complete(std::move(reply->result()));
  }

  void Destroy() noexcept override { delete this; }

  // Until the call is destroyed: a cancellation that comes late still finds its reactor.
  std::shared_ptr<Route> route_;
  Target target_;
  std::optional<KeptReply<Reply>> reply_;
};

// The initiation of an asynchronous call.
template <class Reply>
struct StartCall {
  template <class Handler>
  void operator()(Handler&& handler, PreparedRequest&& prepared,
                  std::shared_ptr<Route> route) const {
    using Kept = std::decay_t<Handler>;
    auto* call = new CompletingCall<Reply, Kept>(std::move(prepared), std::move(route),
                                                 Kept(std::forward<Handler>(handler)));
    call->Launch();
  }
};

}  // namespace weir::detail
