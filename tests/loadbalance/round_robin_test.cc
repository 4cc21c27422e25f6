// Turns: plain, weighted, and for sums too large to be written out.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "loadbalance/fleet.h"

namespace weir {
namespace {

// The largest |turns taken - k * w / W| of any provider over all prefixes of `calls` consecutive
// numbers from `start`.
double WorstPrefix(const std::vector<std::int32_t>& weights, std::uint64_t start, int calls) {
  const Balanced balanced("round_robin", Providers(weights));
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<int> counts(weights.size(), 0);
  double worst = 0;
  for (int k = 1; k <= calls; ++k) {
    ++counts[balanced.Pick({.sequence = start + static_cast<std::uint64_t>(k) - 1})];
    for (std::size_t i = 0; i < weights.size(); ++i) {
      worst = std::max(worst, std::abs(counts[i] - k * (weights[i] / sum)));
    }
  }
  return worst;
}

TEST(RoundRobin, EqualWeightsDifferByOneAtMostFromAnyStart) {
  for (const std::size_t n : {2, 3, 7, 64}) {
    const Balanced balanced("round_robin", EqualProviders(n));
    for (const std::uint64_t start : {0ULL, 5ULL, 1ULL << 40, (1ULL << 63) + 17}) {
      std::vector<int> counts(n, 0);
      for (std::uint64_t k = 0; k < 1000; ++k) {
        ++counts[balanced.Pick({.sequence = start + k})];
        const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
        ASSERT_LE(*most - *least, 1) << "call " << k << " from " << start;
      }
    }
  }
}

TEST(RoundRobin, EqualWeightsTakeTurnsInListOrder) {
  const Balanced balanced("round_robin", EqualProviders(3));
  for (std::uint64_t k = 0; k < 9; ++k) EXPECT_EQ(balanced.Pick({.sequence = k}), k % 3);
  EXPECT_EQ(balanced.Pick({.sequence = ~0ULL}), ~0ULL % 3);
}

TEST(RoundRobin, WeightedGivesExactCountsPerRound) {
  EXPECT_EQ(Balanced("round_robin", Providers({1, 2, 3, 4})).Count(1000),
            (std::vector<int>{100, 200, 300, 400}));
  EXPECT_EQ(Balanced("round_robin", Providers({10'000, 5'000})).Count(30),
            (std::vector<int>{20, 10}))
      << "a round is as short as the weights allow";
}

TEST(RoundRobin, EveryWeightedPrefixIsWithinOneOfItsShare) {
  std::vector<std::vector<std::int32_t>> lists = {
      {1, 2, 3, 4}, {5, 1, 1}, {100, 1}, {1, 1, 1, 97}, {7, 7, 7, 6}, {0, 3, 0, 2}, {9999, 10'000}};
  std::mt19937 random(kSeed);
  for (int round = 0; round < 60; ++round) {
    std::vector<std::int32_t> weights(2 + random() % 30);
    const std::uint32_t largest = round % 2 == 0 ? 10 : 1000;
    for (std::int32_t& w : weights) w = static_cast<std::int32_t>(1 + random() % largest);
    lists.push_back(weights);
  }
  for (const auto& weights : lists) {
    const int sum = std::accumulate(weights.begin(), weights.end(), 0);
    EXPECT_LT(WorstPrefix(weights, 0, sum + sum / 2), 1.0) << testing::PrintToString(weights);
  }
}

// Sums above kMaxOrder: no order is written out, the bound is logarithmic.
TEST(RoundRobin, HugeSumsStayWithinALogarithmOfTheirShare) {
  std::vector<std::int32_t> weights;
  std::mt19937 random(kSeed);
  for (int i = 0; i < 1000; ++i)
    weights.push_back(static_cast<std::int32_t>(1 + random() % 10'000));
  const double worst = WorstPrefix(weights, 1ULL << 33, 20'000);
  std::printf("1000 providers, weights to 10,000: prefixes within %.2f of their share\n", worst);
  EXPECT_LT(worst, 3.0);
  const double skewed = WorstPrefix({9973, 9967, 1, 9949, 10'000, 9931, 9929, 9923}, 0, 500'000);
  std::printf("8 providers, one of them 1 in 70,000: within %.2f\n", skewed);
  EXPECT_LT(skewed, 1.45 * std::log2(500'000) + 2);
  EXPECT_LT(skewed, 4.0);
}

TEST(RoundRobin, HugeSumsGiveNothingToWeightZero) {
  std::vector<std::int32_t> weights(100, 9973);
  weights[0] = weights[40] = weights[41] = weights[99] = 0;
  weights[1] = 10'000;
  const std::vector<int> counts = Balanced("round_robin", Providers(weights)).Count(100'000);
  for (const std::size_t i : {0, 40, 41, 99}) EXPECT_EQ(counts[i], 0);
  for (const std::size_t i : {1, 2, 39, 42, 98}) EXPECT_NEAR(counts[i], 1042, 6);
}

TEST(RoundRobin, TurnsOfAnExcludedProviderAreSharedByAllOthers) {
  const Index excluded[] = {1, 4};
  const std::vector<int> counts = Balanced("round_robin", EqualProviders(6)).Count(6000, excluded);
  EXPECT_EQ(counts, (std::vector<int>{1500, 0, 1500, 1500, 0, 1500}));
}

TEST(RoundRobin, WeightedTurnsOfAnExcludedProviderGoToTheOthersByWeight) {
  const Index excluded[] = {3};
  const std::vector<int> counts =
      Balanced("round_robin", Providers({1, 2, 3, 4})).Count(60'000, excluded);
  EXPECT_EQ(counts[3], 0);
  for (int i = 0; i < 3; ++i)
    EXPECT_NEAR(counts[static_cast<std::size_t>(i)], 10'000 * (i + 1), 400);
}

}  // namespace
}  // namespace weir
