// p2c and first: which two are compared, and how calls are spread. Every draw comes from kSeed.
#include <gtest/gtest.h>

#include <cmath>

#include "loadbalance/fleet.h"

namespace weir {
namespace {

// What 99.9 % of right strategies stay below.
constexpr double kCritical2 = 13.82;   // 2 degrees of freedom
constexpr double kCritical3 = 16.27;   // 3
constexpr double kCritical9 = 27.88;   // 9
constexpr double kCritical99 = 148.2;  // 99

// `calls` calls in turn, of which `in_flight` are on their way at once, the oldest ends first.
std::vector<int> CountInFlight(const Balanced& balanced, int calls, std::size_t in_flight) {
  std::mt19937_64 words(kSeed);
  std::vector<int> counts(balanced.snapshot().size(), 0);
  std::vector<Index> running;
  for (int call = 0; call < calls; ++call) {
    if (running.size() == in_flight) {
      const std::size_t ends = words() % in_flight;
      balanced.snapshot().endpoint(running[ends]).OnEnd(0, 0, 0, Outcome::kAbandoned);
      running[ends] = running.back();
      running.pop_back();
    }
    const Index i = balanced.Pick({.random = words()});
    balanced.snapshot().endpoint(i).OnStart(0, 0);
    running.push_back(i);
    ++counts[i];
  }
  return counts;
}

TEST(TwoChoices, SpreadsIdleProvidersOfEqualWeightEvenly) {
  EXPECT_LT(ChiSquare(Balanced("p2c", EqualProviders(10)).Count(200'000),
                      std::vector<std::int32_t>(10, 1)),
            kCritical9);
  EXPECT_LT(ChiSquare(Balanced("p2c", EqualProviders(100)).Count(200'000),
                      std::vector<std::int32_t>(100, 1)),
            kCritical99);
}

// With all but one provider equally busy the idle one wins whenever it is drawn: 2 of n times, as
// often as two distinct ones can have it. Drawn with repetition it would be 2/n - 1/n^2.
TEST(TwoChoices, ComparesTwoDistinctProviders) {
  for (const std::size_t n : {2, 3, 10}) {
    const Balanced balanced("p2c", EqualProviders(n));
    for (Index i = 1; i < n; ++i) balanced.SetActive(i, 1);
    const double part = 2.0 / static_cast<double>(n);
    const int calls = 100'000;
    EXPECT_NEAR(balanced.Count(calls)[0], calls * part,
                4 * std::sqrt(calls * part * (1 - part)) + 1e-9)
        << n;
  }
}

TEST(TwoChoices, DrawsEveryPairEquallyOften) {
  // Busier by their position: of a pair the lower is picked, and provider i is the lower of
  // n - 1 - i pairs.
  const Balanced balanced("p2c", EqualProviders(4));
  for (Index i = 0; i < 4; ++i) balanced.SetActive(i, i);
  std::vector<int> counts = balanced.Count(60'000);
  EXPECT_EQ(counts[3], 0);
  counts.pop_back();
  EXPECT_LT(ChiSquare(counts, {3, 2, 1}), kCritical2);
}

TEST(TwoChoices, NeverPicksTheBusierOfTwo) {
  const Balanced balanced("p2c", Providers({100, 300}));
  balanced.SetActive(0, 1);
  balanced.SetActive(1, 4);  // 2/100 against 5/300
  EXPECT_EQ(balanced.Count(1000), (std::vector<int>{0, 1000}));
  balanced.SetActive(1, 6);  // 2/100 against 7/300
  EXPECT_EQ(balanced.Count(1000), (std::vector<int>{1000, 0}));
  balanced.SetActive(1, 5);  // a tie, which goes by weight
  const std::vector<int> counts = balanced.Count(100'000);
  EXPECT_NEAR(counts[0], 25'000, 4 * std::sqrt(1e5 * 0.25 * 0.75));
}

// Where (active + 1) / weight is the same for all, the parts are those of the weights exactly.
TEST(TwoChoices, GivesTiesByWeight) {
  const std::vector<std::int32_t> weights = {1, 2, 3, 4};
  const Balanced balanced("p2c", Providers(weights));
  for (Index i = 0; i < 4; ++i) balanced.SetActive(i, i);
  EXPECT_LT(ChiSquare(balanced.Count(200'000), weights), kCritical3);
}

TEST(TwoChoices, GivesBusyProvidersTheirWeightsPart) {
  const std::vector<std::int32_t> weights = {10, 20, 30, 40, 100};
  const std::vector<int> counts = CountInFlight(Balanced("p2c", Providers(weights)), 100'000, 200);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    EXPECT_NEAR(counts[i] / 100'000.0, weights[i] / 200.0, 0.02) << i;
  }
}

TEST(TwoChoices, KeepsCallsInFlightMoreEvenThanRandom) {
  const auto spread = [](const std::string& text) {
    const Balanced balanced(text, EqualProviders(100));
    CountInFlight(balanced, 20'000, 1000);
    std::uint32_t most = 0;
    for (Index i = 0; i < 100; ++i) most = std::max(most, balanced.snapshot().active(i));
    return most;
  };
  EXPECT_LE(spread("p2c"), 14U);
  EXPECT_GE(spread("random"), 17U);
}

TEST(TwoChoices, ComparesWhatIsLeftUnderExclusion) {
  const Balanced balanced("p2c", EqualProviders(4));
  const Index excluded[] = {1};
  balanced.SetActive(3, 5);
  std::vector<int> counts = balanced.Count(60'000, excluded);
  EXPECT_EQ(counts[1], 0);
  EXPECT_EQ(counts[3] + counts[0] + counts[2], 60'000);
  EXPECT_EQ(counts[3], 0) << "in every pair with another that one is idle";
  EXPECT_LT(std::abs(counts[0] - counts[2]), 1000);
}

TEST(TwoChoices, SaysWhatItCompared) {
  const Balanced balanced("p2c", Providers({100, 300}));
  balanced.SetActive(0, 1);
  balanced.SetActive(1, 4);
  EXPECT_EQ(balanced.Explain({.random = 7}),
            "p2c: 10.0.0.2:20880, 4 in flight at weight 300, against 1 in flight at weight 100 of "
            "10.0.0.1:20880");
}

TEST(First, PicksTheFirstThatIsNotExcluded) {
  const Balanced balanced("first", Providers({1, 100, 100}));
  const Index excluded[] = {1, 0};
  EXPECT_EQ(balanced.Count(100), (std::vector<int>{100, 0, 0}));
  EXPECT_EQ(balanced.Count(100, excluded), (std::vector<int>{0, 0, 100}));
}

}  // namespace
}  // namespace weir
