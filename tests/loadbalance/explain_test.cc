// What the five say about their picks.
#include <gmock/gmock.h>

#include "loadbalance/fleet.h"

namespace weir {
namespace {

using testing::HasSubstr;

TEST(Explain, RandomNamesWhatItDrewFrom) {
  EXPECT_THAT(Balanced("random", EqualProviders(3)).Explain({.random = 1}),
              HasSubstr("random: 10.0.0.1:20880, drawn from 3"));
}

TEST(Explain, WeightedRandomNamesTheWeight) {
  EXPECT_THAT(Balanced("weighted_random", Providers({0, 7})).Explain({.random = 1}),
              HasSubstr("10.0.0.2:20880, drawn with weight 7 of 7"));
}

TEST(Explain, RoundRobinNamesTheTurn) {
  EXPECT_THAT(Balanced("round_robin", EqualProviders(40)).Explain({.sequence = 56}),
              HasSubstr("10.0.0.17:20880, turn 17 of 40"));
  EXPECT_THAT(Balanced("round_robin", Providers({1, 2})).Explain({.sequence = 5}),
              HasSubstr("turn 3 of 3 by weight"));
  EXPECT_THAT(Balanced("round_robin", Providers({9973, 9967, 9949, 10'000, 9931, 9929, 9923}))
                  .Explain({.sequence = 5}),
              HasSubstr("turn 5 of a rotation by weight"));
  const Index excluded[] = {16};
  EXPECT_THAT(
      Balanced("round_robin", EqualProviders(40)).Explain({.sequence = 56, .excluded = excluded}),
      HasSubstr("turn 17 of 40, which is that of an excluded one"));
}

TEST(Explain, LeastActiveNamesTheCallsInFlight) {
  const Balanced equal("least_active", EqualProviders(2));
  equal.SetActive(0, 5);
  equal.SetActive(1, 2);
  EXPECT_THAT(equal.Explain({}), HasSubstr("10.0.0.2:20880, 2 calls in flight, the fewest of 2"));
  const Balanced weighted("least_active", Providers({100, 300}));
  weighted.SetActive(1, 1);
  weighted.SetActive(0, 1);
  EXPECT_THAT(weighted.Explain({}),
              HasSubstr("1 call in flight for a weight of 300, the fewest per weight of 2"));
  EXPECT_THAT(Balanced("least_active", EqualProviders(1000)).Explain({}),
              HasSubstr("0 calls in flight, the fewest of 32 drawn from 1000"));
}

TEST(Explain, ConsistentHashNamesThePosition) {
  const Balanced balanced("consistent_hash:bound=1", EqualProviders(3));
  const RequestView keyed = {.key = "k", .key_hash = 0x1234abcd'00000000, .has_key = true};
  const Index owner = balanced.Pick({}, keyed);
  EXPECT_THAT(balanced.Explain({}, keyed),
              HasSubstr("position 0x1234abcd, next virtual node at 0x12"));
  EXPECT_THAT(balanced.Explain({.random = 0x8000'0000'0000'0000}),
              HasSubstr("no key, random position 0x80000000"));
  const Index excluded[] = {owner};
  EXPECT_THAT(
      balanced.Explain({.excluded = excluded}, keyed),
      HasSubstr(" of " + balanced.snapshot().provider(owner).address + ", which is excluded"));
  balanced.SetActive(owner, 5);
  EXPECT_THAT(balanced.Explain({}, keyed), HasSubstr("which is at its bound of calls in flight"));
}

TEST(Explain, SaysWhyThereIsNobody) {
  const Index all[] = {0, 1};
  for (const std::string& text : kTheFive) {
    EXPECT_THAT(Balanced(text, EqualProviders(2)).Explain({.excluded = all}),
                HasSubstr("no provider"));
    EXPECT_THAT(Balanced(text, {}).Explain({}), HasSubstr("no provider"));
  }
}

}  // namespace
}  // namespace weir
