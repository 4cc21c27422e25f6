// ect: what it makes of reports, of its own calls, of failures and of silence.
#include <gmock/gmock.h>

#include <array>

#include "loadbalance/fleet.h"

namespace weir {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kNow = 1'000'000 * kMs;

// A fleet whose providers report.
class Ect : public testing::Test {
 protected:
  explicit Ect(std::string_view text = "ect", std::size_t n = 4) : fleet_(text, EqualProviders(n)) {
    for (Index i = 0; i < n; ++i) Report(i, 5);
  }
  Endpoint& endpoint(Index i) const { return fleet_.snapshot().endpoint(i); }
  // Provider i has 4 slots, needs that long, and has so many calls beside our own.
  void Report(Index i, std::int64_t service_ms, std::uint32_t others = 0,
              std::int64_t now = kNow) const {
    LoadReport report{.slots = 4};
    report.in_flight = static_cast<std::uint16_t>(others + fleet_.snapshot().active(i));
    report.service_100ns = static_cast<std::uint32_t>(service_ms * 10'000);
    endpoint(i).OnReport(report, now);
  }
  void Start(Index i, int calls, std::int64_t now = kNow) const {
    for (int k = 0; k < calls; ++k) endpoint(i).OnStart(0, now);
  }
  void Call(Index i, std::int64_t now, Outcome outcome) const {
    endpoint(i).OnStart(0, now - 5 * kMs);
    endpoint(i).OnEnd(0, now - 5 * kMs, now, outcome);
  }
  // Who is picked how often in 1000 picks at that time.
  std::vector<int> Picks(std::int64_t now = kNow) const {
    std::mt19937_64 words(kSeed);
    std::vector<int> counts(fleet_.snapshot().size());
    for (std::uint64_t i = 0; i < 1000; ++i) {
      ++counts.at(fleet_.Pick({.sequence = i, .random = words(), .now_ns = now}));
    }
    return counts;
  }
  std::vector<Index> Asked(std::int64_t now = kNow, std::uint64_t random = kSeed) const {
    std::array<Index, kMaxProbes> ask{};
    const Result<ConfiguredLoadBalance> ect = LoadBalances().Configure("ect");
    const std::size_t count = ect->strategy.probe(
        {}, fleet_.snapshot(), {.random = random, .now_ns = now}, std::span(ask));
    return {ask.begin(), ask.begin() + static_cast<std::ptrdiff_t>(count)};
  }

  Balanced fleet_;
};

TEST_F(Ect, TakesTheOneWithTheMostFreeSlots) {
  Start(0, 3);
  Start(1, 2);
  Start(2, 1);
  Start(3, 4);
  EXPECT_EQ(Picks()[2], 1000);
}

TEST_F(Ect, BreaksTiesAtRandom) {
  for (const int count : Picks()) EXPECT_NEAR(count, 250, 60);
}

TEST_F(Ect, QueuesAtAFastProviderAsLongAsThatIsSooner) {
  for (const Index i : {1U, 2U, 3U}) Report(i, 50);
  // Differences of up to 1.6 are not believed: 50 ms count as 31.
  Start(0, 20);  // 5 ms * (1 + 17/4) = 26 ms, and 2.5 because it is busy
  EXPECT_EQ(Picks()[0], 1000);
  Start(0, 10);  // 41 ms
  EXPECT_EQ(Picks()[0], 0);
}

TEST_F(Ect, CountsTheCallsOfOthers) {
  for (const Index i : {0U, 1U, 3U}) Report(i, 5, 9);
  EXPECT_EQ(Picks()[2], 1000);
}

TEST_F(Ect, DoesNotCountItsOwnCallsTwice) {
  Start(0, 3);
  Report(0, 5);
  EXPECT_EQ(endpoint(0).others(), 0);
  Report(0, 5, 2);
  EXPECT_EQ(endpoint(0).others(), 2);
}

TEST_F(Ect, AFailingProviderIsTriedByOneCallAtATimeAndEverMoreRarely) {
  std::int64_t now = kNow;
  Call(1, now, Outcome::kFaulted);
  Call(1, now, Outcome::kFaulted);
  std::int64_t pause = 0;
  for (int failed = 2; failed < 7; ++failed) {
    EXPECT_EQ(Picks(now + 1)[1], 0);
    const std::int64_t began = now;
    while (Picks(now)[1] == 0) now += 10 * kMs;
    EXPECT_GT(now - began, pause);
    pause = now - began;
    Start(1, 1, now);  // the trial
    EXPECT_EQ(Picks(now)[1], 0);
    endpoint(1).OnEnd(0, now, now, Outcome::kFaulted);
  }
  EXPECT_GE(pause, 1600 * kMs);
}

TEST_F(Ect, AProviderThatRecoversIsUsedAgain) {
  for (int i = 0; i < 3; ++i) Call(1, kNow, Outcome::kFaulted);
  for (int i = 0; i < 100; ++i) Call(1, kNow + i, Outcome::kAnswered);
  EXPECT_GT(Picks(kNow + 100)[1], 100);
}

TEST_F(Ect, AProviderThatOwesAnswersForLongIsLeftAlone) {
  for (Index i = 0; i < 4; ++i) Start(i, 1, i == 2 ? kNow - 200 * kMs : kNow);
  EXPECT_EQ(Picks()[2], 0);
}

TEST_F(Ect, IsNotAttractedByFastFailures) {
  for (Index i = 0; i < 4; ++i) Start(i, 3);
  for (int k = 0; k < 50; ++k) Call(1, kNow, k % 2 == 0 ? Outcome::kFaulted : Outcome::kAnswered);
  EXPECT_EQ(Picks()[1], 0);
}

TEST_F(Ect, SaysWhatItExpects) {
  Report(0, 5, 2);
  Start(0, 1);
  for (const Index i : {1U, 2U, 3U}) Report(i, 50);
  const std::string why = fleet_.Explain({.random = kSeed, .now_ns = kNow + kMs});
  EXPECT_THAT(why, HasSubstr("ect: 10.0.0.1:20880, expected to take 5."));
  EXPECT_THAT(why,
              HasSubstr("1 calls of ours and 2 of others in 4 slots at 5 ms, as reported 1 ms"));
  EXPECT_THAT(why, HasSubstr("of 4 compared"));
}

TEST_F(Ect, AsksNobodyWhileItsOwnCallsAreAllThereAre) {
  for (Index i = 0; i < 4; ++i) Start(i, 3);
  EXPECT_THAT(Asked(kNow + 1000 * kMs), testing::IsEmpty());
}

TEST_F(Ect, AsksWhenWhatItKnowsOfOthersIsOld) {
  for (Index i = 0; i < 4; ++i) Report(i, 5, 3);
  EXPECT_THAT(Asked(kNow + kMs), testing::IsEmpty());
  const std::vector<Index> asked = Asked(kNow + 100 * kMs);
  EXPECT_EQ(asked.size(), 3U);
  EXPECT_NE(asked[0], asked[1]);
  EXPECT_NE(asked[1], asked[2]);
  EXPECT_NE(asked[0], asked[2]);
}

class EctOfStrangers : public Ect {
 protected:
  EctOfStrangers() : Ect("ect:probes=0", 0) {}
};

TEST_F(EctOfStrangers, EachIsTriedOnceBeforeAnyTwice) {
  const Balanced fleet("ect:probes=0", EqualProviders(6));
  std::mt19937_64 words(kSeed);
  for (std::uint64_t call = 0; call < 12; ++call) {
    const Index i = fleet.Pick({.sequence = call, .random = words(), .now_ns = kNow});
    fleet.snapshot().endpoint(i).OnStart(0, kNow);
    EXPECT_EQ(fleet.snapshot().active(i), call / 6 + 1);
  }
}

TEST_F(EctOfStrangers, AStrangerThatOnlyFailsIsNotTriedForEver) {
  const Balanced fleet("ect", EqualProviders(3));
  fleet.snapshot().endpoint(0).OnReport({.slots = 4, .service_100ns = 50'000}, kNow);
  for (const Index i : {1U, 2U}) {
    for (int k = 0; k < 2; ++k) {
      fleet.snapshot().endpoint(i).OnStart(0, kNow);
      fleet.snapshot().endpoint(i).OnEnd(0, kNow, kNow, Outcome::kLost);
    }
  }
  for (std::uint64_t call = 0; call < 200; ++call) {
    EXPECT_EQ(fleet.Pick({.sequence = call, .random = call << 50, .now_ns = kNow + kMs}), 0U);
  }
}

TEST(EctText, RefusesWhatItDoesNotKnow) {
  EXPECT_TRUE(LoadBalances().Configure("ect:probes=0,probe_above=20ms").ok());
  EXPECT_THAT(LoadBalances().Configure("ect:probes=9").status().message(),
              HasSubstr("position 5: parameter 'probes' is '9'; expected an integer from 0 to 8"));
  EXPECT_THAT(LoadBalances().Configure("ect:probe_above=soon").status().message(),
              HasSubstr("a time from 1ms to 24h"));
}

}  // namespace
}  // namespace weir
