#include "key_guard.h"

#include <utility>

#include "weir/kv/refusal.h"
#include "weir/log.h"

namespace weir::kv {
namespace {

OwnershipRefusal MakeRefusal(OwnershipRefusal::Reason reason, std::uint64_t epoch) {
  OwnershipRefusal refusal;
  refusal.set_reason(reason);
  refusal.set_epoch(epoch);
  return refusal;
}

}  // namespace

KeyGuard::KeyGuard(std::string address, std::string store_id)
    : address_(std::move(address)), store_id_(std::move(store_id)) {}

Status KeyGuard::Join(std::shared_ptr<Registry> registry, std::string cluster) {
  cluster_ = cluster;
  auto membership = Membership::Open(std::move(registry), std::move(cluster),
                                     [this](const std::shared_ptr<const Ownership>& ownership,
                                            const Status& why) { OnMembers(ownership, why); });
  if (!membership.ok()) return std::move(membership).status();
  membership_ = *std::move(membership);
  return {};
}

void KeyGuard::OnMembers(const std::shared_ptr<const Ownership>& ownership, const Status& why) {
  auto claim = std::make_unique<Claim>();
  if (ownership == nullptr) {
    claim->refusal = Refuse(MakeRefusal(OwnershipRefusal::NO_MEMBER_LIST, 0),
                            address_ + " serves no keys: " + std::string(why.message()));
  } else {
    claim->ownership = ownership;
    claim->epoch = ownership->epoch();
    claim->self = ownership->list().Find(address_);
    claim->refusal = WhyNotMember(*ownership);
    if (!claim->refusal.ok()) claim->self = nullptr;
  }
  if (claim->refusal.ok()) {
    LogInfo(address_ + " is a member of cluster " + cluster_ + ", epoch " +
            std::to_string(claim->epoch));
  } else {
    LogWarning(claim->refusal.message());
  }
  const Claim* const published = claim.get();
  claims_.push_back(std::move(claim));
  current_.store(published, std::memory_order_release);
}

Status KeyGuard::WhyNotMember(const Ownership& ownership) const {
  const MemberList& list = ownership.list();
  const std::string cluster = "cluster " + cluster_ + ", epoch " + std::to_string(list.epoch);
  const auto refuse = [&](const std::string& why) {
    return Refuse(MakeRefusal(OwnershipRefusal::NOT_MEMBER, list.epoch),
                  address_ + " serves no keys: " + why);
  };
  if (const Member* self = list.Find(address_); self != nullptr) {
    if (self->store_id == store_id_) return {};
    return refuse(cluster + ", expects store " + self->store_id +
                  " at this address, but the data directory holds store " + store_id_ +
                  "; start it with the right data directory");
  }
  for (const Member& member : list.members) {
    if (member.store_id != store_id_) continue;
    return refuse(cluster + ", expects its store " + store_id_ + " at " + member.address +
                  "; start it there");
  }
  return refuse("it is not a member of " + cluster + "; add it with: weir-kv cluster add " +
                address_);
}

Status KeyGuard::CheckEpoch(const Claim* claim, std::uint64_t epoch) const {
  if (claim == nullptr) {
    if (epoch == 0) return {};
    return Refuse(MakeRefusal(OwnershipRefusal::NOT_MEMBER, 0),
                  address_ + " belongs to no cluster; start it with --cluster");
  }
  if (claim->ownership != nullptr && epoch != claim->epoch) {
    return Refuse(
        MakeRefusal(OwnershipRefusal::OTHER_EPOCH, claim->epoch),
        "the request is " +
            (epoch == 0 ? std::string("of no cluster") : "of epoch " + std::to_string(epoch)) +
            ", but " + address_ + " is at epoch " + std::to_string(claim->epoch) + " of cluster " +
            cluster_);
  }
  return claim->refusal;
}

Status KeyGuard::CheckEpoch(std::uint64_t epoch) const {
  return CheckEpoch(current(), epoch);
}

Status KeyGuard::Check(std::uint64_t epoch, std::string_view key) const {
  const Claim* const claim = current();
  if (Status status = CheckEpoch(claim, epoch); !status.ok() || claim == nullptr) return status;
  const Member& owner = claim->ownership->OwnerOf(key);
  if (&owner == claim->self) return {};
  OwnershipRefusal refusal = MakeRefusal(OwnershipRefusal::NOT_OWNER, claim->epoch);
  refusal.set_owner(owner.address);
  return Refuse(refusal, "key " + QuoteKey(key) + " belongs to " + owner.address + ", not to " +
                             address_ + " (cluster " + cluster_ + ", epoch " +
                             std::to_string(claim->epoch) + ")");
}

bool KeyGuard::Owns(std::string_view key) const noexcept {
  const Claim* const claim = current();
  if (claim == nullptr) return true;
  return claim->self != nullptr && &claim->ownership->OwnerOf(key) == claim->self;
}

std::uint64_t KeyGuard::epoch() const noexcept {
  const Claim* const claim = current();
  return claim == nullptr ? 0 : claim->epoch;
}

Status KeyGuard::refusal() const {
  const Claim* const claim = current();
  return claim == nullptr ? Status() : claim->refusal;
}

}  // namespace weir::kv
