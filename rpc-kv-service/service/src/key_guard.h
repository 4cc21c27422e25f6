// KeyGuard: which keys this provider may answer for.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "weir/kv/members.h"
#include "weir/registry.h"
#include "weir/status.h"

namespace weir::kv {

// Thread-safe; checking takes no lock. Every member list it has met is kept as long as it lives:
// lists change by an operator's hand, and calls may be looking at an old one.
class KeyGuard {
 public:
  KeyGuard(std::string address, std::string store_id);

  // From now on this provider is one of a cluster. Once, before the first check.
  Status Join(std::shared_ptr<Registry> registry, std::string cluster);

  // OK if a request that carries `epoch` may be answered here: without a cluster if it carries
  // none, else if the member list of that epoch names this provider, with its store.
  Status CheckEpoch(std::uint64_t epoch) const;
  // OK if moreover the key is this provider's.
  Status Check(std::uint64_t epoch, std::string_view key) const;
  // True if the key is this provider's.
  bool Owns(std::string_view key) const noexcept;

  const std::string& address() const noexcept { return address_; }
  const std::string& cluster() const noexcept { return cluster_; }
  std::uint64_t epoch() const noexcept;
  // Why keys are refused; OK if they are served.
  Status refusal() const;

 private:
  // What one member list means for this provider.
  struct Claim {
    std::shared_ptr<const Ownership> ownership;  // null: no list
    std::uint64_t epoch = 0;
    const Member* self = nullptr;
    Status refusal;
  };
  void OnMembers(const std::shared_ptr<const Ownership>& ownership, const Status& why);
  Status WhyNotMember(const Ownership& ownership) const;
  Status CheckEpoch(const Claim* claim, std::uint64_t epoch) const;
  const Claim* current() const noexcept { return current_.load(std::memory_order_acquire); }

  const std::string address_;
  const std::string store_id_;
  std::string cluster_;
  std::vector<std::unique_ptr<const Claim>> claims_;  // touched by the listener only
  std::atomic<const Claim*> current_{nullptr};        // null: no cluster
  std::unique_ptr<Membership> membership_;            // last: its listener uses the above
};

}  // namespace weir::kv
