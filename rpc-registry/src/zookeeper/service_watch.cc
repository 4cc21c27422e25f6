#include "zookeeper/service_watch.h"

#include <zookeeper/zookeeper.h>

#include <algorithm>
#include <utility>

#include "weir/log.h"

namespace weir::discovery {
namespace {

// At most so many reads of nodes at a time, so that a large service does not swamp the server.
constexpr int kMaxReads = 32;
// How long changes are gathered: from the first one, so that steady change is published steadily.
constexpr int kMinDebounceMs = 100;
constexpr int kMaxDebounceMs = 200;

}  // namespace

ServiceWatch::ServiceWatch(Surroundings around, const std::string& root, const std::string& service)
    : around_(around),
      path_(root + "/" + service),
      reader_(around.registry, service, around.counters) {}

void ServiceWatch::Refresh() {
  if (!around_.session.connected()) return;
  if (std::exchange(busy_, true)) {
    again_ = true;
    return;
  }
  failed_ = false;
  if (children_known_) return ReadNodes();
  children_known_ = true;
  around_.session.Children(
      path_, true, [self = shared_from_this()](const ZkReply& reply) { self->OnChildren(reply); });
}

void ServiceWatch::OnConnected(bool fresh) {
  children_known_ = false;
  if (fresh) {
    for (auto& [name, node] : nodes_) node.known = false;
  }
  Refresh();
}

void ServiceWatch::OnChange(const std::string& path, bool deleted) {
  if (path == path_) {
    children_known_ = false;
  } else if (const auto node = nodes_.find(path.substr(path_.size() + 1)); node != nodes_.end()) {
    node->second.known = false;
    if (deleted) children_known_ = false;
  }
  RefreshSoon();
}

void ServiceWatch::RefreshSoon() {
  if (std::exchange(soon_, true)) return;
  const int delay =
      std::uniform_int_distribution<int>(kMinDebounceMs, kMaxDebounceMs)(around_.random);
  around_.executor.PostAfter(std::chrono::milliseconds(delay), [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->soon_ = false;
    self->Refresh();
  });
}

void ServiceWatch::OnChildren(const ZkReply& reply) {
  if (reply.code == ZNONODE) return OnNoService();
  if (reply.code != ZOK) {
    children_known_ = false;
    Fail(reply.code, path_);
    return Rest();
  }
  std::map<std::string, Node> nodes;
  for (const std::string& name : reply.children) {
    if (!reader_.IsProvider(name)) continue;
    const auto known = nodes_.find(name);
    nodes[name] = known != nodes_.end() ? known->second : Node{};
  }
  nodes_ = std::move(nodes);
  ReadNodes();
}

// A service that nobody has registered yet: no providers, and a watch for the first one. Consumers
// create nothing.
void ServiceWatch::OnNoService() {
  around_.session.Exists(path_, [self = shared_from_this()](const ZkReply& reply) {
    if (reply.code == ZNONODE) {
      self->nodes_.clear();
      self->Publish();
    } else {
      self->children_known_ = false;
      if (reply.code == ZOK) self->again_ = true;
      if (reply.code != ZOK) self->Fail(reply.code, self->path_);
    }
    self->Rest();
  });
}

void ServiceWatch::ReadNodes() {
  unread_.clear();
  for (const auto& [name, node] : nodes_) {
    if (!node.known) unread_.push_back(name);
  }
  if (unread_.empty()) {
    Publish();
    return Rest();
  }
  while (reading_ < kMaxReads && !unread_.empty()) OnNode({}, {});
}

// Takes in one answer (none when `name` is empty) and asks for the next node.
void ServiceWatch::OnNode(const std::string& name, const ZkReply& reply) {
  if (!name.empty()) {
    --reading_;
    const auto node = nodes_.find(name);
    if (node != nodes_.end() && reply.code == ZOK) {
      node->second = {true, reader_.Weight(name, reply.data)};
    } else if (node != nodes_.end() && reply.code == ZNONODE) {
      // Gone since the children were read: their watch tells the rest.
      nodes_.erase(node);
    } else if (reply.code != ZOK && reply.code != ZNONODE) {
      failed_ = true;
      Fail(reply.code, path_ + "/" + name);
    }
  }
  if (!unread_.empty() && !failed_) {
    std::string next = std::move(unread_.front());
    unread_.pop_front();
    ++reading_;
    const std::string path = path_ + "/" + next;
    around_.session.Get(path, [self = shared_from_this(), next = std::move(next)](
                                  const ZkReply& answer) { self->OnNode(next, answer); });
    return;
  }
  if (reading_ > 0) return;
  if (!failed_) Publish();
  Rest();
}

void ServiceWatch::Publish() {
  auto providers = std::make_shared<std::vector<Provider>>();
  for (const auto& [name, node] : nodes_) providers->push_back({name, node.weight});
  reported_ = ZOK;
  const auto& last = feed_.last();
  if (!last || **last != *providers) feed_.Publish(std::move(providers));
}

void ServiceWatch::Rest() {
  busy_ = false;
  if (std::exchange(again_, false)) Refresh();
}

void ServiceWatch::Fail(int code, const std::string& path) {
  // A failing connection is the session's to report, and it brings OnConnected.
  if (IsConnectionFailure(code) || code == reported_) return;
  reported_ = code;
  LogWarning(around_.registry + ": cannot read " + path + ": " + ZkError(code) +
             "; the last known providers stay in use");
}

}  // namespace weir::discovery
