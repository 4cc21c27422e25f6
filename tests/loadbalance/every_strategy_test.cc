// What holds for all strategies alike.
#include <gmock/gmock.h>

#include <numeric>
#include <set>

#include "loadbalance/fleet.h"

namespace weir {
namespace {

std::string NameOf(const testing::TestParamInfo<std::string>& each) {
  std::string name = each.param;
  for (char& c : name) c = std::isalnum(c) ? c : '_';
  return name;
}

class EveryStrategy : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(The, EveryStrategy, testing::ValuesIn(kEveryStrategy), NameOf);

// "first" gives everything to one, whatever the weights.
class EveryStrategyButFirst : public EveryStrategy {};
INSTANTIATE_TEST_SUITE_P(The, EveryStrategyButFirst, testing::ValuesIn([] {
                           std::vector<std::string> rest = kEveryStrategy;
                           std::erase(rest, "first");
                           return rest;
                         }()),
                         NameOf);

const RequestView kKeyed = {.method = "a.B/C", .key = "k", .key_hash = 0x5bd1e995, .has_key = true};

TEST_P(EveryStrategy, AnswersNoneForAnEmptyList) {
  const Balanced balanced(GetParam(), {});
  EXPECT_EQ(balanced.Pick({.sequence = 3, .random = 7}), kNone);
  EXPECT_EQ(balanced.Pick({.sequence = 3, .random = 7}, kKeyed), kNone);
}

TEST_P(EveryStrategy, AnswersTheOnlyProvider) {
  for (const std::int32_t weight : {kWeightUnset, 0, 1, 100, kMaxWeight}) {
    const Balanced balanced(GetParam(), Providers({weight}));
    std::mt19937_64 words(kSeed);
    for (int i = 0; i < 100; ++i) {
      EXPECT_EQ(balanced.Pick({.sequence = words(), .random = words()}), 0U);
      EXPECT_EQ(balanced.Pick({.sequence = words(), .random = words()}, kKeyed), 0U);
    }
  }
}

TEST_P(EveryStrategyButFirst, TreatsAllWeightsZeroAsEqual) {
  for (const int count : Balanced(GetParam(), Providers({0, 0, 0, 0})).Count(4000)) {
    EXPECT_NEAR(count, 1000, 250);
  }
}

TEST_P(EveryStrategyButFirst, TreatsUnsetWeightsAsEqual) {
  const Balanced balanced(GetParam(), Providers({kWeightUnset, kDefaultWeight, kWeightUnset}));
  for (const int count : balanced.Count(3000)) EXPECT_NEAR(count, 1000, 200);
}

TEST_P(EveryStrategy, NeverAnswersAnExcludedProvider) {
  for (const std::size_t n : {2, 5, 300}) {
    std::vector<std::int32_t> weights;
    for (std::size_t i = 0; i < n; ++i) weights.push_back(static_cast<std::int32_t>(1 + i % 7));
    const Balanced balanced(GetParam(), Providers(weights));
    std::mt19937_64 words(kSeed);
    for (int round = 0; round < 300; ++round) {
      std::vector<Index> excluded;
      for (std::size_t e = 0; e < n / 2; ++e) excluded.push_back(static_cast<Index>(words() % n));
      const PickContext context = {.sequence = words(), .random = words(), .excluded = excluded};
      RequestView keyed = kKeyed;
      keyed.key_hash = words();
      for (const RequestView& request : {RequestView{}, keyed}) {
        const Index i = balanced.Pick(context, request);
        ASSERT_LT(i, n);
        ASSERT_FALSE(IsExcluded(context, i));
      }
    }
  }
}

TEST_P(EveryStrategy, FindsTheLastOneLeft) {
  for (const Index n : {3U, 40U, 400U}) {
    const Balanced balanced(GetParam(), Providers(std::vector<std::int32_t>(n, 3)));
    std::vector<Index> excluded(n - 1);
    std::iota(excluded.begin(), excluded.end(), 1U);
    for (std::uint64_t i = 0; i < 20; ++i) {
      const PickContext context = {.sequence = i, .random = i << 59, .excluded = excluded};
      EXPECT_EQ(balanced.Pick(context), 0U);
      EXPECT_EQ(balanced.Pick(context, kKeyed), 0U);
    }
  }
}

TEST_P(EveryStrategy, AnswersNoneWhenAllAreExcluded) {
  for (const Index n : {1U, 3U, 400U}) {
    std::vector<Index> all(n);
    std::iota(all.begin(), all.end(), 0U);
    all.push_back(0);  // twice does no harm
    for (const std::int32_t weight : {0, 1, 100}) {
      std::vector<std::int32_t> weights(n, weight);
      if (n > 1) weights[1] = 7;
      const Balanced balanced(GetParam(), Providers(weights));
      EXPECT_EQ(balanced.Pick({.sequence = 5, .random = ~0ULL, .excluded = all}), kNone);
      EXPECT_EQ(balanced.Pick({.sequence = 5, .random = 5, .excluded = all}, kKeyed), kNone);
    }
  }
}

TEST_P(EveryStrategy, AnswersTheSameForTheSameInputs) {
  const Balanced one(GetParam(), Providers({1, 2, 3, 4, 5}));
  const Balanced other(GetParam(), Providers({1, 2, 3, 4, 5}));
  std::mt19937_64 words(kSeed);
  for (int i = 0; i < 1000; ++i) {
    RequestView request = kKeyed;
    request.key_hash = words();
    request.has_key = i % 2 == 0;
    const PickContext context = {.sequence = words(), .random = words()};
    EXPECT_EQ(one.Pick(context, request), other.Pick(context, request));
  }
}

TEST_P(EveryStrategy, TakesTheExtremesOfItsInputs) {
  const Balanced balanced(GetParam(), Providers({1, 10'000, 77}));
  for (const std::uint64_t word : {0ULL, 1ULL, ~0ULL, ~0ULL - 1, 1ULL << 63, 1ULL << 32}) {
    RequestView request = kKeyed;
    request.key_hash = word;
    EXPECT_LT(balanced.Pick({.sequence = word, .random = word}), 3U);
    EXPECT_LT(balanced.Pick({.sequence = word, .random = word}, request), 3U);
  }
}

TEST_P(EveryStrategy, ExplainsWhatItPicks) {
  const Balanced balanced(GetParam(), Providers({1, 2, 3, 4, 5}));
  std::mt19937_64 words(kSeed);
  const std::vector<Index> all = {0, 1, 2, 3, 4};
  for (int i = 0; i < 100; ++i) {
    const PickContext context = {.sequence = words(),
                                 .random = words(),
                                 .excluded = std::span(all).first(static_cast<std::size_t>(i) % 6)};
    for (const RequestView& request : {RequestView{}, kKeyed}) {
      const Index picked = balanced.Pick(context, request);
      const std::string start =
          GetParam() + ": " +
          (picked == kNone ? "no provider" : balanced.snapshot().provider(picked).address);
      EXPECT_THAT(balanced.Explain(context, request), testing::StartsWith(start));
    }
  }
  EXPECT_THAT(Balanced(GetParam(), {}).Explain({}), testing::HasSubstr("the list is empty"));
}

}  // namespace
}  // namespace weir
