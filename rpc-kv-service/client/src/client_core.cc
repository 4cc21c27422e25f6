#include "client_core.h"

#include <utility>

#include "weir/kv/refusal.h"

namespace weir::kv {

ClientCore::ClientCore(const Channel& channel, std::string registry_url,
                       const ClientOptions& options)
    : registry_url_(std::move(registry_url)),
      cluster_(options.cluster),
      timeout_(options.timeout),
      runtime_(options.runtime),
      stub_(channel),
      retries_([this] {
        // Should it fail, the request meets the same refusal again, and that is what is told.
        if (membership_) (void)membership_->Refresh();
      }) {}

Status ClientCore::Open() {
  auto registry = Registries().Open(registry_url_);
  if (!registry.ok()) return std::move(registry).status();
  if (cluster_.empty()) return OpenSingle(*std::move(registry));
  auto membership = Membership::Open(*std::move(registry), cluster_);
  if (!membership.ok()) return std::move(membership).status();
  membership_ = *std::move(membership);
  const auto members = membership_->Current();
  return members.ok() ? Status() : members.status();
}

Status ClientCore::OpenSingle(std::shared_ptr<Registry> registry) {
  registry_ = std::move(registry);
  auto subscription =
      registry_->Watch(std::string(Kv::kInfo.full_name), [this](ProviderList providers) {
        {
          const std::lock_guard lock(mutex_);
          providers_ = std::move(providers);
        }
        changed_.notify_all();
      });
  if (!subscription.ok()) return std::move(subscription).status();
  subscription_ = *std::move(subscription);
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, timeout_, [this] { return providers_ != nullptr; })) {
    return Unavailable("registry " + registry_url_ +
                       " has not answered; check the address and that it runs");
  }
  return {};
}

void ClientCore::Close() {
  retries_.Close();
  subscription_.reset();
}

Result<Destination> ClientCore::Single() const {
  const std::lock_guard lock(mutex_);
  if (providers_->empty()) {
    return Unavailable("no provider of " + std::string(Kv::kInfo.full_name) + " is registered at " +
                       registry_url_);
  }
  if (providers_->size() > 1) {
    return FailedPrecondition(std::to_string(providers_->size()) + " providers of " +
                              std::string(Kv::kInfo.full_name) + " are registered at " +
                              registry_url_ +
                              ", and without a cluster there may be one; name the cluster");
  }
  return Destination{providers_->front().address, 0};
}

Result<Destination> ClientCore::Route(std::string_view key) const {
  if (!membership_) return Single();
  const auto members = membership_->Current();
  if (!members.ok()) return members.status();
  return Destination{(*members)->OwnerOf(key).address, (*members)->epoch()};
}

Result<Destination> ClientCore::Route(const BatchRequest& request) const {
  if (request.steps().empty())
    return InvalidArgument("the batch is empty: put or delete something");
  const std::string& first = request.steps(0).key();
  if (!membership_) return Single();
  const auto members = membership_->Current();
  if (!members.ok()) return members.status();
  const Member& owner = (*members)->OwnerOf(first);
  for (const BatchStep& step : request.steps()) {
    const Member& other = (*members)->OwnerOf(step.key());
    if (&other == &owner) continue;
    return InvalidArgument("the keys of a batch must have one owner, but " + QuoteKey(first) +
                           " belongs to " + owner.address + " and " + QuoteKey(step.key()) +
                           " to " + other.address + "; write them apart");
  }
  return Destination{owner.address, (*members)->epoch()};
}

Result<std::vector<Destination>> ClientCore::All() const {
  std::vector<Destination> all;
  if (!membership_) {
    auto single = Single();
    if (!single.ok()) return std::move(single).status();
    all.push_back(*std::move(single));
    return all;
  }
  const auto members = membership_->Current();
  if (!members.ok()) return members.status();
  for (const Member& member : (*members)->list().members) {
    all.push_back({member.address, (*members)->epoch()});
  }
  return all;
}

Result<std::shared_ptr<const Ownership>> ClientCore::Members() const {
  if (!membership_) {
    return FailedPrecondition("this client was opened without a cluster: there is no member list");
  }
  return membership_->Current();
}

Status ExplainFailure(const Status& status, const std::string& what, const std::string& owner) {
  if (status.code() != StatusCode::kUnavailable) return status;
  return {
      StatusCode::kUnavailable,
      what + " belongs to " + owner + ", which cannot be reached: " + std::string(status.message()),
      std::string(status.details())};
}

bool IsStale(const Status& status) {
  const auto refusal = RefusalOf(status);
  return refusal && refusal->reason() == OwnershipRefusal::OTHER_EPOCH;
}

}  // namespace weir::kv
