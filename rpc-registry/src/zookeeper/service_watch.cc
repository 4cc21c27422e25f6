#include "zookeeper/service_watch.h"

#include <zookeeper/zookeeper.h>

#include <algorithm>
#include <deque>
#include <utility>

#include "facts.h"
#include "weir/log.h"
#include "zookeeper/node_reads.h"
#include "zookeeper/provider_node.h"

namespace weir::discovery {
namespace {

// How long changes are gathered: from the first one, so that steady change is published steadily.
constexpr int kMinDebounceMs = 100;
constexpr int kMaxDebounceMs = 200;

}  // namespace

ServiceWatch::ServiceWatch(const Surroundings& around, const std::string& root,
                           const std::string& service)
    : around_(around),
      path_(root + "/" + service),
      facts_path_(FactsRoot(root) + "/" + service),
      reader_(around.registry, service, Reach::kNetwork, around.counters) {}

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

void ServiceWatch::Forget(bool fresh) {
  children_known_ = false;
  for (auto& [name, node] : nodes_) {
    if (fresh) node.known = false;
    node.refused = false;
  }
}

void ServiceWatch::OnChange(const std::string& path, bool deleted) {
  if (path == path_) {
    children_known_ = false;
  } else if (const auto node = nodes_.find(path.substr(path_.size() + 1)); node != nodes_.end()) {
    node->second.known = node->second.refused = false;
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
    if (const auto known = nodes_.find(name); known != nodes_.end()) {
      nodes.insert(nodes_.extract(known));
    } else if (reader_.IsProvider(name)) {
      nodes.emplace(name, Node{.provider = {.address = name}});
    }
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
  std::deque<NodeRead> unread;
  for (const auto& [name, node] : nodes_) {
    if (!node.known && !node.refused) unread.push_back({path_ + "/" + name, /*watch=*/true});
    // Second, so that they are not older than the node: it is made after them.
    if (!node.facts_known) unread.push_back({facts_path_ + "/" + name, /*watch=*/false});
  }
  NodeReads::Start(
      around_.session, std::move(unread),
      [this](const std::string& path, const ZkReply& reply) { return OnNode(path, reply); },
      [self = shared_from_this()] {
        if (!self->failed_ && self->LacksFacts()) return self->ReadNodes();
        if (!self->failed_) self->Publish();
        self->Rest();
      });
}

// Of a provider that was known and is found to have been made anew.
bool ServiceWatch::LacksFacts() const {
  return std::any_of(nodes_.begin(), nodes_.end(),
                     [](const auto& entry) { return !entry.second.facts_known; });
}

bool ServiceWatch::OnNode(const std::string& path, const ZkReply& reply) {
  if (path.starts_with(facts_path_ + "/")) {
    return OnFacts(path.substr(facts_path_.size() + 1), reply);
  }
  const std::string name = path.substr(path_.size() + 1);
  const auto found = nodes_.find(name);
  if (found == nodes_.end()) return !failed_;
  Node& node = found->second;
  switch (reply.code) {
    case ZOK:
      node.known = true;
      node.refused = false;
      node.provider.weight = reader_.Weight(name, reply.data);
      if (std::exchange(node.made_ms, reply.created_ms) != reply.created_ms) {
        node.facts_known = false;
      }
      break;
    case ZNONODE:
      // Gone since the children were read: their watch tells the rest.
      nodes_.erase(found);
      break;
    case ZNOAUTH:
      node.known = false;
      node.refused = true;
      node.provider.weight = kDefaultWeight;
      ++around_.counters.refusals;
      reader_.Refused(name);
      break;
    default:
      failed_ = true;
      Fail(reply.code, path);
  }
  return !failed_;
}

// Facts that are not there or may not be read are none: consumers can do without.
bool ServiceWatch::OnFacts(const std::string& name, const ZkReply& reply) {
  const auto found = nodes_.find(name);
  if (found == nodes_.end()) return !failed_;
  if (IsConnectionFailure(reply.code)) {
    failed_ = true;
    return false;
  }
  found->second.facts_known = true;
  TakeFacts(reply.code == ZOK ? ParseFacts(reply.data) : Facts(), found->second.provider);
  return !failed_;
}

void ServiceWatch::Publish() {
  auto providers = std::make_shared<std::vector<Provider>>();
  providers->reserve(nodes_.size());
  for (const auto& [name, node] : nodes_) providers->push_back(node.provider);
  reported_ = ZOK;
  const auto& last = feed_.last();
  if (!last || **last != *providers) feed_.Publish(std::move(providers));
}

void ServiceWatch::Rest() {
  busy_ = false;
  if (std::exchange(again_, false)) Refresh();
}

void ServiceWatch::Fail(int code, const std::string& path) {
  // A failing connection is the session's to report, and the next one reads again.
  if (IsConnectionFailure(code)) return;
  if (code == ZNOAUTH) ++around_.counters.refusals;
  if (code == reported_) return;
  reported_ = code;
  LogWarning(around_.registry + ": cannot read " + path + ": " + ZkError(code) +
             "; the last known providers stay in use");
}

}  // namespace weir::discovery
