// least_active: the fewest calls in flight over weight, (active + 1) / weight; ties at random.
//
// Ties must be broken at random: with a fixed order many clients that all see idle servers crowd
// the same one. Above kMostCompared providers a random sample is compared instead of all of them;
// the loss is small (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001).
#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

#include "arithmetic.h"
#include "exclusion.h"
#include "explain.h"
#include "in_flight.h"
#include "strategies.h"
#include "weights.h"

namespace weir {
namespace {

constexpr Index kSampled = 32;

// What active + 1 is multiplied with: a common multiple of all weights, divided by the weight.
// Floats hold such numbers exactly up to 2^24, and many beyond; then equal fractions have equal
// products, rounded or not, and ties between different weights are ties. Where no such multiple is
// small enough, one fraction may come out ahead of an equal one by rounding. Different fractions
// count as equal if they differ by less than 2^-24 of their value.
std::vector<float> Factors(const std::vector<std::uint32_t>& weights) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr std::uint64_t kLargest = 1ULL << 40;
  std::uint64_t multiple = 1;
  for (const std::uint32_t weight : weights) {
    if (weight > 0 && multiple <= kLargest) multiple = std::lcm(multiple, weight);
  }
  bool exact = multiple <= kLargest;
  for (const std::uint32_t weight : weights) {
    if (weight == 0 || !exact) continue;
    const std::uint64_t factor = multiple / weight;
    exact = static_cast<std::uint64_t>(static_cast<float>(factor)) == factor;
  }
  std::vector<float> factors;
  factors.reserve(weights.size() + kLanes);
  for (const std::uint32_t weight : weights) {
    if (weight == 0) {
      factors.push_back(kInfinity);
    } else {
      factors.push_back(exact ? static_cast<float>(multiple / weight)
                              : 1.0F / static_cast<float>(weight));
    }
  }
  while (factors.size() % kLanes != 0) factors.push_back(kInfinity);
  return factors;
}

struct Tables {
  std::vector<std::uint32_t> weights;
  std::vector<float> factors;  // empty if the weights are equal

  const float* factors_if_any() const noexcept {
    return factors.empty() ? nullptr : factors.data();
  }
};

std::shared_ptr<const void> Build(const Snapshot& snapshot, const Parameters&, const Snapshot*) {
  auto tables = std::make_shared<Tables>();
  tables->weights = EffectiveWeights(snapshot.providers());
  if (!AllEqual(tables->weights)) tables->factors = Factors(tables->weights);
  return tables;
}

std::uint32_t ScoreOf(const Snapshot& snapshot, const float* factors, Index i) noexcept {
  return factors == nullptr ? snapshot.active(i) : Score(snapshot.active(i), factors[i]);
}

// For lists of any length, in one pass: each further tie takes over with probability 1 / ties.
Index Walk(const Snapshot& snapshot, const float* factors, const PickContext& context) noexcept {
  Index best = kNone;
  std::uint32_t least = kNeverLeast;
  std::uint64_t ties = 0;
  for (Index i = 0; i < snapshot.size(); ++i) {
    const std::uint32_t score = ScoreOf(snapshot, factors, i);
    if (score > least || score == kNeverLeast || IsExcluded(context, i)) continue;
    ties = score == least ? ties + 1 : 1;
    if (ties > 1 && Below(NextWord(context.random, i), ties) != 0) continue;
    best = i;
    least = score;
  }
  return best;
}

// One from each of kSampled equal parts of the list, which is a circle and begins to be divided at
// the random word: whoever is busy, all parts have a say. Each place within its part is drawn with
// 16 bits; that the parts begin anywhere makes all providers equally likely.
Index Sample(const Snapshot& snapshot, const float* factors, const PickContext& context) noexcept {
  constexpr Index kPerWord = 4;
  constexpr std::uint64_t kPart = ~std::uint64_t{0} / kSampled + 1;
  std::array<Index, kSampled> sampled;
  const std::uint64_t n = snapshot.size();
  std::uint64_t part = context.random;
  for (Index i = 0; i < kSampled; i += kPerWord) {
    const std::uint64_t word = NextWord(context.random, i);
    for (Index k = 0; k < kPerWord; ++k) {
      sampled[i + k] = Below(part + (word >> 16 * k) % (1 << 16) * (kPart >> 16), n);
      part += kPart;
    }
  }
  alignas(32) std::array<std::uint32_t, kSampled> scores;
  const auto count = [&](std::uint32_t* row, Index i) {
    return std::atomic_ref<std::uint32_t>(row[i]).load(std::memory_order_relaxed);
  };
  std::uint32_t* row = snapshot.row(0);
  for (Index k = 0; k < kSampled; ++k) scores[k] = count(row, sampled[k]);
  for (std::uint32_t cell = 1; cell < snapshot.cells(); ++cell) {
    row = snapshot.row(cell);
    for (Index k = 0; k < kSampled; ++k) scores[k] += count(row, sampled[k]);
  }
  if (factors != nullptr) {
    for (Index k = 0; k < kSampled; ++k) scores[k] = Score(scores[k], factors[sampled[k]]);
  }
  if (!context.excluded.empty()) {
    for (Index k = 0; k < kSampled; ++k) {
      if (IsExcluded(context, sampled[k])) scores[k] = kNeverLeast;
    }
  }
  const Index found = LeastOf(scores.data(), kSampled, NextWord(context.random, kSampled));
  return found == kNone ? Walk(snapshot, factors, context) : sampled[found];
}

Index Pick(const RequestView&, const Snapshot& snapshot, const PickContext& context) noexcept {
  if (snapshot.size() == 0) return kNone;
  const float* factors = static_cast<const Tables*>(snapshot.tables())->factors_if_any();
  if (snapshot.size() > kMostCompared) return Sample(snapshot, factors, context);
  return LeastInFlight(snapshot, factors, context, context.random);
}

// "2 calls in flight, the fewest of 40"
std::string Explain(const RequestView&, const Snapshot& snapshot, const PickContext&,
                    Index picked) {
  if (picked >= snapshot.size()) return kAllExcluded;
  const auto& tables = *static_cast<const Tables*>(snapshot.tables());
  const std::uint32_t active = snapshot.active(picked);
  std::string why = std::to_string(active) + (active == 1 ? " call in flight" : " calls in flight");
  if (!tables.factors.empty()) {
    why += " for a weight of " + std::to_string(tables.weights[picked]) + ", the fewest per weight";
  } else {
    why += ", the fewest";
  }
  if (snapshot.size() > kMostCompared) {
    return why + " of " + std::to_string(kSampled) + " drawn from " +
           std::to_string(snapshot.size());
  }
  return why + " of " + std::to_string(snapshot.size());
}

}  // namespace

LoadBalance LeastActiveStrategy() noexcept {
  return {.pick = Pick, .build = Build, .explain = Explain};
}

}  // namespace weir
