// The decorators that refuse some of a strategy's answers: slow_start and bounded.
#include <gmock/gmock.h>

#include <cmath>
#include <numeric>
#include <set>

#include "loadbalance/fleet.h"

namespace weir {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kStart = 1000 * kSecond;  // of the newcomer, by the fake clock

// Calls with random words and, for those that want one, random keys.
RequestView KeyedRequest(std::uint64_t word) {
  return {.method = "a.B/C", .key = "k", .key_hash = word, .has_key = true};
}

// How many of `calls` picks at the time go to provider `which`.
int CountOf(const Balanced& balanced, Index which, std::int64_t now_ns, int calls, bool keyed) {
  std::mt19937_64 words(kSeed);
  int count = 0;
  for (int call = 0; call < calls; ++call) {
    const PickContext context = {
        .sequence = static_cast<std::uint64_t>(call), .random = words(), .now_ns = now_ns};
    const RequestView request = keyed ? KeyedRequest(words()) : RequestView{};
    count += balanced.Pick(context, request) == which ? 1 : 0;
  }
  return count;
}

class SlowStartOf : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Every, SlowStartOf,
                         testing::Values("random", "weighted_random", "round_robin", "least_active",
                                         "consistent_hash"));

// 40,000 calls; without slow_start the newcomer gets a part q of about 1/8, so with it p q of them.
// Six standard deviations of that binomial: passed over by chance once in 500 million.
TEST_P(SlowStartOf, TheShareGrowsWithTheAge) {
  constexpr int kCalls = 40'000;
  const bool keyed = GetParam() == "consistent_hash";
  const Balanced plain(GetParam(), EqualProviders(8));
  const double whole = CountOf(plain, 3, kStart, kCalls, keyed);
  const Balanced slow("slow_start(window=30s)|" + GetParam(), EqualProviders(8));
  slow.snapshot().endpoint(3).set_started_ns(kStart);
  for (const auto& [seconds, part] :
       {std::pair{0, 0.1}, {2, 0.1}, {6, 0.2}, {15, 0.5}, {27, 0.9}, {30, 1.0}, {500, 1.0}}) {
    const int count = CountOf(slow, 3, kStart + seconds * kSecond, kCalls, keyed);
    const double wanted = whole * part;
    EXPECT_NEAR(count, wanted, part == 1.0 ? 0 : 6 * std::sqrt(wanted)) << seconds << " s";
  }
  EXPECT_NEAR(CountOf(slow, 3, kStart - kSecond, kCalls, keyed), whole * 0.1,
              6 * std::sqrt(whole * 0.1))
      << "a clock that is behind";
}

TEST_P(SlowStartOf, TheOthersShareWhatIsRefused) {
  const Balanced slow("slow_start(min=0)|" + GetParam(), EqualProviders(4));
  slow.snapshot().endpoint(1).set_started_ns(kStart);
  for (const Index i : {0U, 2U, 3U}) {
    EXPECT_GT(CountOf(slow, i, kStart, 8000, GetParam() == "consistent_hash"), 1500);
  }
  EXPECT_EQ(CountOf(slow, 1, kStart, 8000, false), 0);
}

TEST_P(SlowStartOf, WhoIsAloneIsTaken) {
  const Balanced slow("slow_start|" + GetParam(), EqualProviders(3));
  for (Index i = 0; i < 3; ++i) slow.snapshot().endpoint(i).set_started_ns(kStart);
  const Index others[] = {0, 2};
  std::mt19937_64 words(kSeed);
  for (int call = 0; call < 200; ++call) {
    EXPECT_EQ(slow.Pick({.random = words(), .now_ns = kStart, .excluded = others}), 1U);
  }
  // A fleet that starts as a whole is called on all the same, and evenly.
  for (Index i = 0; i < 3; ++i) EXPECT_NEAR(CountOf(slow, i, kStart, 6000, true), 2000, 600);
}

// Calls that come at random and take equally long anywhere, so many in flight at once.
std::vector<double> MeanInFlight(const Balanced& balanced, std::int64_t now_ns, int in_flight) {
  std::mt19937_64 words(kSeed);
  std::vector<Index> calls;
  std::vector<double> mean(balanced.snapshot().size());
  constexpr int kCalls = 20'000;
  for (int call = 0; call < kCalls; ++call) {
    const Index i = balanced.Pick(
        {.sequence = static_cast<std::uint64_t>(call), .random = words(), .now_ns = now_ns});
    EXPECT_LT(i, mean.size());
    SetActive(balanced.snapshot(), i, balanced.snapshot().active(i) + 1);
    calls.push_back(i);
    if (calls.size() == static_cast<std::size_t>(in_flight)) {
      std::swap(calls[words() % calls.size()], calls.back());
      SetActive(balanced.snapshot(), calls.back(), balanced.snapshot().active(calls.back()) - 1);
      calls.pop_back();
    }
    for (Index k = 0; k < mean.size(); ++k) {
      mean[k] += static_cast<double>(balanced.snapshot().active(k)) / kCalls;
    }
  }
  return mean;
}

TEST(SlowStart, HoldsBackWhoLooksIdleToStrategiesThatLookAtLoad) {
  const Balanced slow("slow_start(window=30s)|least_active", EqualProviders(10));
  slow.snapshot().endpoint(3).set_started_ns(kStart);
  const std::vector<double> mean = MeanInFlight(slow, kStart + 6 * kSecond, 200);
  // A fifth of 20, a standard deviation and one more at most; the others share the rest.
  EXPECT_LT(mean[3], 8);
  EXPECT_GT(mean[3], 2);
  for (const Index i : {0U, 5U, 9U}) EXPECT_NEAR(mean[i], 21, 2);
}

TEST(SlowStart, ByKeyEachKeyMovesOnce) {
  const Balanced plain("consistent_hash", EqualProviders(8));
  const Balanced slow("slow_start(by=key)|consistent_hash", EqualProviders(8));
  slow.snapshot().endpoint(3).set_started_ns(kStart);
  std::mt19937_64 words(kSeed);
  int moved = 0;
  for (int key = 0; key < 2000; ++key) {
    const RequestView request = KeyedRequest(words());
    const Index home = plain.Pick({}, request);
    bool arrived = false;
    for (int second = 0; second <= 30; ++second) {
      // The random word of the call does not matter.
      const Index i = slow.Pick({.random = words(), .now_ns = kStart + second * kSecond}, request);
      EXPECT_TRUE(home == 3 || i == home) << "a key of somebody else's";
      EXPECT_TRUE(!arrived || i == home) << "back again";
      arrived = i == home;
    }
    EXPECT_TRUE(arrived);
    moved += home == 3 ? 1 : 0;
  }
  EXPECT_GT(moved, 100);
}

TEST(SlowStart, SaysWhomItPassedOver) {
  const Balanced slow("slow_start(min=0)|consistent_hash", EqualProviders(3));
  for (Index i = 0; i < 3; ++i) {
    slow.snapshot().endpoint(i).set_started_ns(i == 2 ? 0 : kStart);
  }
  std::set<std::string> said;
  for (std::uint64_t word = 1; word != 0; word <<= 1) {
    said.insert(slow.Explain({.random = word, .now_ns = kStart + 1}, {}));
  }
  EXPECT_THAT(said, testing::Contains(HasSubstr("slow_start: passed over 10.0.0.")));
  EXPECT_THAT(said,
              testing::Contains(HasSubstr("which started 0 ms ago and gets 0 % of its share")));
  const Index old[] = {2};
  EXPECT_THAT(slow.Explain({.now_ns = kStart + 15 * kSecond, .excluded = old}),
              HasSubstr("which started 15000 ms ago and gets 50 %"));
}

std::string NameOf(const testing::TestParamInfo<std::string>& each) {
  std::string name = each.param;
  for (char& c : name) c = std::isalnum(c) != 0 ? c : '_';
  return name;
}

class BoundedOf : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Every, BoundedOf, testing::ValuesIn(LoadBalances().Names()), NameOf);

TEST_P(BoundedOf, NobodyIsEverAboveTheCap) {
  std::mt19937_64 words(kSeed);
  for (const double c : {1.0, 1.25, 3.0}) {
    for (const std::size_t n : {1, 3, 40, 120}) {
      std::vector<std::int32_t> weights;
      for (std::size_t i = 0; i < n; ++i) weights.push_back(static_cast<std::int32_t>(1 + i % 4));
      const Balanced balanced("bounded(c=" + std::to_string(c) + ")|" + GetParam(),
                              Providers(weights));
      const Snapshot& snapshot = balanced.snapshot();
      std::vector<Index> excluded;
      // So many that the decorator has no room for them on its stack.
      if (n == 120) {
        for (Index i = 0; i < 100; ++i) excluded.push_back(i);
      }
      double sum = 0;
      for (std::size_t i = excluded.size(); i < n; ++i) sum += weights[i];
      std::vector<Index> calls;
      for (int call = 0; call < 1000; ++call) {
        // A few keys only: without the cap most calls would go to few providers.
        const RequestView request = KeyedRequest((words() % 2) * 0x9e3779b97f4a7c15);
        const Index i = balanced.Pick(
            {.sequence = 0, .random = words(), .now_ns = call, .excluded = excluded}, request);
        ASSERT_LT(i, n);
        ASSERT_GE(i, excluded.size());
        SetActive(snapshot, i, snapshot.active(i) + 1);
        calls.push_back(i);
        const double cap = std::ceil(c * static_cast<double>(calls.size()) * weights[i] / sum);
        ASSERT_LE(snapshot.active(i), cap) << "c " << c << ", call " << call << " of " << n;
        while (!calls.empty() && words() % 5 < 2) {
          std::swap(calls[words() % calls.size()], calls.back());
          SetActive(snapshot, calls.back(), snapshot.active(calls.back()) - 1);
          calls.pop_back();
        }
      }
    }
  }
}

TEST(Bounded, SaysWhoIsFull) {
  const Balanced balanced("bounded(c=1)|round_robin", EqualProviders(3));
  SetActive(balanced.snapshot(), 1, 5);
  const std::string why = balanced.Explain({.sequence = 1});
  EXPECT_THAT(why, HasSubstr("bounded: 10.0.0.2:20880 is full, 5 calls of 2"));
  EXPECT_THAT(balanced.Explain({.sequence = 2}), testing::Not(HasSubstr("full")));
}

TEST(Bounded, TheCapGrowsWithTheWeight) {
  const Balanced balanced("bounded(c=1)|consistent_hash", Providers({30, 10}));
  std::vector<std::uint32_t> active(2);
  for (int call = 0; call < 40; ++call) {
    const Index i = balanced.PickKey("the only key");
    SetActive(balanced.snapshot(), i, ++active[i]);
  }
  EXPECT_EQ(active, (std::vector<std::uint32_t>{30, 10}));
}

// Whatever is nested, the contract of a pick holds.
class Chain : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Of, Chain,
                         testing::Values("slow_start|p", "bounded|p", "slow_start|bounded|p",
                                         "bounded(c=1)|slow_start(min=0,by=key)|p"),
                         NameOf);

TEST_P(Chain, KeepsTheContractOfAPick) {
  for (const std::string& strategy : kTheFive) {
    const std::string text = GetParam().substr(0, GetParam().size() - 1) + strategy;
    const Balanced empty(text, {});
    EXPECT_EQ(empty.Pick({.random = 5}), kNone);
    for (const Index n : {1U, 4U, 90U}) {
      const Balanced balanced(text, EqualProviders(n));
      for (Index i = 0; i < n; i += 2) {
        balanced.snapshot().endpoint(i).set_started_ns(kStart);
        SetActive(balanced.snapshot(), i, i % 7);
      }
      std::vector<Index> all(n);
      std::iota(all.begin(), all.end(), 0U);
      EXPECT_EQ(balanced.Pick({.random = 5, .now_ns = kStart, .excluded = all}), kNone) << text;
      std::mt19937_64 words(kSeed);
      for (int round = 0; round < 200; ++round) {
        const std::span<const Index> some = std::span(all).first(words() % n);
        const PickContext context = {
            .sequence = words(), .random = words(), .now_ns = kStart + kSecond, .excluded = some};
        const RequestView request = KeyedRequest(words());
        const Index i = balanced.Pick(context, request);
        ASSERT_LT(i, n) << text;
        ASSERT_FALSE(IsExcluded(context, i)) << text;
        ASSERT_EQ(balanced.Pick(context, request), i) << text;
      }
    }
  }
}

}  // namespace
}  // namespace weir
