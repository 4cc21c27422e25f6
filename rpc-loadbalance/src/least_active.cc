// least_active: the fewest calls in flight over weight, (active + 1) / weight; ties at random.
//
// Ties must be broken at random: with a fixed order many clients that all see idle servers crowd
// the same one. Above kScanned providers a random sample is compared instead of all of them; the
// loss is small (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001).
#include <algorithm>
#include <array>
#include <span>

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
};

std::shared_ptr<const void> Build(const Snapshot& snapshot, const Parameters&, const Snapshot*) {
  auto tables = std::make_shared<Tables>();
  tables->weights = EffectiveWeights(snapshot.providers());
  tables->equal_weights = AllEqual(tables->weights);
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

Load LoadOf(const Tables& tables, const Snapshot& snapshot, Index i) noexcept {
  return {std::uint64_t{snapshot.active(i)} + 1, tables.weights[i]};
}

// In the functions below the counters have been read once, into an array: they change while we
// look, and ties are counted first and chosen from then.

constexpr std::uint32_t kNotToBeChosen = ~std::uint32_t{0};

Index LeastCount(std::span<const std::uint32_t> counts, std::uint64_t word) noexcept {
  std::uint32_t least = kNotToBeChosen;
  for (const std::uint32_t count : counts) least = std::min(least, count);
  if (least == kNotToBeChosen) return kNone;
  Index ties = 0;
  for (const std::uint32_t count : counts) ties += count == least ? 1 : 0;
  Index skip = Below(word, ties);
  for (Index i = 0; i < counts.size(); ++i) {
    if (counts[i] == least && skip-- == 0) return i;
  }
  return kNone;
}

Index LeastLoad(std::span<const Load> loads, std::uint64_t word) noexcept {
  Load least{1, 0};  // more than any load
  Index ties = 0;
  for (const Load& load : loads) {
    if (load.weight == 0) continue;
    if (load < least) {
      least = load;
      ties = 1;
    } else if (load == least) {
      ++ties;
    }
  }
  if (ties == 0) return kNone;
  Index skip = Below(word, ties);
  for (Index i = 0; i < loads.size(); ++i) {
    if (loads[i].weight != 0 && loads[i] == least && skip-- == 0) return i;
  }
  return kNone;
}

Index ScanCounts(const Snapshot& snapshot, const PickContext& context) noexcept {
  std::array<std::uint32_t, kScanned> counts;
  const Index n = snapshot.size();
  for (Index i = 0; i < n; ++i) {
    counts[i] = std::min(snapshot.active(i), kNotToBeChosen - 1);
  }
  for (const Index i : context.excluded) {
    if (i < n) counts[i] = kNotToBeChosen;
  }
  return LeastCount({counts.data(), n}, context.random);
}

Index ScanLoads(const Tables& tables, const Snapshot& snapshot,
                const PickContext& context) noexcept {
  std::array<Load, kScanned> loads;
  const Index n = snapshot.size();
  for (Index i = 0; i < n; ++i) loads[i] = LoadOf(tables, snapshot, i);
  for (const Index i : context.excluded) {
    if (i < n) loads[i].weight = 0;
  }
  return LeastLoad({loads.data(), n}, context.random);
}

// For lists of any length, in one pass: each further tie takes over with probability 1 / ties.
Index Walk(const Tables& tables, const Snapshot& snapshot, const PickContext& context) noexcept {
  Index best = kNone;
  Load least{1, 0};
  std::uint64_t ties = 0;
  for (Index i = 0; i < snapshot.size(); ++i) {
    const Load load = LoadOf(tables, snapshot, i);
    if (load.weight == 0 || least < load || IsExcluded(context, i)) continue;
    ties = load == least ? ties + 1 : 1;
    if (ties > 1 && Below(NextWord(context.random, i), ties) != 0) continue;
    best = i;
    least = load;
  }
  return best;
}

Index Sample(const Tables& tables, const Snapshot& snapshot, const PickContext& context) noexcept {
  std::array<Load, kSampled> loads;
  std::array<Index, kSampled> sampled;
  for (Index i = 0; i < kSampled; ++i) {
    sampled[i] = Below(NextWord(context.random, i), snapshot.size());
    loads[i] = LoadOf(tables, snapshot, sampled[i]);
    if (!context.excluded.empty() && IsExcluded(context, sampled[i])) loads[i].weight = 0;
  }
  const Index found = LeastLoad(loads, context.random);
  return found == kNone ? Walk(tables, snapshot, context) : sampled[found];
}

Index Pick(const RequestView&, const Snapshot& snapshot, const PickContext& context) noexcept {
  if (snapshot.size() == 0) return kNone;
  const auto& tables = *static_cast<const Tables*>(snapshot.tables());
  if (snapshot.size() > kScanned) return Sample(tables, snapshot, context);
  return tables.equal_weights ? ScanCounts(snapshot, context)
                              : ScanLoads(tables, snapshot, context);
}

}  // namespace

LoadBalance LeastActiveStrategy() noexcept {
  return {.pick = Pick, .build = Build};
}

}  // namespace weir
