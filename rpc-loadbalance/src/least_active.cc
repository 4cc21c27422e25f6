// least_active: the fewest calls in flight over weight, (active + 1) / weight; ties at random.
//
// Ties must be broken at random: with a fixed order many clients that all see idle servers crowd
// the same one. Above kScanned providers a random sample is compared instead of all of them; the
// loss is small (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001).
#include <algorithm>
#include <array>

#include "arithmetic.h"
#include "exclusion.h"
#include "strategies.h"
#include "weights.h"

namespace weir {
namespace {

constexpr Index kScanned = 256;
constexpr Index kSampled = 32;

struct Tables {
  bool equal_weights = true;
  std::vector<std::uint32_t> weights;
  std::vector<const Endpoint*> endpoints;
};

std::shared_ptr<const void> Build(const Snapshot& snapshot, const Parameters&, const Snapshot*) {
  auto tables = std::make_shared<Tables>();
  tables->weights = EffectiveWeights(snapshot.providers());
  tables->equal_weights = AllEqual(tables->weights);
  for (const auto& endpoint : snapshot.endpoints()) tables->endpoints.push_back(endpoint.get());
  return tables;
}

// (active + 1) / weight, compared without a division.
struct Load {
  std::uint64_t calls;   // active + 1
  std::uint64_t weight;  // 0: not to be chosen

  friend bool operator<(const Load& a, const Load& b) noexcept {
    return a.calls * b.weight < b.calls * a.weight;
  }
  friend bool operator==(const Load& a, const Load& b) noexcept {
    return a.calls * b.weight == b.calls * a.weight;
  }
};

// The counters are read once, into `loads`: they change while we look.
template <std::size_t kCapacity>
Index LeastOf(const std::array<Load, kCapacity>& loads, Index count, std::uint64_t word) noexcept {
  Load least{1, 0};  // more than any load
  Index ties = 0;
  for (Index i = 0; i < count; ++i) {
    if (loads[i].weight == 0) continue;
    if (loads[i] < least) {
      least = loads[i];
      ties = 1;
    } else if (loads[i] == least) {
      ++ties;
    }
  }
  if (ties == 0) return kNone;
  Index skip = Below(word, ties);
  for (Index i = 0; i < count; ++i) {
    if (loads[i].weight != 0 && loads[i] == least && skip-- == 0) return i;
  }
  return kNone;
}

Load LoadOf(const Tables& tables, Index i) noexcept {
  const std::uint32_t active = tables.endpoints[i]->active.load(std::memory_order_relaxed);
  return {std::uint64_t{active} + 1, tables.weights[i]};
}

// All providers, kScanned at a time: the best of the blocks' bests.
Index Scan(const Tables& tables, const PickContext& context) noexcept {
  const auto n = static_cast<Index>(tables.endpoints.size());
  Index best = kNone;
  Load least{1, 0};
  std::uint64_t ties = 0;
  for (Index begin = 0; begin < n; begin += kScanned) {
    std::array<Load, kScanned> loads;
    const Index count = std::min(kScanned, n - begin);
    for (Index i = 0; i < count; ++i) loads[i] = LoadOf(tables, begin + i);
    for (const Index i : context.excluded) {
      if (i >= begin && i < begin + count) loads[i - begin].weight = 0;
    }
    const Index found = LeastOf(loads, count, NextWord(context.random, begin));
    if (found == kNone) continue;
    if (best != kNone && least < loads[found]) continue;
    ties = best != kNone && loads[found] == least ? ties + 1 : 1;
    if (ties > 1 && Below(NextWord(context.random, begin + 1), ties) != 0) continue;
    best = begin + found;
    least = loads[found];
  }
  return best;
}

Index Sample(const Tables& tables, const PickContext& context) noexcept {
  std::array<Load, kSampled> loads;
  std::array<Index, kSampled> sampled;
  for (Index i = 0; i < kSampled; ++i) {
    sampled[i] = Below(NextWord(context.random, i), tables.endpoints.size());
    loads[i] = LoadOf(tables, sampled[i]);
    if (!context.excluded.empty() && IsExcluded(context, sampled[i])) loads[i].weight = 0;
  }
  const Index found = LeastOf(loads, kSampled, context.random);
  return found == kNone ? Scan(tables, context) : sampled[found];
}

Index Pick(const RequestView&, const Snapshot& snapshot, const PickContext& context) noexcept {
  if (snapshot.size() == 0) return kNone;
  const auto& tables = *static_cast<const Tables*>(snapshot.tables());
  return snapshot.size() <= kScanned ? Scan(tables, context) : Sample(tables, context);
}

}  // namespace

LoadBalance LeastActiveStrategy() noexcept {
  return {.pick = Pick, .build = Build};
}

}  // namespace weir
