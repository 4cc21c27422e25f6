// rendezvous: equal keys to the same provider, the one whose hash together with the key is highest
// (Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998). By weight: the
// highest -w / ln(u), which makes the parts exactly proportional and moves, when a weight changes,
// only the keys it must (Schindelhauer and Schomaker, "Weighted Distributed Hash Tables", 2005).
#include <cmath>

#include "address_order.h"
#include "arithmetic.h"
#include "explain.h"
#include "strategies.h"
#include "weights.h"

namespace weir {
namespace {

// Two words of a provider's own, from its address.
struct Node {
  std::uint64_t mask;
  std::uint64_t factor;

  // The upper and the lower half of a product, folded: as good as a random number for each key.
  std::uint64_t Hash(std::uint64_t key) const noexcept {
    const Wide product = static_cast<Wide>(key ^ mask) * factor;
    return static_cast<std::uint64_t>(product >> 64) ^ static_cast<std::uint64_t>(product);
  }
};

struct Tables {
  std::vector<Node> nodes;    // in the order of addresses
  std::vector<Index> owners;  // their positions in the list
  std::vector<double> times;  // 1 / weight; empty if all are equal
};

std::shared_ptr<const void> Build(const Snapshot& snapshot, const Parameters&, const Snapshot*) {
  auto tables = std::make_shared<Tables>();
  const std::vector<std::uint32_t> weights = EffectiveWeights(snapshot.providers());
  const bool equal = AllEqual(weights);
  for (const Index i : AddressOrder(snapshot.providers())) {
    if (weights[i] == 0) continue;
    const std::string& address = snapshot.provider(i).address;
    tables->nodes.push_back({AddressHash(address, 0), AddressHash(address, 1) | 1});
    tables->owners.push_back(i);
    if (!equal) tables->times.push_back(1.0 / weights[i]);
  }
  return tables;
}

// Which of the nodes; kNone if all are excluded. Of equal hashes the lower address wins.
Index Highest(const Tables& tables, std::uint64_t key) noexcept {
  Index best = 0;
  std::uint64_t highest = tables.nodes[0].Hash(key);
  const auto n = static_cast<Index>(tables.nodes.size());
  for (Index i = 1; i < n; ++i) {
    const std::uint64_t hash = tables.nodes[i].Hash(key);
    const bool higher = hash > highest;  // assignments, not a branch that nobody can predict
    best = higher ? i : best;
    highest = higher ? hash : highest;
  }
  return best;
}

Index HighestIncluded(const Tables& tables, const PickContext& context,
                      std::uint64_t key) noexcept {
  Index best = kNone;
  std::uint64_t highest = 0;
  const auto n = static_cast<Index>(tables.nodes.size());
  for (Index i = 0; i < n; ++i) {
    const std::uint64_t hash = tables.nodes[i].Hash(key);
    if ((best != kNone && hash <= highest) || IsExcluded(context, tables.owners[i])) continue;
    best = i;
    highest = hash;
  }
  return best;
}

// The highest -w / ln(u) is the least -ln(1 - x) / w, x = 1 - u. A logarithm is taken only where
// its lower bound x + x^2 / 2 could win, for about ln(n) + 1 of n.
Index HighestByWeight(const Tables& tables, const PickContext& context,
                      std::uint64_t key) noexcept {
  Index best = kNone;
  double least = 0;
  const auto n = static_cast<Index>(tables.nodes.size());
  for (Index i = 0; i < n; ++i) {
    const auto bits = static_cast<std::int64_t>(~tables.nodes[i].Hash(key) >> 11);
    const double x = (static_cast<double>(bits) + 0.5) * 0x1p-53;
    if (best != kNone && (x + 0.5 * x * x) * tables.times[i] >= least) continue;
    const double time = -std::log(1 - x) * tables.times[i];
    if (best != kNone && time >= least) continue;
    if (!context.excluded.empty() && IsExcluded(context, tables.owners[i])) continue;
    best = i;
    least = time;
  }
  return best;
}

Index Pick(const RequestView& request, const Snapshot& snapshot,
           const PickContext& context) noexcept {
  if (snapshot.size() == 0) return kNone;
  const auto& tables = *static_cast<const Tables*>(snapshot.tables());
  const std::uint64_t key = KeyWord(request, context);
  Index best;
  if (!tables.times.empty()) {
    best = HighestByWeight(tables, context, key);
  } else if (context.excluded.empty()) {
    best = Highest(tables, key);
  } else {
    best = HighestIncluded(tables, context, key);
  }
  return best == kNone ? kNone : tables.owners[best];
}

std::string Explain(const RequestView& request, const Snapshot& snapshot, const PickContext&,
                    Index picked) {
  if (picked == kNone) return kAllExcluded;
  const auto& tables = *static_cast<const Tables*>(snapshot.tables());
  return KeyOf(request) + ": the highest of " + std::to_string(tables.nodes.size()) +
         (tables.times.empty() ? " hashes" : " hashes, by weight");
}

}  // namespace

LoadBalance RendezvousStrategy() noexcept {
  return {.pick = Pick, .build = Build, .explain = Explain};
}

}  // namespace weir
