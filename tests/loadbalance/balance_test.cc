// How calls are spread. Every draw comes from kSeed, so a figure that passes passes always; the
// margins say how likely a right strategy would miss them under another seed.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <thread>

#include "loadbalance/fleet.h"

namespace weir {
namespace {

constexpr double kCritical3 = 16.27;  // 3 degrees of freedom, 99.9 %
constexpr double kCritical2 = 13.82;  // 2 degrees of freedom, 99.9 %

TEST(WeightedRandom, SpreadsAThousandCallsAsOneTwoThreeFour) {
  const std::vector<std::int32_t> weights = {1, 2, 3, 4};
  const std::vector<int> counts = Balanced("weighted_random", Providers(weights)).Count(1000);
  for (std::size_t i = 0; i < 4; ++i) {
    const double share = weights[i] / 10.0;
    EXPECT_NEAR(counts[i], 1000 * share, 4 * std::sqrt(1000 * share * (1 - share)));
  }
  EXPECT_LT(ChiSquare(counts, weights), kCritical3);
  EXPECT_LT(ChiSquare(Balanced("weighted_random", Providers(weights)).Count(1'000'000), weights),
            kCritical3);
}

TEST(WeightedRandom, GivesNothingToWeightZeroBesideOthers) {
  EXPECT_EQ(Balanced("weighted_random", Providers({0, 5, 0})).Count(1000),
            (std::vector<int>{0, 1000, 0}));
}

TEST(WeightedRandom, KeepsTheProportionsOfTheRestUnderExclusion) {
  const Index excluded[] = {1};
  std::vector<int> counts =
      Balanced("weighted_random", Providers({1, 100, 3, 4})).Count(100'000, excluded);
  EXPECT_EQ(counts[1], 0);
  counts.erase(counts.begin() + 1);
  EXPECT_LT(ChiSquare(counts, {1, 3, 4}), kCritical2);
}

TEST(Random, IgnoresWeights) {
  EXPECT_LT(
      ChiSquare(Balanced("random", Providers({1, 10, 100, 1000})).Count(100'000), {1, 1, 1, 1}),
      kCritical3);
}

TEST(Random, IsUniformOverTheRestUnderExclusion) {
  const Index excluded[] = {2};
  std::vector<int> counts = Balanced("random", Providers({1, 1, 1, 1})).Count(100'000, excluded);
  EXPECT_EQ(counts[2], 0);
  counts.erase(counts.begin() + 2);
  EXPECT_LT(ChiSquare(counts, {1, 1, 1}), kCritical2);
}

TEST(ConsistentHash, FallsBackOnTheRandomWordWithoutAKey) {
  for (const int count : Balanced("consistent_hash", EqualProviders(4)).Count(40'000)) {
    EXPECT_NEAR(count, 10'000, 3000);
  }
}

TEST(ConsistentHash, SendsEqualKeysToTheSameProvider) {
  for (const std::string text :
       {"consistent_hash", "consistent_hash:hash=xxh64", "consistent_hash:hash=seed"}) {
    const Balanced balanced(text, Providers({1, 2, 3, 4}));
    for (int i = 0; i < 1000; ++i) {
      const std::string key = "user-" + std::to_string(i);
      const RequestView request = {.key = key, .key_hash = HashKey(key), .has_key = true};
      const Index owner = balanced.PickKey(key);
      EXPECT_EQ(balanced.Pick({.sequence = 9, .random = 12345}, request), owner);
      EXPECT_EQ(balanced.Pick({.sequence = 8, .random = 1ULL << 63}, request), owner);
    }
  }
}

// A retry goes where the key would live if the excluded provider had been removed.
TEST(ConsistentHash, WalksClockwisePastTheExcluded) {
  const std::vector<Provider> providers = EqualProviders(6);
  const Balanced balanced("consistent_hash", providers);
  for (int i = 0; i < 1000; ++i) {
    const std::string key = "user-" + std::to_string(i);
    const Index owner = balanced.PickKey(key);
    std::vector<Provider> rest = providers;
    rest.erase(rest.begin() + owner);
    const Index heir = Balanced("consistent_hash", rest).PickKey(key);
    EXPECT_EQ(balanced.snapshot().provider(balanced.PickKey(key, {&owner, 1})).address,
              rest[heir].address);
  }
}

TEST(BoundedLoad, NeverPassesItsCap) {
  for (const std::string bound : {"1", "1.25", "2"}) {
    for (const auto& weights :
         {std::vector<std::int32_t>{1, 1, 1, 1, 1}, std::vector<std::int32_t>{1, 2, 3, 4, 90}}) {
      const Balanced balanced("consistent_hash:bound=" + bound, Providers(weights));
      const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
      std::mt19937_64 words(kSeed);
      // Skewed keys: half of the calls ask for one.
      for (int calls = 1; calls <= 2000; ++calls) {
        const std::string key = "key-" + std::to_string(words() % 2 == 0 ? 0 : words() % 500);
        const Index i = balanced.PickKey(key);
        balanced.snapshot().endpoint(i).OnStart(0, calls);
        const std::uint32_t active = balanced.snapshot().active(i);
        const double cap = std::ceil(std::stod(bound) * calls * weights[i] / sum - 1e-9);
        ASSERT_LE(active, cap) << "call " << calls << " on provider " << i;
      }
    }
  }
}

TEST(BoundedLoad, LeavesKeysAloneWhileNobodyIsBusy) {
  const Balanced plain("consistent_hash", EqualProviders(8));
  const Balanced bounded("consistent_hash:bound=1.25", EqualProviders(8));
  for (int i = 0; i < 1000; ++i) {
    const std::string key = "key-" + std::to_string(i);
    EXPECT_EQ(plain.PickKey(key), bounded.PickKey(key));
  }
}

TEST(LeastActive, PicksTheFewestCallsInFlightOverWeight) {
  const Balanced balanced("least_active", Providers({100, 100, 200, 400}));
  const auto set = [&](std::vector<std::uint32_t> active) {
    for (Index i = 0; i < 4; ++i) balanced.SetActive(i, active[i]);
  };
  set({3, 2, 9, 19});  // loads 4, 3, 5, 5
  EXPECT_EQ(balanced.Pick({}), 1U);
  set({3, 4, 6, 19});  // 4, 5, 3.5, 5
  EXPECT_EQ(balanced.Pick({}), 2U);
  set({3, 4, 7, 14});  // 4, 5, 4, 3.75
  EXPECT_EQ(balanced.Pick({}), 3U);
  const Index excluded[] = {3};
  set({3, 4, 5, 0});
  EXPECT_EQ(balanced.Pick({.excluded = excluded}), 2U);
  set({1'000'000, 1'000'000, 1'000'000, 1'000'000});
  EXPECT_EQ(balanced.Pick({}), 3U);
}

// Exact ties, also between different weights: (2+1)/300 = (0+1)/100 = (1+1)/200.
TEST(LeastActive, BreaksTiesAtRandom) {
  const Balanced balanced("least_active", Providers({100, 100, 200, 300}));
  balanced.SetActive(2, 1);
  balanced.SetActive(3, 2);
  EXPECT_LT(ChiSquare(balanced.Count(100'000), {1, 1, 1, 1}), kCritical3);
}

TEST(LeastActive, SpreadsIdleProvidersOfEqualWeightEvenlyAlsoWhenSampling) {
  const std::size_t n = 400;
  const std::vector<int> counts = Balanced("least_active", EqualProviders(n)).Count(40'000);
  // 399 degrees of freedom: 99.9 % below 490.
  EXPECT_LT(ChiSquare(counts, std::vector<std::int32_t>(n, 1)), 490);
}

TEST(LeastActive, AvoidsTheBusyAlsoWhenSampling) {
  const Balanced balanced("least_active", EqualProviders(400));
  for (Index i = 0; i < 200; ++i) balanced.SetActive(i, 5);
  const std::vector<int> counts = balanced.Count(10'000);
  // A sample of 32 misses the idle half once in 2^32.
  EXPECT_EQ(std::accumulate(counts.begin(), counts.begin() + 200, 0), 0);
}

// The counters move while strategies look at them; the answers stay within the list.
TEST(LeastActive, MayBePickedWhileCountersChange) {
  for (const std::string text : {"least_active", "consistent_hash:bound=1"}) {
    const Balanced balanced(text, Providers({1, 2, 3, 4}), 2);
    const auto call = [&](std::uint32_t cell, std::uint64_t seed) {
      std::mt19937_64 words(seed);
      for (int i = 0; i < 5000; ++i) {
        const Index chosen = balanced.Pick({.random = words()});
        ASSERT_LT(chosen, 4U);
        Endpoint& endpoint = balanced.snapshot().endpoint(chosen);
        endpoint.OnStart(cell, i);
        endpoint.OnEnd(cell, i, i + 1, Outcome::kAnswered);
      }
    };
    std::jthread other([&] { call(1, kSeed + 1); });
    call(0, kSeed);
  }
}

}  // namespace
}  // namespace weir
