// The packed comparison of calls in flight against the plain one.
#include "in_flight.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <set>

#include "loadbalance/fleet.h"

namespace weir {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The words that choose each of `ties` ties, and none twice.
std::vector<std::uint64_t> WordsForAll(std::size_t ties) {
  std::vector<std::uint64_t> words;
  for (std::size_t k = 0; k < ties; ++k) words.push_back((~0ULL / ties) * k + ~0ULL / ties / 2);
  return words;
}

struct Case {
  Snapshot snapshot;
  std::vector<Index> excluded;
  std::vector<float> factors;  // filled up to a multiple of eight; empty: none
  std::set<Index> least;       // by the definition
};

Case RandomCase(std::mt19937_64& random, Index n) {
  const auto cells = static_cast<std::uint32_t>(1 + random() % 3);
  Case made{MakeSnapshot(EqualProviders(n), cells), {}, {}, {}};
  const std::uint32_t most = random() % 3 == 0 ? 1 : 1 + random() % 4;
  for (Index i = 0; i < n; ++i) {
    for (std::uint32_t cell = 0; cell < cells; ++cell) {
      made.snapshot.row(cell)[i] = random() % 50 == 0 ? 1'000'000 : random() % (most + 1);
    }
  }
  for (std::uint64_t some = random() % 4 == 0 ? random() % (2 * n + 1) : random() % 3;
       some-- > 0;) {
    made.excluded.push_back(static_cast<Index>(random() % (n + 2)));  // unknown ones do no harm
  }
  if (random() % 2 == 0) {
    for (Index i = 0; i < n; ++i) {
      const float kFactors[] = {1, 2, 3, 6, 0.25, kInfinity};
      made.factors.push_back(kFactors[random() % 6]);
    }
    while (made.factors.size() % kLanes != 0) made.factors.push_back(kInfinity);
  }
  double least = kInfinity;
  for (Index i = 0; i < n; ++i) {
    if (IsExcluded({.excluded = made.excluded}, i)) continue;
    const double active = made.snapshot.active(i);
    const double score =
        made.factors.empty() ? active : (active + 1) * static_cast<double>(made.factors[i]);
    if (score == kInfinity || score > least) continue;
    if (score < least) made.least.clear();
    least = score;
    made.least.insert(i);
  }
  return made;
}

TEST(LeastInFlight, ChoosesEachOfTheLeastAndNobodyElseForAllLengths) {
  for (Index n = 0; n <= kMostCompared; ++n) {
    for (std::uint64_t round = 0; round < 12; ++round) {
      const std::uint64_t seed = kSeed + n * 100 + round;
      SCOPED_TRACE("seed " + std::to_string(seed) + ", providers " + std::to_string(n));
      std::mt19937_64 random(seed);
      const Case made = RandomCase(random, n);
      const float* factors = made.factors.empty() ? nullptr : made.factors.data();
      const PickContext context = {.excluded = made.excluded};
      if (made.least.empty()) {
        ASSERT_EQ(LeastInFlight(made.snapshot, factors, context, random()), kNone);
        continue;
      }
      std::set<Index> chosen;
      for (const std::uint64_t word : WordsForAll(made.least.size())) {
        chosen.insert(LeastInFlight(made.snapshot, factors, context, word));
      }
      ASSERT_EQ(chosen, made.least);
    }
  }
}

TEST(LeastInFlight, IsTheSameOnEveryProcessor) {
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < 20'000; ++round) {
    alignas(32) std::uint32_t scores[kMostCompared];
    const auto count = static_cast<Index>(random() % (kMostCompared / kLanes + 1) * kLanes);
    const std::uint64_t most = 1 + random() % 3;
    for (Index i = 0; i < count; ++i) {
      scores[i] = random() % 7 == 0 ? kNeverLeast : static_cast<std::uint32_t>(random() % most);
    }
    const std::uint64_t word = random();
    ASSERT_EQ(LeastOf(scores, count, word), LeastOfBaseline(scores, count, word))
        << "round " << round << " of seed " << kSeed;
  }
}

TEST(CallsInFlight, AreTheSumOfAllRows) {
  std::mt19937_64 random(kSeed);
  for (const Index n : {0U, 1U, 7U, 8U, 15U, 16U, 17U, 100U, 300U, 1000U}) {
    for (std::uint32_t cells = 1; cells <= 3; ++cells) {
      const Snapshot snapshot = MakeSnapshot(EqualProviders(n), cells);
      std::uint32_t sum = 0;
      for (Index i = 0; i < n; ++i) {
        for (std::uint32_t cell = 0; cell < cells; ++cell) {
          sum += snapshot.row(cell)[i] = static_cast<std::uint32_t>(random() % 1000);
        }
      }
      EXPECT_EQ(CallsInFlight(snapshot), sum) << n << " providers, " << cells << " cells";
    }
  }
}

}  // namespace
}  // namespace weir
