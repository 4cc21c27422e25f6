// AsyncCall: a call being handled that outlives the turn in which it came: a coroutine, a deferred
// handler, or one on another thread than its connection's.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "server/server_connection.h"
#include "transport/connection.h"
#include "weir/detail/handler.h"
#include "weir/detail/recycle.h"

namespace weir {

// Reference counted: the connection holds a reference while the call runs, the handler another.
// Complete and Fail may be called on any thread; the first counts.
class AsyncCall final : public detail::ServerCall {
 public:
  AsyncCall(ServerConnection& server, Connection& connection, const ServedMethod& method,
            std::uint64_t id, bool checksum);

  // Fills in the context. Before the handler runs.
  void Prepare(wire::Frame& frame, const wire::RequestMeta& meta, Metadata metadata);
  // Runs the handler on this thread; `body` lives until it returns.
  void Run(std::string_view body) noexcept;
  // Runs it on a worker, unless it is cancelled before; copies the body. False if there is no room
  // in the queue.
  bool RunOnWorker(WorkerPool& workers, std::string_view body);
  // Runs it on the thread of all handlers, unless it is cancelled before; copies the body.
  void RunOnHandlers(std::string_view body);

  std::uint64_t id() const noexcept { return id_; }
  // How long its handler worked, once it has answered; 0: not known, or it says nothing.
  std::chrono::nanoseconds taken() const noexcept { return taken_; }
  // The caller wants no answer any more. On the reactor.
  void Cancelled();
  // No longer among the running: no timer, no cancellation from here on. On the reactor.
  void Forget();

  std::string_view body() const noexcept override { return body_; }
  void Complete(const google::protobuf::MessageLite& reply) noexcept override;
  void Fail(const Status& status) noexcept override;
  void FailNotStarted(const Status& status) noexcept;
  void AddRef() noexcept override { references_.fetch_add(1, std::memory_order_relaxed); }
  void Release() noexcept override;

  static void* operator new(std::size_t bytes) { return detail::AllocateRecycled(bytes); }
  static void operator delete(void* memory, std::size_t bytes) noexcept {
    detail::FreeRecycled(memory, bytes);
  }

 private:
  ~AsyncCall();
  // True for the one who may answer.
  bool ClaimAnswer() noexcept { return !answered_.exchange(true, std::memory_order_acq_rel); }
  void AnswerWithFailure(const Status& status, bool not_started) noexcept;
  // Fills in taken_; by the one who answers. Returns the time.
  Reactor::Clock::time_point StopClock() noexcept;
  // Runs the handler on the thread it was brought to.
  void RunKept() noexcept;
  // Tells the handler, where it runs, that nobody waits for it any more. On the reactor.
  void TellHandler();
  // Brings the frame to the connection. Any thread.
  void Send() noexcept;
  void SendOnReactor();
  void OnDeadline();

  ServerConnection& server_;
  const Ref<Connection> connection_;
  Reactor* const handlers_;  // null: the connection's reactor runs the handler's callbacks
  const ServedMethod& method_;
  const std::uint64_t id_;
  const bool checksum_;
  const wire::ReplyLimits limits_;
  std::atomic<std::uint32_t> references_{1};
  std::atomic<bool> answered_{false};
  std::atomic<Reactor::Clock::rep> began_{0};  // the handler; of the clock's epoch, 0: not yet
  std::chrono::nanoseconds taken_{0};
  bool failed_ = false;
  bool told_ = false;  // that it was cancelled; the reactor's
  std::string_view body_;
  std::string kept_body_;
  Outbox frame_{0};

  struct Node : detail::Task {
    AsyncCall* call = nullptr;
  };
  Node run_node_;
  Node cancel_node_;
  Node send_node_;
  struct Timer : detail::TimerNode {
    AsyncCall* call = nullptr;
  };
  Timer deadline_timer_;
};

}  // namespace weir
