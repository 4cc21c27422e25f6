#include "zookeeper/session.h"

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

#include "weir/log.h"
#include "zookeeper/session_handle.h"

namespace weir::discovery {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// How long a first connection may take before it is called unreachable in the log.
constexpr seconds kFirstContact{2};
constexpr seconds kMaxReopen{30};
// How long a handle that is closed may take to complete what is under way.
constexpr seconds kMaxWaitForAnswers{1};
// Of sessions whose nodes may still stand; they are gone after a session timeout.
constexpr std::size_t kMaxFormerIds = 64;
// So many connections that ended without an answer are no accident of the network.
constexpr int kMaxSilentConnections = 5;

void LogOfClient(const char* message) {
  // "<time>:<pid>(<thread>):ZOO_ERROR@function@line: text"
  std::string_view text = message;
  if (const auto level = text.find("ZOO_"); level != std::string_view::npos) {
    text.remove_prefix(level);
  }
  LogDebug("ZooKeeper client: " + std::string(text));
}

}  // namespace

// A request that is open when the library's thread for completions ends is never completed, and its
// memory lost (3.8). What a dead or disconnected handle has open is completed in a moment.
void ZkSession::Handle::Close() {
  const auto deadline = Executor::Clock::now() + kMaxWaitForAnswers;
  while (open_calls > 0 && Executor::Clock::now() < deadline) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  zookeeper_close(zk);
}

void ZkSession::Handle::OnState(zhandle_t* zk, int type, int state, const char*, void* context) {
  if (type != ZOO_SESSION_EVENT) return;
  const auto* self = static_cast<Handle*>(context);
  const clientid_t* client = zoo_client_id(zk);
  const auto id = client != nullptr ? static_cast<std::uint64_t>(client->client_id) : 0;
  self->executor->Post(
      [session = self->session, generation = self->generation, state, id,
       timeout = zoo_recv_timeout(zk)] { session->OnState(generation, state, id, timeout); });
}

void ZkSession::Handle::OnNode(zhandle_t*, int type, int, const char* path, void* context) {
  // Session events come to every watch as well; OnState has them.
  if (type == ZOO_SESSION_EVENT || type == ZOO_NOTWATCHING_EVENT) return;
  const auto* self = static_cast<Handle*>(context);
  self->executor->Post([session = self->session, generation = self->generation,
                        node = std::string(path), deleted = type == ZOO_DELETED_EVENT] {
    if (generation == session->generation_) session->observer_.OnChange(node, deleted);
  });
}

void ZkSession::Handle::OnVerdict(int code, const void* context) {
  const auto* self = static_cast<const Handle*>(context);
  self->executor->Post([session = self->session, generation = self->generation, code] {
    session->OnVerdict(generation, code);
  });
}

ZkSession::ZkSession(const ZkUrl& url, Executor& executor, Counters& counters, Observer& observer)
    : url_(url),
      executor_(executor),
      counters_(counters),
      observer_(observer),
      health_{.connected = false,
              .since = Executor::Clock::now(),
              .trouble = "no ZooKeeper answers at " + url_.hosts} {}

ZkSession::~ZkSession() {
  if (handle_) handle_->Close();
  for (Closer& closer : closers_) closer.thread.join();
}

RegistryHealth ZkSession::health() const {
  const std::lock_guard lock(health_mutex_);
  return health_;
}

bool ZkSession::IsOurs(std::uint64_t id) const {
  return id == id_ || std::find(former_ids_.begin(), former_ids_.end(), id) != former_ids_.end();
}

void ZkSession::RememberFormer(std::uint64_t id) {
  if (id == 0) return;
  former_ids_.push_back(id);
  if (former_ids_.size() > kMaxFormerIds) former_ids_.pop_front();
}

void ZkSession::Trouble(const std::string& why) {
  {
    const std::lock_guard lock(health_mutex_);
    if (health_.connected) health_.since = Executor::Clock::now();
    health_.connected = false;
    health_.trouble = why;
  }
  observer_.OnTrouble(why);
}

void ZkSession::Open() {
  // The client complains about every single attempt to connect; the session says the same once per
  // change. So its own log is heard only by those who ask for the debug level.
  zoo_set_debug_level(LogEnabled(LogLevel::kDebug) ? ZOO_LOG_LEVEL_WARN : ZooLogLevel{});
  auto handle = std::make_unique<Handle>(this, &executor_, ++generation_);
  handle->zk = zookeeper_init2(url_.hosts.c_str(), Handle::OnState,
                               static_cast<int>(url_.session_timeout.count()), nullptr,
                               handle.get(), 0, LogOfClient);
  if (handle->zk == nullptr) {
    const std::string why = "cannot start a ZooKeeper client for " + url_.hosts + ": " +
                            std::generic_category().message(errno) + "; do the host names resolve?";
    if (failed_opens_++ == 0) LogError(url_.text + ": " + why + " Trying again");
    Trouble(why);
    const seconds delay = std::min(seconds(1 << std::min(failed_opens_ - 1, 5)), kMaxReopen);
    executor_.PostAfter(delay, [this] { Open(); });
    return;
  }
  // The client would look the host names up again each time it waits for its socket, which costs it
  // more than all the rest. When a connection is lost it still does.
  zoo_set_servers_resolution_delay(handle->zk, -1);
  failed_opens_ = 0;
  handle_ = std::move(handle);
  if (!url_.credentials.empty()) {
    awaits_verdict_ = refused_;
    zoo_add_auth(handle_->zk, "digest", url_.credentials.data(),
                 static_cast<int>(url_.credentials.size()), Handle::OnVerdict, handle_.get());
  }
  if (ever_connected_) return;
  executor_.PostAfter(kFirstContact, [this] {
    if (ever_connected_ || unreachable_reported_) return;
    unreachable_reported_ = true;
    LogWarning(url_.text + ": no ZooKeeper answers at " + url_.hosts +
               "; is it running? Trying until it does");
  });
}

// zookeeper_close can block for seconds, so it gets a thread of its own.
void ZkSession::CloseAside() {
  if (!handle_) return;
  std::erase_if(closers_, [](Closer& closer) {
    if (!*closer.done) return false;
    closer.thread.join();
    return true;
  });
  auto done = std::make_shared<std::atomic<bool>>(false);
  std::thread thread([done, handle = std::shared_ptr<Handle>(std::move(handle_))] {
    handle->Close();
    *done = true;
  });
  closers_.push_back({std::move(thread), std::move(done)});
}

// The answers will not come, or only when the old handle has closed: nobody waits for that.
void ZkSession::AbandonCalls() {
  std::map<std::uint64_t, Done> unanswered;
  unanswered.swap(pending_);
  for (auto& [call, done] : unanswered) {
    done({.code = ZSESSIONEXPIRED, .data = {}, .children = {}});
  }
}

void ZkSession::OnState(std::uint64_t generation, int state, std::uint64_t id, int timeout_ms) {
  if (generation != generation_) return;
  if (state == ZOO_CONNECTED_STATE) {
    if (!awaits_verdict_) return OnConnected(id, timeout_ms);
    // A second connection of the handle means that the first was not refused.
    if (on_accepted_) return OnVerdict(generation, ZOK);
    on_accepted_ = [this, id, timeout_ms] { OnConnected(id, timeout_ms); };
  } else if (state == ZOO_EXPIRED_SESSION_STATE) {
    OnLost("the session has expired");
  } else if (state == ZOO_AUTH_FAILED_STATE) {
    OnRefused();
  } else if (connected_) {
    OnDisconnected();
  }
}

void ZkSession::OnVerdict(std::uint64_t generation, int code) {
  if (generation != generation_ || code != ZOK || !awaits_verdict_) return;
  awaits_verdict_ = false;
  if (on_accepted_) std::exchange(on_accepted_, {})();
}

void ZkSession::OnConnected(std::uint64_t id, int timeout_ms) {
  const bool fresh = id != id_;
  if (fresh) {
    RememberFormer(id_);
    ++counters_.sessions;
  }
  id_ = id;
  timeout_ms_ = timeout_ms;
  ++connection_;
  LogInfo(url_.text + (fresh ? ": connected to ZooKeeper" : ": connected to ZooKeeper again") +
          (fresh && ever_connected_ ? " with a new session" : ""));
  connected_ = true;
  ever_connected_ = true;
  refused_ = false;
  answered_ = false;
  {
    const std::lock_guard lock(health_mutex_);
    health_ = {.connected = true, .since = Executor::Clock::now(), .trouble = {}};
  }
  observer_.OnConnected(fresh);
}

void ZkSession::OnDisconnected() {
  connected_ = false;
  ++counters_.disconnections;
  const std::uint64_t this_loss = ++connection_;
  LogWarning(url_.text + ": lost the connection to ZooKeeper at " + url_.hosts +
             "; the last known providers stay in use");
  Trouble("no ZooKeeper answers at " + url_.hosts);
  silent_connections_ = answered_ ? 0 : silent_connections_ + 1;
  if (silent_connections_ >= kMaxSilentConnections) {
    silent_connections_ = 0;
    return OnLost(std::to_string(kMaxSilentConnections) +
                  " connections in a row were closed before anything was answered (the watches of "
                  "a session are set again in one packet, which jute.maxbuffer of the server "
                  "limits)");
  }
  executor_.PostAfter(milliseconds(timeout_ms_), [this, this_loss] {
    if (connection_ == this_loss) {
      OnLost("no connection for a whole session timeout (" + std::to_string(timeout_ms_) + " ms)");
    }
  });
}

// The handle is dead, and others with these credentials will fare no better: not soon again.
void ZkSession::OnRefused() {
  ++counters_.refusals;
  const std::string why = "ZooKeeper at " + url_.hosts +
                          " refused the credentials; give the URL user:password that it accepts";
  if (!std::exchange(refused_, true)) {
    LogError(url_.text + ": " + why + ". Trying again every " + std::to_string(kMaxReopen.count()) +
             " s");
  }
  connected_ = false;
  ++connection_;
  ++generation_;
  on_accepted_ = {};
  CloseAside();
  AbandonCalls();
  Trouble(why);
  observer_.OnSessionLost();
  executor_.PostAfter(kMaxReopen, [this] { Open(); });
}

void ZkSession::OnLost(const std::string& why) {
  ++counters_.lost_sessions;
  LogWarning(url_.text + ": " + why + "; opening a new session");
  connected_ = false;
  ++connection_;
  on_accepted_ = {};
  CloseAside();
  AbandonCalls();
  // An expiry can be the first news of a broken connection.
  Trouble("no ZooKeeper answers at " + url_.hosts);
  observer_.OnSessionLost();
  Open();
}

}  // namespace weir::discovery
