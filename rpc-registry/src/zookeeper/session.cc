#include "zookeeper/session.h"

#include <zookeeper/zookeeper.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

#include "weir/log.h"

namespace weir::discovery {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// How long a first connection may take before it is called unreachable in the log.
constexpr seconds kFirstContact{2};
constexpr seconds kMaxReopen{30};

// With credentials only their holders change our nodes, but everybody reads them.
std::array<ACL, 2> g_creator_acls;
const ACL_vector* AccessFor(const ZkUrl& url) {
  if (url.credentials.empty()) return &ZOO_OPEN_ACL_UNSAFE;
  static const ACL_vector restricted = [] {
    g_creator_acls[0] = {ZOO_PERM_ALL, ZOO_AUTH_IDS};
    g_creator_acls[1] = {ZOO_PERM_READ, ZOO_ANYONE_ID_UNSAFE};
    return ACL_vector{2, g_creator_acls.data()};
  }();
  return &restricted;
}

void LogOfClient(const char* message) {
  // "<time>:<pid>(<thread>):ZOO_ERROR@function@line: text"
  std::string_view text = message;
  if (const auto level = text.find("ZOO_"); level != std::string_view::npos) {
    text.remove_prefix(level);
  }
  LogDebug("ZooKeeper client: " + std::string(text));
}

void Fill(ZkReply& reply, const Stat* stat) {
  if (stat == nullptr) return;
  reply.version = stat->version;
  reply.owner = static_cast<std::uint64_t>(stat->ephemeralOwner);
}

}  // namespace

// What the client library is given to call back with. Lives until its handle is closed.
struct ZkSession::Handle {
  ZkSession* session;
  Executor* executor;
  std::uint64_t generation;
  zhandle_t* zk = nullptr;

  static void OnState(zhandle_t* zk, int type, int state, const char*, void* context) {
    if (type != ZOO_SESSION_EVENT) return;
    const auto* self = static_cast<Handle*>(context);
    const clientid_t* client = zoo_client_id(zk);
    const auto id = client != nullptr ? static_cast<std::uint64_t>(client->client_id) : 0;
    self->executor->Post(
        [session = self->session, generation = self->generation, state, id,
         timeout = zoo_recv_timeout(zk)] { session->OnState(generation, state, id, timeout); });
  }

  static void OnNode(zhandle_t*, int type, int, const char* path, void* context) {
    // Session events come to every watch as well; OnState has them.
    if (type == ZOO_SESSION_EVENT || type == ZOO_NOTWATCHING_EVENT) return;
    const auto* self = static_cast<Handle*>(context);
    self->executor->Post([session = self->session, generation = self->generation,
                          node = std::string(path), deleted = type == ZOO_DELETED_EVENT] {
      if (generation == session->generation_) session->observer_.OnChange(node, deleted);
    });
  }
};

// One request under way. Deleted by its completion, which the library calls exactly once.
struct ZkSession::Call {
  ZkSession* session;
  Executor* executor;
  std::uint64_t id;
  // For Replace: the library writes here until it completes.
  std::string path;
  std::array<zoo_op_t, 2> operations{};
  std::array<zoo_op_result_t, 2> results{};

  void Complete(ZkReply reply) {
    executor->Post([target = session, call = id, answer = std::move(reply)]() mutable {
      target->Finish(call, std::move(answer));
    });
    delete this;
  }
  static Call* Of(const void* context) { return static_cast<Call*>(const_cast<void*>(context)); }

  static void OnStat(int code, const Stat* stat, const void* context) {
    ZkReply reply{.code = code, .data = {}, .children = {}};
    if (code == ZOK) Fill(reply, stat);
    Of(context)->Complete(std::move(reply));
  }
  static void OnData(int code, const char* data, int size, const Stat* stat, const void* context) {
    ZkReply reply{.code = code, .data = {}, .children = {}};
    if (code == ZOK) {
      Fill(reply, stat);
      if (data != nullptr && size > 0) reply.data.assign(data, static_cast<std::size_t>(size));
    }
    Of(context)->Complete(std::move(reply));
  }
  static void OnStrings(int code, const String_vector* strings, const void* context) {
    ZkReply reply{.code = code, .data = {}, .children = {}};
    if (code == ZOK && strings != nullptr) {
      reply.children.assign(strings->data, strings->data + strings->count);
    }
    Of(context)->Complete(std::move(reply));
  }
  static void OnString(int code, const char*, const void* context) { OnVoid(code, context); }
  static void OnVoid(int code, const void* context) {
    Of(context)->Complete({.code = code, .data = {}, .children = {}});
  }
};

ZkSession::ZkSession(const ZkUrl& url, Executor& executor, Counters& counters, Observer& observer)
    : url_(url), executor_(executor), counters_(counters), observer_(observer) {}

ZkSession::~ZkSession() {
  if (handle_) zookeeper_close(handle_->zk);
  for (Closer& closer : closers_) closer.thread.join();
}

void ZkSession::Open() {
  // The client complains about every single attempt to connect; the session says the same once per
  // change. So its own log is heard only by those who ask for the debug level.
  zoo_set_debug_level(LogEnabled(LogLevel::kDebug) ? ZOO_LOG_LEVEL_WARN : ZooLogLevel{});
  auto handle = std::make_unique<Handle>(
      Handle{.session = this, .executor = &executor_, .generation = ++generation_});
  handle->zk = zookeeper_init2(url_.hosts.c_str(), Handle::OnState,
                               static_cast<int>(url_.session_timeout.count()), nullptr,
                               handle.get(), 0, LogOfClient);
  if (handle->zk == nullptr) {
    const int error = errno;
    if (failed_opens_++ == 0) {
      LogError(url_.text + ": cannot start a ZooKeeper client for " + url_.hosts + ": " +
               std::generic_category().message(error) +
               "; do the host names resolve? Trying again");
    }
    const seconds delay = std::min(seconds(1 << std::min(failed_opens_ - 1, 5)), kMaxReopen);
    executor_.PostAfter(delay, [this] { Open(); });
    return;
  }
  failed_opens_ = 0;
  handle_ = std::move(handle);
  if (!url_.credentials.empty()) {
    zoo_add_auth(
        handle_->zk, "digest", url_.credentials.data(), static_cast<int>(url_.credentials.size()),
        [](int, const void*) {}, nullptr);
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
    zookeeper_close(handle->zk);
    *done = true;
  });
  closers_.push_back({std::move(thread), std::move(done)});
}

void ZkSession::OnState(std::uint64_t generation, int state, std::uint64_t id, int timeout_ms) {
  if (generation != generation_) return;
  if (state == ZOO_CONNECTED_STATE) {
    const bool fresh = id != id_;
    if (fresh && id_ != 0) former_ids_.insert(id_);
    id_ = id;
    timeout_ms_ = timeout_ms;
    ++connection_;
    if (fresh) ++counters_.sessions;
    LogInfo(url_.text + (fresh ? ": connected to ZooKeeper" : ": connected to ZooKeeper again") +
            (fresh && ever_connected_ ? " with a new session" : ""));
    connected_ = true;
    ever_connected_ = true;
    observer_.OnConnected(fresh);
    return;
  }
  if (state == ZOO_EXPIRED_SESSION_STATE) {
    OnLost("the session has expired");
    return;
  }
  if (state == ZOO_AUTH_FAILED_STATE) {
    LogError(url_.text + ": ZooKeeper refused the credentials; trying again every 30 s");
    connected_ = false;
    ++connection_;
    observer_.OnDisconnected();
    CloseAside();
    ++generation_;
    executor_.PostAfter(kMaxReopen, [this] { Open(); });
    return;
  }
  if (!connected_) return;
  connected_ = false;
  const std::uint64_t this_loss = ++connection_;
  LogWarning(url_.text + ": lost the connection to ZooKeeper at " + url_.hosts +
             "; the last known providers stay in use");
  observer_.OnDisconnected();
  executor_.PostAfter(milliseconds(timeout_ms_), [this, this_loss] {
    if (connection_ == this_loss) {
      OnLost("no connection for a whole session timeout (" + std::to_string(timeout_ms_) + " ms)");
    }
  });
}

void ZkSession::OnLost(const std::string& why) {
  ++counters_.lost_sessions;
  LogWarning(url_.text + ": " + why + "; opening a new session");
  connected_ = false;
  ++connection_;
  Renew();
}

void ZkSession::Renew() {
  // The answers will not come, or only when the old handle has closed: nobody waits for that.
  std::map<std::uint64_t, Done> unanswered;
  unanswered.swap(pending_);
  CloseAside();
  for (auto& [call, done] : unanswered) {
    done({.code = ZSESSIONEXPIRED, .data = {}, .children = {}});
  }
  observer_.OnSessionLost();
  Open();
}

ZkSession::Call* ZkSession::NewCall(Done done) {
  pending_[next_call_] = std::move(done);
  return new Call{.session = this, .executor = &executor_, .id = next_call_++, .path = {}};
}

void ZkSession::Started(int code, Call* call) {
  if (code != ZOK) call->Complete({.code = code, .data = {}, .children = {}});
}

void ZkSession::Finish(std::uint64_t call, ZkReply reply) {
  const auto found = pending_.find(call);
  if (found == pending_.end()) return;
  const Done done = std::move(found->second);
  pending_.erase(found);
  done(std::move(reply));
}

void ZkSession::Exists(const std::string& path, Done done) {
  Call* call = NewCall(std::move(done));
  Started(handle_ ? zoo_awexists(handle_->zk, path.c_str(), Handle::OnNode, handle_.get(),
                                 Call::OnStat, call)
                  : ZINVALIDSTATE,
          call);
}

void ZkSession::Get(const std::string& path, Done done) {
  Call* call = NewCall(std::move(done));
  Started(handle_ ? zoo_awget(handle_->zk, path.c_str(), Handle::OnNode, handle_.get(),
                              Call::OnData, call)
                  : ZINVALIDSTATE,
          call);
}

void ZkSession::Children(const std::string& path, bool watch, Done done) {
  Call* call = NewCall(std::move(done));
  Started(handle_ ? zoo_awget_children(handle_->zk, path.c_str(), watch ? Handle::OnNode : nullptr,
                                       handle_.get(), Call::OnStrings, call)
                  : ZINVALIDSTATE,
          call);
}

void ZkSession::Create(const std::string& path, const std::string& data, bool ephemeral,
                       Done done) {
  Call* call = NewCall(std::move(done));
  Started(handle_
              ? zoo_acreate(handle_->zk, path.c_str(), data.data(), static_cast<int>(data.size()),
                            AccessFor(url_), ephemeral ? ZOO_EPHEMERAL : 0, Call::OnString, call)
              : ZINVALIDSTATE,
          call);
}

void ZkSession::Set(const std::string& path, const std::string& data, std::int32_t version,
                    Done done) {
  Call* call = NewCall(std::move(done));
  Started(handle_ ? zoo_aset(handle_->zk, path.c_str(), data.data(), static_cast<int>(data.size()),
                             version, Call::OnStat, call)
                  : ZINVALIDSTATE,
          call);
}

void ZkSession::Delete(const std::string& path, std::int32_t version, Done done) {
  Call* call = NewCall(std::move(done));
  Started(
      handle_ ? zoo_adelete(handle_->zk, path.c_str(), version, Call::OnVoid, call) : ZINVALIDSTATE,
      call);
}

void ZkSession::Replace(const std::string& path, const std::string& data, std::int32_t version,
                        Done done) {
  Call* call = NewCall(std::move(done));
  call->path = path;
  zoo_delete_op_init(&call->operations[0], call->path.c_str(), version);
  zoo_create_op_init(&call->operations[1], call->path.c_str(), data.data(),
                     static_cast<int>(data.size()), AccessFor(url_), ZOO_EPHEMERAL, nullptr, 0);
  Started(handle_ ? zoo_amulti(handle_->zk, 2, call->operations.data(), call->results.data(),
                               Call::OnVoid, call)
                  : ZINVALIDSTATE,
          call);
}

void ZkSession::CreateParents(const std::string& path, Done done) {
  CreateAncestor(path, path.find('/', 1), std::move(done));
}

// Only the last answer counts: one may lack the right to create at the top and have it below.
void ZkSession::CreateAncestor(const std::string& path, std::size_t from, Done done) {
  const std::size_t next = path.find('/', from + 1);
  Create(path.substr(0, from), "", false,
         [this, path, next, finished = std::move(done)](ZkReply reply) {
           if (reply.code == ZNODEEXISTS) reply.code = ZOK;
           if (next == std::string::npos || IsConnectionFailure(reply.code)) {
             finished(std::move(reply));
           } else {
             CreateAncestor(path, next, finished);
           }
         });
}

bool IsConnectionFailure(int code) {
  return code == ZCONNECTIONLOSS || code == ZSESSIONEXPIRED || code == ZSESSIONMOVED ||
         code == ZCLOSING || code == ZOPERATIONTIMEOUT || code == ZINVALIDSTATE;
}

std::string ZkError(int code) {
  if (code == ZNOAUTH) return "not authorised (NOAUTH); give the URL credentials that are";
  return zerror(code);
}

}  // namespace weir::discovery
