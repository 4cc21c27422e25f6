// A lasting connection to ZooKeeper: a handle of the C client, renewed when its session has ended.
//
// The client library calls back on threads of its own, one callback at a time; here every callback
// only copies what it was given and posts to the executor, where everything else happens. A handle
// is kept through disconnections. It is replaced when the server declares the session expired, or
// when the connection has been gone for a whole session timeout, because a client learns of an
// expiry only after it has reconnected.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "executor.h"
#include "node.h"
#include "zookeeper/zk_url.h"

struct _zhandle;

namespace weir::discovery {

// What the server answered. A value.
struct ZkReply {
  int code = 0;  // ZOK, ZNONODE...
  std::string data;
  std::vector<std::string> children;
  std::int32_t version = 0;     // of the node's data
  std::uint64_t owner = 0;      // session that owns the node; 0: a persistent one
  std::int64_t created_ms = 0;  // when the node was made, since 1970 by the server's clock
};

// A resource, confined to the executor's thread, but for the constructor, the destructor and
// health().
class ZkSession {
 public:
  // Told on the executor's thread.
  class Observer {
   public:
    virtual ~Observer() = default;
    // `fresh`: a new session; no watch and no ephemeral node of ours is left.
    virtual void OnConnected(bool fresh) = 0;
    // There is no connection, and why, for people; again when the reason has changed.
    virtual void OnTrouble(const std::string& why) = 0;
    // The session is over, or must be taken to be; a new one is on its way.
    virtual void OnSessionLost() = 0;
    // A watch fired: something happened to this node or its children. It must be set again.
    virtual void OnChange(const std::string& path, bool deleted) = 0;
  };
  using Done = std::function<void(ZkReply)>;

  // All must outlive it. Nothing happens before Start.
  ZkSession(const ZkUrl& url, Executor& executor, Counters& counters, Observer& observer);
  // Closes the session, which removes its ephemeral nodes, and waits for that (seconds when the
  // server does not answer). Only when the executor has been stopped.
  ~ZkSession();
  ZkSession(const ZkSession&) = delete;
  ZkSession& operator=(const ZkSession&) = delete;

  void Start() { Open(); }
  bool connected() const noexcept { return connected_; }
  // Any thread; does not block.
  RegistryHealth health() const;
  std::uint64_t id() const noexcept { return id_; }
  // Whether this session, or an earlier one of this object, has that id.
  bool IsOurs(std::uint64_t id) const;

  // `done` is called exactly once, later; with ZCONNECTIONLOSS or ZSESSIONEXPIRED when it is not
  // known whether the server acted. Exists sets its watch also on a node that is not there.
  void Exists(const std::string& path, Done done);
  void Get(const std::string& path, bool watch, Done done);
  void Children(const std::string& path, bool watch, Done done);
  void Create(const std::string& path, const std::string& data, bool ephemeral, Done done);
  void Set(const std::string& path, const std::string& data, std::int32_t version, Done done);
  void Delete(const std::string& path, std::int32_t version, Done done);
  // Deletes the node of that version and creates an ephemeral one of ours, in one transaction.
  void Replace(const std::string& path, const std::string& data, std::int32_t version, Done done);
  // Creates what is missing above `path`, persistently.
  void CreateParents(const std::string& path, Done done);

 private:
  struct Handle;
  struct Call;

  void Open();
  void CloseAside();
  void OnState(std::uint64_t generation, int state, std::uint64_t id, int timeout_ms);
  void OnVerdict(std::uint64_t generation, int code);
  void OnConnected(std::uint64_t id, int timeout_ms);
  void OnDisconnected();
  void OnRefused();
  void OnLost(const std::string& why);
  void Trouble(const std::string& why);
  void AbandonCalls();
  void RememberFormer(std::uint64_t id);
  void CreateAncestor(const std::string& path, std::size_t from, Done done);
  Call* NewCall(Done done);
  void Started(int code, Call* call);
  void Finish(std::uint64_t call, ZkReply reply);

  const ZkUrl url_;
  Executor& executor_;
  Counters& counters_;
  Observer& observer_;
  std::unique_ptr<Handle> handle_;
  std::uint64_t generation_ = 0;  // of the handle
  std::uint64_t connection_ = 0;  // counts connects and disconnects
  bool connected_ = false;
  bool ever_connected_ = false;
  bool unreachable_reported_ = false;
  int failed_opens_ = 0;
  int timeout_ms_ = 0;  // as negotiated
  std::uint64_t id_ = 0;
  std::deque<std::uint64_t> former_ids_;  // the latest ones
  bool refused_ = false;  // ZooKeeper refused the credentials and has not accepted them since
  // While refused, a connection counts only when the credentials have been accepted.
  bool awaits_verdict_ = false;
  std::function<void()> on_accepted_;
  bool answered_ = false;       // on this connection
  int silent_connections_ = 0;  // in a row, lost before anything was answered
  std::uint64_t next_call_ = 1;
  std::map<std::uint64_t, Done> pending_;
  struct Closer {
    std::thread thread;
    std::shared_ptr<std::atomic<bool>> done;
  };
  std::vector<Closer> closers_;

  mutable std::mutex health_mutex_;
  RegistryHealth health_;
};

// Whether the answer only says that none came: the connection is gone, and it is not known whether
// the server acted. What was asked must be asked again after OnConnected.
bool IsConnectionFailure(int code);
// "no such node", "not authorised"... for messages.
std::string ZkError(int code);

}  // namespace weir::discovery
