// The ring: what moves, what stays, how even it is.
#include "weir/loadbalance/hash_ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <random>

#include "loadbalance/fleet.h"
#include "weir/loadbalance/fnv.h"

namespace weir {
namespace {

std::string KeyOf(int i) {
  return "key-" + std::to_string(i);
}

// Owners by address of every position in a fine sample of the circle.
std::vector<std::string> Owners(const std::vector<Provider>& providers, RingOptions options = {}) {
  const HashRing ring(providers, options);
  std::vector<std::string> owners;
  std::mt19937 positions(kSeed);
  for (int i = 0; i < 20'000; ++i) owners.push_back(providers[ring.Owner(positions())].address);
  return owners;
}

// How many positions changed hands, and of those how many although neither their old nor their new
// owner is `changed`.
struct Moves {
  int all = 0;
  int needless = 0;
};
Moves MovesBetween(const std::vector<Provider>& before, const std::vector<Provider>& after,
                   const std::string& changed, RingOptions options = {}) {
  const std::vector<std::string> old_owners = Owners(before, options);
  const std::vector<std::string> new_owners = Owners(after, options);
  Moves moves;
  for (std::size_t i = 0; i < old_owners.size(); ++i) {
    if (old_owners[i] == new_owners[i]) continue;
    ++moves.all;
    if (old_owners[i] != changed && new_owners[i] != changed) ++moves.needless;
  }
  return moves;
}

std::vector<Provider> Without(std::vector<Provider> providers, std::size_t i) {
  providers.erase(providers.begin() + static_cast<std::ptrdiff_t>(i));
  return providers;
}

TEST(HashRing, IsEmptyWithoutProviders) {
  const HashRing ring({});
  EXPECT_EQ(ring.size(), 0U);
  EXPECT_EQ(ring.Owner(0), kNone);
  EXPECT_EQ(ring.OwnerOfKey("k"), kNone);
  EXPECT_EQ(ring.Walk(7, [](Index) { return true; }), kNone);
  EXPECT_TRUE(ring.Shares().empty());
}

TEST(HashRing, StandsOnTheLabelsItPromises) {
  const std::vector<Provider> one = {{"127.0.0.1:8888", 100}};
  const std::vector<Provider> two = {{"127.0.0.1:8888", 100}, {"10.0.0.1:20880", 100}};
  const HashRing ring(two, {.vnodes = 1, .unit = 100});
  EXPECT_EQ(HashRing(one, {.vnodes = 1, .unit = 100}).size(), 1U);
  ASSERT_EQ(ring.size(), 2U);
  for (const Index i : {0U, 1U}) {
    const std::uint32_t position = FnvPosition("0#" + two[i].address);
    EXPECT_EQ(ring.Owner(position), i) << "a virtual node owns its own position";
    EXPECT_EQ(ring.Owner(position + 1), 1 - i) << "and none behind it";
  }
}

// Against the definition: the smallest position not below the key's, else the smallest of all.
TEST(HashRing, OwnerIsTheFirstVirtualNodeClockwise) {
  const std::vector<Provider> providers = Providers({1, 2, 3, 50});
  for (const std::uint32_t vnodes : {1U, 2U, 3U, 160U}) {
    const HashRing ring(providers, {.vnodes = vnodes, .unit = 1});
    std::vector<std::pair<std::uint32_t, Index>> points;
    for (Index i = 0; i < providers.size(); ++i) {
      for (std::uint32_t v = 0; v < vnodes * static_cast<std::uint32_t>(providers[i].weight); ++v) {
        points.emplace_back(FnvPosition(std::to_string(v) + "#" + providers[i].address), i);
      }
    }
    std::sort(points.begin(), points.end());
    ASSERT_EQ(ring.size(), points.size());
    std::mt19937 random(kSeed);
    for (int i = 0; i < 5000; ++i) {
      std::uint32_t position = random();
      if (i < 2) position = i == 0 ? 0 : ~0U;
      if (i >= 4000) position = points[random() % points.size()].first + random() % 3 - 1;
      auto found = std::lower_bound(points.begin(), points.end(), std::pair{position, Index{0}});
      if (found == points.end()) found = points.begin();
      ASSERT_EQ(ring.Owner(position), found->second) << position;
    }
  }
}

TEST(HashRing, DoesNotDependOnTheOrderOfTheList) {
  std::vector<Provider> providers = Providers({5, 1, 7, 7, 3, 100, 20, 1});
  for (const RingHash hash : {RingHash::kFnv, RingHash::kXxh64, RingHash::kSeed}) {
    const std::vector<std::string> owners = Owners(providers, {.hash = hash});
    std::mt19937 random(kSeed);
    for (int round = 0; round < 5; ++round) {
      std::shuffle(providers.begin(), providers.end(), random);
      EXPECT_EQ(Owners(providers, {.hash = hash}), owners);
    }
  }
}

TEST(HashRing, EqualPositionsGoToTheLowerAddress) {
  // 400,000 points on 2^32 positions: some 18 pairs coincide.
  const std::vector<Provider> providers = EqualProviders(2500);
  const HashRing ring(providers);
  std::vector<std::pair<std::uint32_t, Index>> points;
  for (Index i = 0; i < providers.size(); ++i) {
    for (std::uint32_t v = 0; v < 160; ++v) {
      points.emplace_back(FnvPosition(std::to_string(v) + "#" + providers[i].address), i);
    }
  }
  std::sort(points.begin(), points.end(), [&](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first
                              : providers[a.second].address < providers[b.second].address;
  });
  int collisions = 0;
  for (std::size_t i = 0; i + 1 < points.size(); ++i) {
    if (points[i].first != points[i + 1].first) continue;
    if (i > 0 && points[i - 1].first == points[i].first) continue;
    ++collisions;
    EXPECT_EQ(ring.Owner(points[i].first), points[i].second);
  }
  EXPECT_GT(collisions, 3);
}

// The committed mapping, made by a second implementation (Python, from the definition): the same in
// every process, on every machine, for every order of the list. Lines "hash key address"; the
// providers are those of the first lines, "provider address weight".
TEST(HashRing, MatchesTheGoldenMapping) {
  std::ifstream file(WEIR_GOLDEN_MAPPING);
  ASSERT_TRUE(file) << WEIR_GOLDEN_MAPPING;
  std::vector<Provider> providers;
  std::string kind;
  int checked = 0;
  while (file >> kind) {
    if (kind == "provider") {
      Provider& provider = providers.emplace_back();
      file >> provider.address >> provider.weight;
      continue;
    }
    std::string key;
    std::string address;
    file >> key >> address;
    const RingHash hash = kind == "fnv"     ? RingHash::kFnv
                          : kind == "xxh64" ? RingHash::kXxh64
                                            : RingHash::kSeed;
    for (int order = 0; order < 2; ++order) {
      std::reverse(providers.begin(), providers.end());
      const HashRing ring(providers, {.hash = hash});
      ASSERT_EQ(providers[ring.OwnerOfKey(key)].address, address) << kind << " " << key;
    }
    ++checked;
  }
  EXPECT_EQ(checked, 600);
}

TEST(HashRing, RemovingAProviderMovesOnlyItsOwnKeys) {
  const std::vector<Provider> before = EqualProviders(10);
  for (std::size_t i = 0; i < before.size(); ++i) {
    const Moves moves = MovesBetween(before, Without(before, i), before[i].address);
    EXPECT_EQ(moves.needless, 0);
    EXPECT_NEAR(moves.all, 2000, 700);
  }
}

TEST(HashRing, AddingAProviderTakesKeysOnlyForIt) {
  const std::vector<Provider> after = EqualProviders(11);
  const Moves moves = MovesBetween(Without(after, 10), after, after[10].address);
  EXPECT_EQ(moves.needless, 0);
  EXPECT_NEAR(moves.all, 20'000 / 11, 600);
}

TEST(HashRing, ChangingAWeightMovesOnlyToOrFromThatProvider) {
  const std::vector<Provider> before = EqualProviders(10);
  for (const std::int32_t weight : {1, 10, 50, 99, 101, 200, 500, 700}) {
    std::vector<Provider> after = before;
    after[4].weight = weight;
    const Moves moves = MovesBetween(before, after, before[4].address);
    EXPECT_EQ(moves.needless, 0) << weight;
    if (std::abs(weight - 100) > 1) {
      EXPECT_GT(moves.all, 0) << weight;
    }
  }
}

TEST(HashRing, UnequalWeightsMoveNothingNeedlesslyWithinTheBandOfTheMean) {
  const std::vector<Provider> before = Providers({1, 2, 3});
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(MovesBetween(before, Without(before, i), before[i].address).needless, 0);
  }
}

// Where the list's own scale would change, a fixed unit keeps every other provider where it is.
TEST(HashRing, AFixedUnitMovesNothingNeedlesslyWhateverTheWeights) {
  const std::vector<Provider> before = Providers({1, 2, 3, 4, 500});
  EXPECT_GT(MovesBetween(before, Without(before, 4), before[4].address).needless, 0);
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(MovesBetween(before, Without(before, i), before[i].address, {.unit = 2}).needless, 0);
  }
}

TEST(HashRing, DefaultWeightGetsExactlyTheVirtualNodesAskedFor) {
  for (const std::size_t n : {1, 3, 100}) {
    EXPECT_EQ(HashRing(EqualProviders(n)).size(), 160 * n);
    EXPECT_EQ(HashRing(Providers(std::vector<std::int32_t>(n, kWeightUnset))).size(), 160 * n);
  }
  for (std::int32_t weight = 1; weight <= kMaxWeight; weight = weight * 9 / 8 + 1) {
    const std::size_t nodes = HashRing(Providers({weight, weight})).size() / 2;
    EXPECT_GE(nodes, 140U) << weight;
    EXPECT_LE(nodes, 280U) << weight;
  }
}

TEST(HashRing, SharesSumToOneAndAgreeWithOwners) {
  const std::vector<Provider> providers = Providers({1, 2, 3, 4});
  const HashRing ring(providers);
  const std::vector<double> shares = ring.Shares();
  std::vector<int> counts(4, 0);
  for (int i = 0; i < 100'000; ++i) ++counts[ring.OwnerOfKey(KeyOf(i))];
  double sum = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    sum += shares[i];
    // Six standard deviations of a count of 100,000.
    EXPECT_NEAR(counts[i] / 1e5, shares[i], 6 * 0.5 / std::sqrt(1e5));
    EXPECT_NEAR(shares[i], static_cast<double>(i + 1) / 10, 0.03);
  }
  EXPECT_NEAR(sum, 1, 1e-9);
  EXPECT_EQ(HashRing(Providers({5}), {.vnodes = 1, .unit = 5}).Shares(), std::vector<double>{1});
}

struct Balance {
  double deviation = 0;  // of share / fair share, root mean square
  double peak = 0;       // largest share / fair share
};
// Over `fleets` lists with different addresses: the mean of the variances and of the peaks.
Balance BalanceOf(std::size_t n, int fleets) {
  Balance balance;
  for (int fleet = 0; fleet < fleets; ++fleet) {
    std::vector<Provider> providers;
    for (std::size_t i = 0; i < n; ++i) {
      providers.push_back({"10." + std::to_string(fleet) + "." + std::to_string(i / 250) + "." +
                               std::to_string(i % 250 + 1) + ":20880",
                           kDefaultWeight});
    }
    double peak = 0;
    for (const double share : HashRing(providers).Shares()) {
      const double ratio = share * static_cast<double>(n);
      balance.deviation += (ratio - 1) * (ratio - 1) / static_cast<double>(n) / fleets;
      peak = std::max(peak, ratio);
    }
    balance.peak += peak / fleets;
  }
  balance.deviation = std::sqrt(balance.deviation);
  return balance;
}

// The expected deviation of 160 random points each is 0.079; the expected peaks are 1.13, 1.20 and
// 1.27. The margins are three standard errors of these means and more.
TEST(HashRing, SpreadsEvenlyOver10And100And1000Providers) {
  const struct {
    std::size_t providers;
    int fleets;
    double peak;
  } cases[] = {{10, 100, 1.15}, {100, 20, 1.23}, {1000, 4, 1.33}};
  for (const auto& [n, fleets, peak] : cases) {
    const Balance balance = BalanceOf(n, fleets);
    RecordProperty("deviation_" + std::to_string(n), std::to_string(balance.deviation));
    std::printf("%4zu providers: deviation %.4f, peak/average %.3f (%d fleets)\n", n,
                balance.deviation, balance.peak, fleets);
    EXPECT_LE(balance.deviation, 0.085);
    EXPECT_LE(balance.peak, peak);
  }
}

}  // namespace
}  // namespace weir
