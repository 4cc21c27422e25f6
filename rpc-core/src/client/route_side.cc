#include "client/route_side.h"

#include <algorithm>
#include <string_view>

#include "client/client_shard.h"
#include "client/outlier_watch.h"

namespace weir::detail {

Index PositionOf(const Snapshot& snapshot, std::string_view address) noexcept {
  const auto providers = snapshot.providers();
  const auto found =
      std::lower_bound(providers.begin(), providers.end(), address,
                       [](const Provider& p, std::string_view a) { return p.address < a; });
  if (found == providers.end() || found->address != address) return kNone;
  return static_cast<Index>(found - providers.begin());
}

void RouteSide::Use(const Snapshot* providers, ClientShard& client) {
  snapshot = providers;
  links.clear();
  if (providers == nullptr) return;
  for (const Provider& provider : providers->providers()) {
    links.push_back(&client.Link(provider.address));
  }
}

void RouteSide::FindUnusable(const std::vector<EjectedProvider>& ejected,
                             std::uint32_t panic_percent) {
  unusable.clear();
  on_trial.clear();
  for (std::size_t i = 0; i < links.size(); ++i) {
    if (!links[i]->IsUsable()) unusable.push_back(static_cast<Index>(i));
  }
  if (ejected.empty() || snapshot == nullptr) return;
  const std::size_t out_of_reach = unusable.size();
  for (const EjectedProvider& one : ejected) {
    const Index i = PositionOf(*snapshot, one.address);
    if (i == kNone || !links[i]->IsUsable()) continue;
    (one.on_trial ? on_trial : unusable).push_back(i);
  }
  const std::size_t left = links.size() - unusable.size() - on_trial.size();
  if (100 * left < panic_percent * links.size()) {
    unusable.resize(out_of_reach);
    on_trial.clear();
  }
  std::sort(unusable.begin(), unusable.end());
}

void RouteSide::EndTrial(const ProviderLink& link) {
  for (const Index i : on_trial) {
    if (links[i] != &link) continue;
    unusable.insert(std::lower_bound(unusable.begin(), unusable.end(), i), i);
    std::erase(on_trial, i);
    return;
  }
}

}  // namespace weir::detail
