// KeptProviders: which providers stay in use although the registry no longer shows them.
//
// A registry that suddenly shows none, or less than half, of the providers it showed a moment ago
// is more likely to be ill (wiped, restored from an old copy, all sessions expired at once) than
// they are. Their connections know: a missing provider stays in the list as long as it answers on
// one, up to a limit. The same idea: Eureka's self-preservation, Envoy's panic threshold.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "client/live_links.h"
#include "weir/registry.h"

namespace weir::detail {

// Not thread-safe. Pure but for what it remembers: the clock and the evidence come from outside.
class KeptProviders {
 public:
  using Clock = std::chrono::steady_clock;
  using EvidenceOf = std::function<LiveLinks::Evidence(const std::string& address)>;

  // A provider that is missed has this long to answer.
  static constexpr std::chrono::milliseconds kProof{2000};
  // The shrinking of a list is measured against all that was in it so long ago: a mass expiry may
  // arrive in several steps.
  static constexpr std::chrono::seconds kMemory{10};

  // `limit`: how long a provider is kept; 0: nothing is ever kept.
  explicit KeptProviders(std::chrono::nanoseconds limit) : limit_(limit) {}

  // The registry shows `announced` (sorted by address). The list to use.
  ProviderList Update(const ProviderList& announced, Clock::time_point now);
  // Lets go of those that did not answer in time, that are no longer connected, or whose time is
  // over. Returns whether the list has changed.
  bool Review(const EvidenceOf& evidence, Clock::time_point now);

  // What the registry shows, and those that are kept; sorted by address. Null before Update.
  const ProviderList& list() const noexcept { return list_; }
  std::size_t size() const noexcept { return kept_.size(); }
  bool empty() const noexcept { return kept_.empty(); }
  std::vector<std::string> addresses() const;
  // Those that the last Update released because the registry shows them again.
  const std::vector<std::string>& returned() const noexcept { return returned_; }
  // How many of those kept have answered.
  std::size_t proven() const noexcept;

 private:
  struct Kept {
    Provider provider;
    Clock::time_point since;
    bool proven = false;
  };
  struct Seen {
    Provider provider;
    Clock::time_point last;
  };

  void Merge();

  const std::chrono::nanoseconds limit_;
  ProviderList announced_;
  ProviderList list_;
  std::vector<std::string> returned_;
  std::map<std::string, Kept> kept_;
  std::map<std::string, Seen> seen_;  // within kMemory
};

}  // namespace weir::detail
