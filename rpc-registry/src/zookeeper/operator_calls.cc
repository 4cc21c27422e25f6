#include "zookeeper/operator_calls.h"

#include <zookeeper/zookeeper.h>

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "facts.h"
#include "weir/address.h"
#include "zookeeper/node_reads.h"
#include "zookeeper/provider_node.h"

namespace weir::discovery {
namespace {

constexpr std::size_t kMaxShownWeight = 64;
// How often a change is tried when others write to the node at the same time.
constexpr int kMaxAttempts = 10;

}  // namespace

struct OperatorCalls::Inspection {
  std::string nodes;  // "/rpc/greeter.Greeter"
  std::string facts;  // "/rpc-meta/greeter.Greeter"
  std::shared_ptr<Awaited<Result<std::vector<ProviderEntry>>>> answer;
  std::map<std::string, ProviderEntry> entries;  // by address
  int failure = ZOK;
};

struct OperatorCalls::Change {
  std::string node;
  std::string name;  // "h:7001 for greeter.Greeter"
  std::string weight;
  std::shared_ptr<Awaited<Status>> answer;
  int attempts = 0;
};

template <class Value>
Value OperatorCalls::Run(const std::string& what,
                         std::function<void(std::shared_ptr<Awaited<Value>>)> begin) {
  if (executor_.InThread()) {
    return FailedPrecondition(url_.text + ": " + what +
                              " cannot be asked for from a listener, which must not block");
  }
  const auto answer = std::make_shared<Awaited<Value>>();
  executor_.Post([begin = std::move(begin), answer] { begin(answer); });
  if (std::optional<Value> value = answer->Wait(kDocumentTimeout)) return *std::move(value);
  const RegistryHealth health = session_.health();
  return Unavailable(url_.text + ": no answer about " + what + " within " +
                     std::to_string(kDocumentTimeout.count()) + " ms" +
                     (health.connected ? "; is ZooKeeper overloaded?"
                                       : ": " + health.trouble + ". Start it or correct the URL"));
}

Status OperatorCalls::Refusal(const std::string& what) {
  ++counters_.refusals;
  return PermissionDenied(url_.text + ": " + what + ": " + ZkError(ZNOAUTH));
}

void OperatorCalls::OnConnected() {
  std::list<std::function<void()>> waiting;
  waiting.swap(waiting_);
  for (const auto& begin : waiting) begin();
}

Result<std::vector<ProviderEntry>> OperatorCalls::Inspect(std::string_view service) {
  if (Status status = CheckService(service); !status.ok()) return status;
  const std::string name(service);
  using Answer = Result<std::vector<ProviderEntry>>;
  return Run<Answer>(name, [this, name](std::shared_ptr<Awaited<Answer>> awaited) {
    auto inspection = std::make_shared<Inspection>();
    inspection->nodes = url_.root + "/" + name;
    inspection->facts = FactsRoot(url_.root) + "/" + name;
    inspection->answer = std::move(awaited);
    Begin(inspection);
  });
}

void OperatorCalls::Begin(const std::shared_ptr<Inspection>& inspection) {
  if (inspection->answer->abandoned()) return;
  if (!session_.connected()) {
    waiting_.emplace_back([this, inspection] { Begin(inspection); });
    return;
  }
  inspection->entries.clear();
  inspection->failure = ZOK;
  session_.Children(inspection->nodes, false, [this, inspection](const ZkReply& reply) {
    if (reply.code == ZOK) return ReadNodes(inspection, reply.children);
    if (reply.code == ZNONODE) return inspection->answer->Give(std::vector<ProviderEntry>());
    if (reply.code == ZNOAUTH) return inspection->answer->Give(Refusal(inspection->nodes));
    if (IsConnectionFailure(reply.code)) {
      waiting_.emplace_back([this, inspection] { Begin(inspection); });
      return;
    }
    inspection->answer->Give(
        Unavailable(url_.text + ": " + inspection->nodes + ": " + ZkError(reply.code)));
  });
}

void OperatorCalls::ReadNodes(const std::shared_ptr<Inspection>& inspection,
                              const std::vector<std::string>& names) {
  std::deque<NodeRead> reads;
  for (const std::string& name : names) {
    if (!IsProviderName(name, Reach::kNetwork)) continue;
    reads.push_back({.path = inspection->nodes + "/" + name});
    reads.push_back({.path = inspection->facts + "/" + name});
  }
  const auto each = [inspection](const std::string& path, const ZkReply& reply) {
    const std::size_t slash = path.rfind('/');
    const std::string address = path.substr(slash + 1);
    const bool facts = path.compare(0, slash, inspection->facts) == 0;
    if (IsConnectionFailure(reply.code)) {
      inspection->failure = reply.code;
      return false;
    }
    // Facts that are not there or may not be read are none.
    if (facts && reply.code == ZOK) inspection->entries[address].facts = ParseFacts(reply.data);
    if (facts || (reply.code != ZOK && reply.code != ZNOAUTH)) return true;
    ProviderEntry& entry = inspection->entries[address];
    entry.address = address;
    entry.weight_text = reply.data.substr(0, kMaxShownWeight);
    entry.weight = EffectiveWeight(reply.data);
    if (reply.code == ZOK) {
      entry.since =
          std::chrono::system_clock::time_point(std::chrono::milliseconds(reply.created_ms));
    }
    return true;
  };
  NodeReads::Start(session_, std::move(reads), each, [this, inspection] {
    if (inspection->failure != ZOK) {
      waiting_.emplace_back([this, inspection] { Begin(inspection); });
      return;
    }
    std::vector<ProviderEntry> entries;
    for (auto& [address, entry] : inspection->entries) {
      // Without an address: only its facts were found, and the provider went.
      if (!entry.address.empty()) entries.push_back(std::move(entry));
    }
    inspection->answer->Give(std::move(entries));
  });
}

Status OperatorCalls::Reweigh(std::string_view service, std::string_view address,
                              std::int32_t weight) {
  const Instance instance{std::string(service), std::string(address), weight};
  if (Status status = CheckInstance(instance, Reach::kNetwork); !status.ok()) return status;
  const std::string canonical = Address::Parse(address)->ToString();
  auto change = std::make_shared<Change>();
  change->node = url_.root + "/" + instance.service + "/" + canonical;
  change->name = canonical + " for " + instance.service;
  change->weight = std::to_string(weight);
  return Run<Status>(change->name, [this, change](std::shared_ptr<Awaited<Status>> awaited) {
    change->answer = std::move(awaited);
    Begin(change);
  });
}

// Looks first: who writes must know that it is a provider's node, and which version of it.
void OperatorCalls::Begin(const std::shared_ptr<Change>& change) {
  if (change->answer->abandoned()) return;
  if (!session_.connected()) {
    waiting_.emplace_back([this, change] { Begin(change); });
    return;
  }
  const auto conclude = [this, change](int code) {
    if (code == ZNONODE) {
      change->answer->Give(NotFound(url_.text + ": no provider " + change->name +
                                    " is registered (no node " + change->node + ")"));
    } else if (code == ZNOAUTH) {
      change->answer->Give(Refusal("the weight of " + change->name));
    } else if (IsConnectionFailure(code)) {
      // Should it have been written, writing it again does no harm.
      waiting_.emplace_back([this, change] { Begin(change); });
    } else if (code == ZBADVERSION && ++change->attempts < kMaxAttempts) {
      Begin(change);
    } else {
      change->answer->Give(
          code == ZOK ? Status()
                      : Unavailable(url_.text + ": " + change->node + ": " + ZkError(code)));
    }
  };
  session_.Exists(change->node, [this, change, conclude](const ZkReply& seen) {
    if (seen.code != ZOK) return conclude(seen.code);
    session_.Set(change->node, change->weight, seen.version,
                 [conclude](const ZkReply& reply) { conclude(reply.code); });
  });
}

}  // namespace weir::discovery
