// The providers of one service as ZooKeeper knows them, and those who want to be told.
//
// Reads the children and sets a watch; reads the data, with a watch, only of nodes that are new or
// whose watch fired, and the facts of those that were made anew; then publishes one snapshot.
// Changes that come close together are read together. While there is no connection the last
// snapshot stays. A node that may not be read is a provider all the same, of the default weight,
// and so is one without facts.
#pragma once

#include <map>
#include <memory>
#include <random>
#include <string>

#include "executor.h"
#include "listener.h"
#include "node.h"
#include "zookeeper/surroundings.h"

namespace weir::discovery {

// Confined to the executor's thread. Shared, because requests under way refer to it.
class ServiceWatch : public std::enable_shared_from_this<ServiceWatch> {
 public:
  ServiceWatch(const Surroundings& around, const std::string& root, const std::string& service);

  const std::string& path() const noexcept { return path_; }
  Feed<ProviderList>& feed() noexcept { return feed_; }

  // Reads what is not known; nothing while disconnected.
  void Refresh();
  // The same after a random moment, in which further changes are gathered.
  void RefreshSoon();
  // From now on the children are not known, nor, in a `fresh` session, anything else.
  void Forget(bool fresh);
  // The watch on the service's node or on one of its children fired.
  void OnChange(const std::string& path, bool deleted);

 private:
  struct Node {
    bool known = false;    // the weight is the server's, and its watch is set
    bool refused = false;  // it may not be read; tried again when the children are
    std::int64_t made_ms = 0;
    bool facts_known = false;  // those of the node made at that time; they do not change
    Provider provider = {};
  };

  void OnChildren(const ZkReply& reply);
  void OnNoService();
  void ReadNodes();
  bool OnNode(const std::string& path, const ZkReply& reply);
  bool OnFacts(const std::string& name, const ZkReply& reply);
  bool LacksFacts() const;
  void Publish();
  void Rest();
  void Fail(int code, const std::string& path);

  const Surroundings around_;
  const std::string path_;
  const std::string facts_path_;
  NodeReader reader_;
  Feed<ProviderList> feed_;
  std::map<std::string, Node> nodes_;
  bool busy_ = false;            // requests are under way
  bool again_ = false;           // and another refresh is due after them
  bool soon_ = false;            // a refresh is scheduled
  bool children_known_ = false;  // the watch on the children is set and has not fired
  bool failed_ = false;          // a read of this round failed
  int reported_ = 0;             // error that was last written to the log
};

}  // namespace weir::discovery
