#include "lab/contestant.h"

#include <algorithm>
#include <utility>

#include "lab/client_model.h"

namespace weir::lab {
namespace {

constexpr std::string_view kFixedTies = "least_active_fixed_ties";

}  // namespace

void InstallLabStrategies() {
  LoadBalances().Add(std::string(kFixedTies),
                     [](const RequestView&, const Snapshot& snapshot,
                        const PickContext& context) noexcept -> Index {
                       Index least = kNone;
                       for (Index i = 0; i < snapshot.size(); ++i) {
                         if (IsExcluded(context, i)) continue;
                         if (least == kNone || snapshot.active(i) < snapshot.active(least))
                           least = i;
                       }
                       return least;
                     });
}

std::vector<std::string> ComparedStrategies() {
  std::vector<std::string> names = LoadBalances().Names();
  std::erase(names, std::string(kFixedTies));
  return names;
}

Result<Contestant> Contestant::Make(const std::string& text) {
  Contestant made;
  made.name = text;
  if (made.is_oracle()) {
    made.keyed = text == kKeyedOracle;
    return made;
  }
  Result<ConfiguredLoadBalance> balance = LoadBalances().Configure(text);
  if (!balance.ok()) return std::move(balance).status();
  made.balance = *std::move(balance);
  made.keyed = IsKeyed(made.balance);
  return made;
}

}  // namespace weir::lab
