// zk://[user:password@]h1:2181,h2:2181/rpc: the registry in ZooKeeper.
// <root>/<service>/<host:port> is an ephemeral node whose data is the weight; in the same place of
// <root>-meta lie the facts about the provider.
#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "board.h"
#include "executor.h"
#include "listener.h"
#include "node.h"
#include "weir/address.h"
#include "weir/plugins.h"
#include "zookeeper/documents.h"
#include "zookeeper/operator_calls.h"
#include "zookeeper/provider_node.h"
#include "zookeeper/service_watch.h"
#include "zookeeper/session.h"
#include "zookeeper/zk_url.h"

namespace weir::discovery {
namespace {

// How often wanted and actual are compared, should an event ever be missed; +-20 %.
constexpr std::chrono::seconds kReconcile{30};
// Within so long after a reconnection every own node is looked at.
constexpr int kMaxReturnMs = 500;

class ZkRegistry final : public Registry, private ZkSession::Observer {
 public:
  explicit ZkRegistry(const ZkUrl& url)
      : url_(url),
        board_(url_.text),
        session_(url_, executor_, counters_, *this),
        documents_(url_, executor_, session_),
        operators_(url_, executor_, session_, counters_) {
    board_.SetObstacle(session_.health().trouble);
    executor_.Post([this] {
      session_.Start();
      ScheduleReconcile();
    });
  }
  ~ZkRegistry() override { executor_.Stop(); }

  Result<std::unique_ptr<Registration>> Register(Instance instance) override;
  Result<std::unique_ptr<Subscription>> Watch(std::string service,
                                              ProviderListener listener) override;
  Status WaitUntilRegistered(std::int64_t timeout_ms) override { return board_.Wait(timeout_ms); }
  Result<std::vector<std::string>> Services() override;
  RegistryCounters counters() const override { return counters_.Read(); }
  RegistryHealth health() const override { return session_.health(); }
  Result<std::vector<ProviderEntry>> Inspect(std::string_view service) override {
    return operators_.Inspect(service);
  }
  Status Reweigh(std::string_view service, std::string_view address, std::int32_t weight) override {
    return operators_.Reweigh(service, address, weight);
  }
  DocumentStore* documents() noexcept override { return &documents_; }

 private:
  class ZkRegistration;

  void OnConnected(bool fresh) override;
  void OnTrouble(const std::string& why) override { board_.SetObstacle(why); }
  void OnSessionLost() override;
  void OnChange(const std::string& path, bool deleted) override;
  void Withdraw(const std::shared_ptr<ProviderNode>& node);
  void KeepSoon(const std::shared_ptr<ProviderNode>& node);
  void ForgetFinished();
  void ScheduleReconcile();

  const ZkUrl url_;
  RegistrationBoard board_;
  Counters counters_;
  std::minstd_rand random_{std::random_device{}()};
  // Before the session, which is closed only when the executor has been stopped.
  Executor executor_;
  ZkSession session_;
  ZkDocuments documents_;
  OperatorCalls operators_;
  // The executor's thread only.
  bool connected_before_ = false;
  std::multimap<std::string, std::shared_ptr<ProviderNode>> nodes_;  // by path
  std::vector<std::shared_ptr<ProviderNode>> leaving_;               // withdrawn, not yet gone
  std::map<std::string, std::shared_ptr<ServiceWatch>> watches_;     // by path
};

class ZkRegistry::ZkRegistration final : public Registration {
 public:
  ZkRegistration(ZkRegistry& registry, std::shared_ptr<ProviderNode> node, std::uint64_t board_id)
      : registry_(registry), node_(std::move(node)), board_id_(board_id) {}
  ~ZkRegistration() override {
    registry_.board_.Remove(board_id_);
    registry_.executor_.Post([&registry = registry_, gone = node_] { registry.Withdraw(gone); });
  }
  void SetWeight(std::int32_t weight) override {
    registry_.executor_.Post(
        [changed = node_, weight] { changed->SetWeight(AnnouncedWeight(weight)); });
  }

 private:
  ZkRegistry& registry_;
  const std::shared_ptr<ProviderNode> node_;
  const std::uint64_t board_id_;
};

Result<std::unique_ptr<Registration>> ZkRegistry::Register(Instance instance) {
  if (Status status = CheckInstance(instance, Reach::kNetwork); !status.ok()) return status;
  instance.address = Address::Parse(instance.address)->ToString();
  const std::uint64_t board_id = board_.Add(instance.service + " at " + instance.address);
  auto node = ProviderNode::Make(Surroundings{url_.text, executor_, session_, counters_, random_},
                                 board_, url_.root, instance, board_id);
  executor_.Post([this, node] {
    nodes_.emplace(node->path(), node);
    node->Keep();
  });
  return std::unique_ptr<Registration>(
      std::make_unique<ZkRegistration>(*this, std::move(node), board_id));
}

Result<std::unique_ptr<Subscription>> ZkRegistry::Watch(std::string service,
                                                        ProviderListener listener) {
  if (Status status = CheckService(service); !status.ok()) return status;
  auto slot = std::make_shared<ProviderSlot>(std::move(listener));
  const std::string path = url_.root + "/" + service;
  executor_.Post([this, path, service, slot] {
    std::shared_ptr<ServiceWatch>& watch = watches_[path];
    const bool first = !watch;
    if (first) {
      watch = std::make_shared<ServiceWatch>(
          Surroundings{url_.text, executor_, session_, counters_, random_}, url_.root, service);
    }
    watch->feed().Add(slot);
    if (first) watch->Refresh();
  });
  return std::unique_ptr<Subscription>(
      std::make_unique<SlotSubscription<ProviderList>>(slot, [this, path, slot] {
        // The reading goes on when nobody listens any more: who comes back finds it up to date.
        executor_.Post([this, path, slot] { watches_[path]->feed().Remove(slot); });
      }));
}

Result<std::vector<std::string>> ZkRegistry::Services() {
  Result<std::vector<std::string>> services = documents_.List(url_.root);
  if (!services.ok()) return services;
  std::erase_if(*services, [](const std::string& name) { return !CheckService(name).ok(); });
  std::sort(services->begin(), services->end());
  return services;
}

void ZkRegistry::OnConnected(bool fresh) {
  board_.SetObstacle({});
  documents_.OnConnected();
  operators_.OnConnected();
  for (const auto& node : leaving_) node->Keep();
  for (const auto& [path, watch] : watches_) watch->Forget(fresh);
  if (!std::exchange(connected_before_, true)) {
    for (const auto& [path, node] : nodes_) node->Keep();
    for (const auto& [path, watch] : watches_) watch->Refresh();
    return;
  }
  // What brought this connection down may have done the same to everybody's: not all at once.
  for (const auto& [path, node] : nodes_) KeepSoon(node);
  for (const auto& [path, watch] : watches_) watch->RefreshSoon();
}

void ZkRegistry::KeepSoon(const std::shared_ptr<ProviderNode>& node) {
  const int delay = std::uniform_int_distribution<int>(0, kMaxReturnMs)(random_);
  executor_.PostAfter(std::chrono::milliseconds(delay), [weak = std::weak_ptr(node)] {
    if (const auto self = weak.lock()) self->Keep();
  });
}

void ZkRegistry::OnSessionLost() {
  for (const auto& [path, node] : nodes_) node->OnSessionLost();
  for (const auto& node : leaving_) node->OnSessionLost();
  ForgetFinished();
}

void ZkRegistry::OnChange(const std::string& path, bool deleted) {
  if (documents_.OnChange(path)) return;
  const std::string facts_root = FactsRoot(url_.root);
  if (path.starts_with(facts_root + "/")) {
    const auto [begin, end] = nodes_.equal_range(url_.root + path.substr(facts_root.size()));
    for (auto node = begin; node != end; ++node) node->second->OnFactsChange(deleted);
    return;
  }
  const auto [begin, end] = nodes_.equal_range(path);
  for (auto node = begin; node != end; ++node) node->second->OnChange(deleted);
  auto watch = watches_.find(path);
  if (watch == watches_.end()) watch = watches_.find(path.substr(0, path.rfind('/')));
  if (watch != watches_.end()) watch->second->OnChange(path, deleted);
}

void ZkRegistry::Withdraw(const std::shared_ptr<ProviderNode>& node) {
  const auto [begin, end] = nodes_.equal_range(node->path());
  const auto self = std::find_if(begin, end, [&](const auto& one) { return one.second == node; });
  if (self != end) nodes_.erase(self);
  leaving_.push_back(node);
  node->Withdraw(/*has_successor=*/nodes_.contains(node->path()));
  ForgetFinished();
}

void ZkRegistry::ForgetFinished() {
  std::erase_if(leaving_, [](const auto& node) { return node->finished(); });
}

void ZkRegistry::ScheduleReconcile() {
  const auto spread = std::uniform_int_distribution<int>(80, 120)(random_);
  executor_.PostAfter(kReconcile * spread / 100, [this] {
    ForgetFinished();
    for (const auto& [path, node] : nodes_) node->Keep();
    for (const auto& node : leaving_) node->Keep();
    for (const auto& [path, watch] : watches_) {
      watch->Forget(/*fresh=*/false);
      watch->Refresh();
    }
    documents_.Reconcile();
    ScheduleReconcile();
  });
}

Result<std::shared_ptr<Registry>> OpenZkRegistry(const RegistryUrl& text) {
  Result<ZkUrl> url = ZkUrl::Parse(text);
  if (!url.ok()) return std::move(url).status();
  return std::shared_ptr<Registry>(std::make_shared<ZkRegistry>(*url));
}

}  // namespace
}  // namespace weir::discovery

extern "C" void weir_install_zookeeper(weir::RegistryTable& table) {
  table.Add("zk", weir::discovery::OpenZkRegistry);
}
