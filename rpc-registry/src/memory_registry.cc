// mem://name: a registry inside the process, shared by all who open the same name.
#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <utility>

#include "executor.h"
#include "facts.h"
#include "listener.h"
#include "node.h"
#include "schemes.h"
#include "weir/address.h"

namespace weir::discovery {
namespace {

// What one name holds. Lives as long as the process, like a server that outlives its clients.
// Thread-safe. Listeners are called by the executors of the registries that brought them; posting
// under the lock keeps every listener's calls in the order of the changes.
class Space {
 public:
  template <class Value>
  struct Follower {
    Executor* executor;
    std::shared_ptr<ListenerSlot<Value>> slot;
    void Tell(const Value& value) const {
      executor->Post([called = slot, value] { called->Call(value); });
    }
  };

  static Space& Named(const std::string& name) {
    static auto* const mutex = new std::mutex;
    static auto* const spaces = new std::map<std::string, std::unique_ptr<Space>>;
    const std::lock_guard lock(*mutex);
    std::unique_ptr<Space>& space = (*spaces)[name];
    if (!space) space = std::make_unique<Space>();
    return *space;
  }

  std::uint64_t Add(const Instance& instance) {
    const std::lock_guard lock(mutex_);
    claims_[instance.service][instance.address].push_back(
        {.id = next_claim_,
         .weight = instance.weight,
         .since = std::chrono::system_clock::now(),
         .facts = WithStart(instance.facts)});
    Tell(instance.service);
    return next_claim_++;
  }
  void Remove(const Instance& instance, std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    auto& addresses = claims_[instance.service];
    auto& claims = addresses[instance.address];
    std::erase_if(claims, [&](const Claim& claim) { return claim.id == id; });
    if (claims.empty()) addresses.erase(instance.address);
    Tell(instance.service);
  }
  void SetWeight(const Instance& instance, std::uint64_t id, std::int32_t weight) {
    const std::lock_guard lock(mutex_);
    for (Claim& claim : claims_[instance.service][instance.address]) {
      if (claim.id == id) claim.weight = weight;
    }
    Tell(instance.service);
  }
  std::vector<ProviderEntry> Inspect(const std::string& service) {
    const std::lock_guard lock(mutex_);
    std::vector<ProviderEntry> entries;
    for (const auto& [address, claims] : claims_[service]) {
      const Claim& claim = claims.back();
      const std::string text = std::to_string(claim.weight);
      entries.push_back({.address = address,
                         .weight_text = text,
                         .weight = EffectiveWeight(text),
                         .since = claim.since,
                         .facts = claim.facts});
    }
    return entries;
  }
  Status Reweigh(const std::string& service, const std::string& address, std::int32_t weight) {
    const std::lock_guard lock(mutex_);
    auto& addresses = claims_[service];
    const auto claims = addresses.find(address);
    if (claims == addresses.end()) {
      return NotFound("no provider of " + service + " is registered at " + address);
    }
    claims->second.back().weight = weight;
    Tell(service);
    return {};
  }
  std::vector<std::string> Services() {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> services;
    for (const auto& [service, addresses] : claims_) {
      if (!addresses.empty()) services.push_back(service);
    }
    return services;
  }
  void Follow(const std::string& service, const Follower<ProviderList>& follower) {
    const std::lock_guard lock(mutex_);
    followers_[service].push_back(follower);
    follower.Tell(List(service));
  }
  void Forget(const std::string& service, const std::shared_ptr<ProviderSlot>& slot) {
    const std::lock_guard lock(mutex_);
    std::erase_if(followers_[service], [&](const auto& follower) { return follower.slot == slot; });
  }

  Document ReadDocument(const std::string& path) {
    const std::lock_guard lock(mutex_);
    return documents_[path].value;
  }
  Result<std::int64_t> WriteDocument(const std::string& path, std::string_view content,
                                     std::int64_t expected_version) {
    const std::lock_guard lock(mutex_);
    Kept& kept = documents_[path];
    if (kept.value.version != expected_version) {
      return Aborted("document " + path + " has version " + std::to_string(kept.value.version) +
                     ", not " + std::to_string(expected_version) + "; read it again");
    }
    kept.value = {std::string(content), expected_version + 1};
    for (const auto& follower : kept.followers) follower.Tell(kept.value);
    return kept.value.version;
  }
  void FollowDocument(const std::string& path, const Follower<Document>& follower) {
    const std::lock_guard lock(mutex_);
    documents_[path].followers.push_back(follower);
    follower.Tell(documents_[path].value);
  }
  void ForgetDocument(const std::string& path, const std::shared_ptr<DocumentSlot>& slot) {
    const std::lock_guard lock(mutex_);
    std::erase_if(documents_[path].followers,
                  [&](const auto& follower) { return follower.slot == slot; });
  }

 private:
  struct Claim {
    std::uint64_t id;
    std::int32_t weight;
    std::chrono::system_clock::time_point since;
    Facts facts;
  };
  struct Kept {
    Document value;
    std::vector<Follower<Document>> followers;
  };

  ProviderList List(const std::string& service) {
    auto list = std::make_shared<std::vector<Provider>>();
    for (const auto& [address, claims] : claims_[service]) {
      // As with a provider that restarted on its port: the newest claim counts.
      const Claim& claim = claims.back();
      Provider& provider = list->emplace_back(Provider{.address = address});
      if (claim.weight != kWeightUnset) provider.weight = claim.weight;
      TakeFacts(claim.facts, provider);
    }
    return list;
  }
  void Tell(const std::string& service) {
    const ProviderList list = List(service);
    for (const auto& follower : followers_[service]) follower.Tell(list);
  }

  std::mutex mutex_;
  std::uint64_t next_claim_ = 1;
  std::map<std::string, std::map<std::string, std::vector<Claim>>> claims_;
  std::map<std::string, std::vector<Follower<ProviderList>>> followers_;
  std::map<std::string, Kept> documents_;
};

class MemoryRegistration final : public Registration {
 public:
  MemoryRegistration(Space& space, Instance instance)
      : space_(space), instance_(std::move(instance)), id_(space_.Add(instance_)) {}
  ~MemoryRegistration() override { space_.Remove(instance_, id_); }
  void SetWeight(std::int32_t weight) override {
    space_.SetWeight(instance_, id_, AnnouncedWeight(weight));
  }

 private:
  Space& space_;
  const Instance instance_;
  const std::uint64_t id_;
};

class MemoryRegistry final : public Registry, public DocumentStore {
 public:
  explicit MemoryRegistry(Space& space) : space_(space) {}
  ~MemoryRegistry() override { executor_.Stop(); }

  Result<std::unique_ptr<Registration>> Register(Instance instance) override {
    if (Status status = CheckInstance(instance, Reach::kMachine); !status.ok()) return status;
    instance.address = Address::Parse(instance.address)->ToString();
    return std::unique_ptr<Registration>(
        std::make_unique<MemoryRegistration>(space_, std::move(instance)));
  }

  Result<std::unique_ptr<Subscription>> Watch(std::string service,
                                              ProviderListener listener) override {
    if (Status status = CheckService(service); !status.ok()) return status;
    auto slot = std::make_shared<ProviderSlot>(std::move(listener));
    space_.Follow(service, {&executor_, slot});
    return std::unique_ptr<Subscription>(std::make_unique<SlotSubscription<ProviderList>>(
        slot, [this, service, slot] { space_.Forget(service, slot); }));
  }

  Status WaitUntilRegistered(std::int64_t) override { return {}; }
  Result<std::vector<std::string>> Services() override { return space_.Services(); }
  Result<std::vector<ProviderEntry>> Inspect(std::string_view service) override {
    if (Status status = CheckService(service); !status.ok()) return status;
    return space_.Inspect(std::string(service));
  }
  Status Reweigh(std::string_view service, std::string_view address, std::int32_t weight) override {
    Instance instance{std::string(service), std::string(address), weight};
    if (Status status = CheckInstance(instance, Reach::kMachine); !status.ok()) return status;
    return space_.Reweigh(instance.service, Address::Parse(address)->ToString(), weight);
  }
  DocumentStore* documents() noexcept override { return this; }

  Result<Document> Read(std::string_view path) override {
    if (Status status = CheckDocumentPath(path); !status.ok()) return status;
    return space_.ReadDocument(std::string(path));
  }
  Result<std::int64_t> Write(std::string_view path, std::string_view content,
                             std::int64_t expected_version) override {
    if (Status status = CheckDocumentPath(path); !status.ok()) return status;
    return space_.WriteDocument(std::string(path), content, expected_version);
  }
  Result<std::unique_ptr<Subscription>> Watch(std::string_view path,
                                              DocumentListener listener) override {
    if (Status status = CheckDocumentPath(path); !status.ok()) return status;
    auto slot = std::make_shared<DocumentSlot>(std::move(listener));
    space_.FollowDocument(std::string(path), {&executor_, slot});
    return std::unique_ptr<Subscription>(std::make_unique<SlotSubscription<Document>>(
        slot, [this, key = std::string(path), slot] { space_.ForgetDocument(key, slot); }));
  }

 private:
  Space& space_;
  Executor executor_;
};

}  // namespace

Result<std::shared_ptr<Registry>> OpenMemoryRegistry(const RegistryUrl& url) {
  if (url.rest.empty()) {
    return InvalidArgument("registry '" + url.text + "': the name is missing; expected mem://name");
  }
  return std::shared_ptr<Registry>(std::make_shared<MemoryRegistry>(Space::Named(url.rest)));
}

}  // namespace weir::discovery
