// The documents of a zk:// registry: persistent nodes in trees beside its own. With the root /rpc,
// "kv/main/members" is the node /rpc-kv/main/members; versions are ZooKeeper's.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "executor.h"
#include "listener.h"
#include "weir/registry.h"
#include "zookeeper/awaited.h"
#include "zookeeper/session.h"

namespace weir::discovery {

class ZkDocuments final : public DocumentStore {
 public:
  // All must outlive it; `session` belongs to the executor's thread.
  ZkDocuments(const ZkUrl& url, Executor& executor, ZkSession& session)
      : url_(url), executor_(executor), session_(session) {}

  Result<Document> Read(std::string_view path) override;
  Result<std::int64_t> Write(std::string_view path, std::string_view content,
                             std::int64_t expected_version) override;
  Result<std::unique_ptr<Subscription>> Watch(std::string_view path,
                                              DocumentListener listener) override;
  // The children of a node, without a watch; none when it does not exist. Blocks like Read.
  Result<std::vector<std::string>> List(const std::string& node);

  // On the executor's thread.
  void OnConnected();
  // Whether the node is a document that somebody follows.
  bool OnChange(const std::string& node);
  void Reconcile() { OnConnected(); }

 private:
  // A request that a caller waits for. Started when there is a connection, and again when its
  // connection failed, until it has an answer or the caller gives up.
  struct Request {
    std::string node;
    bool list = false;
    bool write = false;
    std::string content;
    std::int64_t expected_version = -1;
    bool uncertain = false;  // a write that may have happened: look before trying again
    std::shared_ptr<Awaited<ZkReply>> answer;
  };

  std::string Node(std::string_view path) const;
  Result<ZkReply> Await(Request request);
  void Start(const std::shared_ptr<Request>& request);
  void StartWrite(const std::shared_ptr<Request>& request);
  void Verify(const std::shared_ptr<Request>& request);
  void OnAnswer(const std::shared_ptr<Request>& request, ZkReply reply);
  void Refresh(const std::string& node);
  void Publish(const std::string& node, Document document);

  const ZkUrl url_;
  Executor& executor_;
  ZkSession& session_;
  // The executor's thread only.
  std::list<std::shared_ptr<Request>> waiting_;
  std::map<std::string, Feed<Document>> followed_;  // by node
  std::set<std::string> unreadable_;                // of these, those reported as such
};

}  // namespace weir::discovery
