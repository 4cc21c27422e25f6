// ServerConnection: the server's side of a connection: requests in, replies out.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "server/server_state.h"
#include "transport/native_protocol.h"
#include "weir/detail/handler.h"
#include "weir/detail/recycle.h"

namespace weir {

class AsyncCall;

class ServerConnection final : public NativeProtocol {
 public:
  ServerConnection(std::shared_ptr<ServerState> state, ServerShard& shard, std::string peer);
  ~ServerConnection() override;

  // GOAWAY, finish what runs, close. Idempotent.
  void Drain();
  void CloseNow(const Status& reason);

  // For the calls of this connection, on its reactor.
  ServerState& state() noexcept { return *state_; }
  ServerShard& shard() noexcept { return shard_; }
  const detail::ConnectionFacts& facts() const noexcept { return facts_; }
  // What this server and the peer's SETTINGS allow.
  wire::ReplyLimits reply_limits() const noexcept;
  // Writes a reply; `checksum` as the request had one. `own`: 1 if the call it answers is among the
  // server's running_calls, else 0.
  void Reply(std::uint64_t id, const google::protobuf::MessageLite& message, Buffer attachment,
             bool checksum, std::uint32_t own = 0);
  void Refuse(std::uint64_t id, const Status& status, bool not_started);
  // The load to write beside a reply, if the peer wants to know it. Any thread.
  wire::Load LoadAt(TimePoint now, std::uint32_t own) const;
  // Logs `method` if it kept the thread of `reactor`, which is this one, for too long. False, and
  // the reactor's clock was not read, if handlers are not watched.
  bool WatchHandler(Reactor& reactor, std::string_view method) const;
  // Speaks against the server, not the call.
  static bool IsFault(StatusCode code) noexcept;
  // A call that outlived its turn has ended; `frame` is its reply, if it wants one.
  void Ended(AsyncCall& call, Outbox* frame, bool failed);

 private:
  friend class AsyncCall;

  void OnReady() override { reports_load_.store(peer().load_reports, std::memory_order_relaxed); }
  Status OnRequest(wire::Frame& frame) override;
  Status OnResponse(wire::Frame& frame) override;
  void OnCancel(std::uint64_t id) override;
  void OnGoAway(std::uint64_t last_id, const Status& why) override;
  Status OnPing() override;
  void OnPong(std::uint64_t token) override;
  Status OnLoadAsk(std::uint64_t id) override;
  bool HasCalls() const noexcept override { return !running_.empty(); }
  bool reports_load() const noexcept { return reports_load_.load(std::memory_order_relaxed); }
  void OnIdle() override;
  void OnGone(const Status& reason) override;

  // The method a request names, or null and a status.
  const ServedMethod* FindMethod(const wire::RequestMeta& meta, Status* status);
  bool RunsOnWorker(const ServedMethod& method) const noexcept;
  // Why the call may not run; OK if it may.
  Status Admit(const wire::Frame& frame, const wire::RequestMeta& meta) const;
  void RunPlain(const ServedMethod& method, wire::Frame& frame, const wire::RequestMeta& meta,
                Metadata metadata);
  void RunAsync(const ServedMethod& method, wire::Frame& frame, const wire::RequestMeta& meta,
                Metadata metadata);
  void CloseIfDrained();
  // The peer has left so much unread that it gets no further reply.
  bool IsOverfull() noexcept;
  void CloseOverfull();

  std::shared_ptr<ServerState> state_;
  ServerShard& shard_;
  detail::ConnectionFacts facts_;
  std::vector<const ServedMethod*> numbered_;  // by the numbers the client gave
  using RunningCalls =
      std::unordered_map<std::uint64_t, AsyncCall*, std::hash<std::uint64_t>, std::equal_to<>,
                         detail::RecyclingAllocator<std::pair<const std::uint64_t, AsyncCall*>>>;
  RunningCalls running_;
  std::uint64_t last_id_ = 0;
  enum class Draining : std::uint8_t { kNo, kAnnounced, kFinal } draining_ = Draining::kNo;
  TimePoint last_ping_{};
  int ping_strikes_ = 0;
  std::atomic<bool> reports_load_{false};  // for workers, too
  TimePoint load_asks_until_{};
  std::uint32_t load_asks_ = 0;
};

}  // namespace weir
