// p2c_ewma and shortest_response under a fake clock: whom they avoid, and that they come back.
#include <gmock/gmock.h>

#include <thread>

#include "loadbalance/small_world.h"

namespace weir {
namespace {

constexpr std::int64_t kNow = 1000 * kSecond;

// One attempt at provider i that ended at `at_ns`.
void Attempt(const Balanced& balanced, Index i, std::int64_t at_ns, std::int64_t taken_ns,
             Outcome outcome = Outcome::kAnswered) {
  Endpoint& endpoint = balanced.snapshot().endpoint(i);
  endpoint.OnStart(0, at_ns - taken_ns);
  endpoint.OnEnd(0, at_ns - taken_ns, at_ns, outcome);
}

class ByResponse : public testing::TestWithParam<std::string> {
 protected:
  // How often each is picked in 1000 picks at `now_ns`.
  static std::vector<int> Count(const Balanced& balanced, std::int64_t now_ns) {
    std::mt19937_64 words(kSeed);
    std::vector<int> counts(balanced.snapshot().size(), 0);
    for (int call = 0; call < 1000; ++call) {
      ++counts[balanced.Pick({.random = words(), .now_ns = now_ns})];
    }
    return counts;
  }
};
INSTANTIATE_TEST_SUITE_P(The, ByResponse, testing::Values("p2c_ewma", "shortest_response"),
                         [](const auto& each) { return each.param; });

// With two providers every pair is the same, so p2c_ewma is as certain as shortest_response.

TEST_P(ByResponse, PrefersTheFaster) {
  const Balanced balanced(GetParam(), EqualProviders(2));
  Attempt(balanced, 0, kNow, 5 * kMs);
  Attempt(balanced, 1, kNow, 6 * kMs);
  EXPECT_EQ(Count(balanced, kNow), (std::vector<int>{1000, 0}));
}

TEST_P(ByResponse, MultipliesByTheCallsInFlight) {
  const Balanced balanced(GetParam(), EqualProviders(2));
  Attempt(balanced, 0, kNow, 5 * kMs);
  Attempt(balanced, 1, kNow, 9 * kMs);
  balanced.snapshot().endpoint(0).OnStart(0, kNow);
  EXPECT_EQ(Count(balanced, kNow), (std::vector<int>{0, 1000})) << "10 against 9";
  balanced.snapshot().endpoint(1).OnStart(0, kNow);
  EXPECT_EQ(Count(balanced, kNow), (std::vector<int>{1000, 0})) << "10 against 18";
}

TEST_P(ByResponse, DividesByTheWeight) {
  const Balanced balanced(GetParam(), Providers({100, 200}));
  Attempt(balanced, 0, kNow, 5 * kMs);
  Attempt(balanced, 1, kNow, 9 * kMs);
  EXPECT_EQ(Count(balanced, kNow), (std::vector<int>{0, 1000})) << "5 against 4.5";
  balanced.snapshot().endpoint(1).OnStart(0, kNow);
  EXPECT_EQ(Count(balanced, kNow), (std::vector<int>{1000, 0})) << "5 against 9";
}

TEST_P(ByResponse, TriesANewProviderButDoesNotFloodIt) {
  const Balanced balanced(GetParam(), EqualProviders(2));
  Attempt(balanced, 0, kNow, 5 * kMs);
  EXPECT_EQ(Count(balanced, kNow), (std::vector<int>{0, 1000})) << "nobody has tried it";
  balanced.snapshot().endpoint(1).OnStart(0, kNow);
  EXPECT_EQ(Count(balanced, kNow + kMs), (std::vector<int>{1000, 0})) << "one call is on its way";
}

TEST_P(ByResponse, TriesOneThatRefusesConnectionsOnlyNowAndThen) {
  const Balanced balanced(GetParam(), EqualProviders(2));
  Attempt(balanced, 0, kNow, 5 * kMs);
  Attempt(balanced, 1, kNow, kMs, Outcome::kLost);
  EXPECT_EQ(Count(balanced, kNow), (std::vector<int>{1000, 0}));
}

TEST_P(ByResponse, TakesSilenceForSlowness) {
  const Balanced balanced(GetParam(), EqualProviders(2));
  Attempt(balanced, 0, kNow, 20 * kMs);
  Attempt(balanced, 1, kNow, 5 * kMs);
  balanced.snapshot().endpoint(0).OnStart(0, kNow);
  balanced.snapshot().endpoint(1).OnStart(0, kNow);
  EXPECT_EQ(Count(balanced, kNow + 4 * kMs), (std::vector<int>{0, 1000})) << "40 against 10";
  // The first answers all the time, the second owes an answer for 100 ms.
  Attempt(balanced, 0, kNow + 100 * kMs, 20 * kMs);
  EXPECT_EQ(Count(balanced, kNow + 100 * kMs), (std::vector<int>{1000, 0}));
}

// A call that takes its time, beside others that are answered, is no sign of silence.
TEST_P(ByResponse, ToleratesOneLongCallAmongAnsweredOnes) {
  const Balanced balanced(GetParam(), EqualProviders(2));
  balanced.snapshot().endpoint(1).OnStart(0, kNow);
  Attempt(balanced, 0, kNow + kSecond, 20 * kMs);
  Attempt(balanced, 1, kNow + kSecond, 5 * kMs);
  EXPECT_EQ(Count(balanced, kNow + kSecond + kMs), (std::vector<int>{0, 1000}));
}

TEST_P(ByResponse, TriesASlowOneAgainWhenItIsHalfForgotten) {
  const Balanced balanced(GetParam(), EqualProviders(2));
  Attempt(balanced, 1, kNow, 50 * kMs);
  std::int64_t tried_at = 0;
  for (std::int64_t now = kNow; tried_at == 0 && now < kNow + 100 * kSecond; now += 100 * kMs) {
    Attempt(balanced, 0, now, 5 * kMs);
    if (Count(balanced, now)[1] > 0) tried_at = now;
  }
  EXPECT_GT(tried_at, kNow + 20 * kSecond) << "10x slower, at a decay of 10 s";
  EXPECT_LT(tried_at, kNow + 40 * kSecond);
}

TEST_P(ByResponse, ForgetsAsFastAsItIsTold) {
  const Balanced balanced(GetParam() + ":decay=100ms", EqualProviders(2));
  Attempt(balanced, 1, kNow, 50 * kMs);
  Attempt(balanced, 0, kNow + kSecond, 5 * kMs);
  EXPECT_EQ(Count(balanced, kNow + kSecond), (std::vector<int>{0, 1000}));
}

TEST_P(ByResponse, CountsAFailureAsLongAsItIsTold) {
  for (const auto& [penalty, picked] : {std::pair{"1ms", 1U}, std::pair{"2s", 0U}}) {
    const Balanced balanced(GetParam() + ":penalty=" + penalty, EqualProviders(2));
    for (std::int64_t i = 0; i < 100; ++i) {
      Attempt(balanced, 0, kNow + i * kMs, 500 * kMs);
      Attempt(balanced, 1, kNow + i * kMs, 10 * kMs,
              i % 2 == 0 ? Outcome::kAnswered : Outcome::kFaulted);
    }
    EXPECT_EQ(Count(balanced, kNow + 100 * kMs)[picked], 1000) << penalty;
  }
}

// From here on in the small world: ten servers of four slots and 5 ms, 5000 calls a second; fewer
// where a long time has to pass.
constexpr std::size_t kServers = 10;
constexpr double kRate = 5000;
constexpr double kQuietRate = 200;

TEST_P(ByResponse, SpreadsOverEqualServers) {
  SmallWorld world(GetParam(), kServers);
  world.Run(kRate, 4 * kSecond);
  for (std::size_t i = 0; i < kServers; ++i) EXPECT_NEAR(world.PartOf(i), 0.1, 0.025) << i;
}

TEST_P(ByResponse, AvoidsASlowServerAndComesBack) {
  SmallWorld world(GetParam(), kServers);
  world.Run(kRate, 2 * kSecond);
  world.server(3).service_ns = 50 * kMs;
  world.Run(kRate, kSecond);
  world.Run(kRate, 4 * kSecond);
  EXPECT_LT(world.PartOf(3), 0.01);
  EXPECT_GT(world.server(3).calls, 0) << "it must be tried now and then";
  EXPECT_LT(world.TimeAt(0.99), 30 * kMs);
  world.server(3).service_ns = 5 * kMs;
  world.Run(kQuietRate, 60 * kSecond);
  world.Run(kRate, 4 * kSecond);
  EXPECT_NEAR(world.PartOf(3), 0.1, 0.03);
}

TEST_P(ByResponse, AvoidsASilentServerAndComesBack) {
  SmallWorld world(GetParam(), kServers);
  world.Run(kRate, 2 * kSecond);
  world.server(3).silent = true;
  world.Run(kRate, 4 * kSecond);
  // At 500 calls a second it has some 20 when it becomes suspicious.
  EXPECT_LT(world.server(3).calls, 100);
  world.Run(kRate, 4 * kSecond);
  EXPECT_LT(world.server(3).calls, 10);
  world.server(3).silent = false;
  world.Run(kQuietRate, 90 * kSecond);
  world.Run(kRate, 4 * kSecond);
  EXPECT_NEAR(world.PartOf(3), 0.1, 0.03);
}

// Without the penalty the fastest way to fail would draw nearly all calls.
TEST_P(ByResponse, AvoidsAServerThatFailsFastAndComesBack) {
  SmallWorld world(GetParam(), kServers);
  world.Run(kRate, 2 * kSecond);
  world.server(3).fails = true;
  world.Run(kRate / 5, 30 * kSecond);
  EXPECT_LT(world.server(3).faults, 40);
  EXPECT_GT(world.server(3).faults, 0);
  world.server(3).fails = false;
  world.Run(kQuietRate, 60 * kSecond);
  world.Run(kRate, 4 * kSecond);
  EXPECT_NEAR(world.PartOf(3), 0.1, 0.03);
}

TEST_P(ByResponse, AvoidsAServerThatFailsFastFromTheBeginning) {
  SmallWorld world(GetParam(), kServers);
  world.server(3).fails = true;
  world.Run(kRate / 5, 30 * kSecond);
  EXPECT_LT(world.server(3).faults, 40);
}

TEST_P(ByResponse, AvoidsAServerThatRefusesConnectionsAndComesBack) {
  SmallWorld world(GetParam(), kServers);
  world.server(3).refuses = true;
  world.Run(kRate / 5, 30 * kSecond);
  EXPECT_LT(world.server(3).faults, 40);
  world.server(3).refuses = false;
  world.Run(kQuietRate, 60 * kSecond);
  world.Run(kRate, 4 * kSecond);
  EXPECT_NEAR(world.PartOf(3), 0.1, 0.03);
}

TEST_P(ByResponse, LeavesAPausedServerAloneAndReturns) {
  SmallWorld world(GetParam(), kServers);
  world.Run(kRate, 2 * kSecond);
  world.server(3).paused_until_ns = world.now_ns() + 200 * kMs;
  world.Run(kRate, 200 * kMs);
  EXPECT_LT(world.server(3).calls, 60) << "of the 100 of its share";
  world.Run(kQuietRate, 60 * kSecond);
  world.Run(kRate, 4 * kSecond);
  EXPECT_NEAR(world.PartOf(3), 0.1, 0.03);
}

TEST_P(ByResponse, GivesTheFasterServersMore) {
  SmallWorld world(GetParam(), 2);
  world.server(1).service_ns = 10 * kMs;
  world.Run(900, 5 * kSecond);  // of 1200 that both can do
  world.Run(900, 10 * kSecond);
  EXPECT_GT(world.PartOf(0), 0.6);
  EXPECT_GT(world.PartOf(1), 0.1);
  EXPECT_LT(world.TimeAt(0.99), 100 * kMs);
}

TEST_P(ByResponse, SaysWhatItWentBy) {
  const Balanced balanced(GetParam(), EqualProviders(2));
  Attempt(balanced, 0, kNow, 5 * kMs);
  Attempt(balanced, 1, kNow, 6 * kMs);
  balanced.snapshot().endpoint(0).OnStart(0, kNow);
  EXPECT_THAT(balanced.Explain({.now_ns = kNow}),
              testing::StartsWith(GetParam() + ": 10.0.0.2:20880, cost 6 ms: 0 in flight at 6 ms "
                                               "a call, 0 % failed lately; "));
}

TEST(ShortestResponse, BreaksTiesAtRandom) {
  const std::vector<int> counts = Balanced("shortest_response", EqualProviders(10)).Count(100'000);
  // 9 degrees of freedom: 99.9 % below 27.88.
  EXPECT_LT(ChiSquare(counts, std::vector<std::int32_t>(10, 1)), 27.88);
}

TEST(ShortestResponse, FindsTheFastestOfMany) {
  const Balanced balanced("shortest_response", EqualProviders(200));
  for (Index i = 0; i < 200; ++i) Attempt(balanced, i, kNow, (i == 123 ? 5 : 6) * kMs);
  for (std::uint64_t word = 0; word < 100; ++word) {
    EXPECT_EQ(balanced.Pick({.random = word << 57, .now_ns = kNow}), 123U);
  }
}

TEST(ShortestResponse, AvoidsTheSlowHalfAlsoWhenSampling) {
  const Balanced balanced("shortest_response", EqualProviders(400));
  for (Index i = 0; i < 400; ++i) Attempt(balanced, i, kNow, (i % 2 == 0 ? 5 : 6) * kMs);
  std::mt19937_64 words(kSeed);
  for (int call = 0; call < 10'000; ++call) {
    // A sample of 32 misses the fast half once in 2^32.
    EXPECT_EQ(balanced.Pick({.random = words(), .now_ns = kNow}) % 2, 0U);
  }
}

// The counters and the estimates move while strategies look at them.
TEST(ResponseStrategies, MayBePickedWhileEstimatesChange) {
  for (const std::string text : {"p2c", "p2c_ewma", "shortest_response"}) {
    const Balanced balanced(text, Providers({1, 2, 3, 4}), 2);
    const auto call = [&](std::uint32_t cell, std::uint64_t seed) {
      std::mt19937_64 words(seed);
      for (std::int64_t i = 1; i < 5000; ++i) {
        const Index chosen = balanced.Pick({.random = words(), .now_ns = kNow + i * kMs});
        ASSERT_LT(chosen, 4U);
        Endpoint& endpoint = balanced.snapshot().endpoint(chosen);
        endpoint.OnStart(cell, kNow + i * kMs);
        endpoint.OnEnd(cell, kNow + i * kMs, kNow + i * kMs + 7,
                       i % 8 == 0 ? Outcome::kFaulted : Outcome::kAnswered);
      }
    };
    std::jthread other([&] { call(1, kSeed + 1); });
    call(0, kSeed);
  }
}

}  // namespace
}  // namespace weir
