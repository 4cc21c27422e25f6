// A ring made from an earlier one is the ring that would have been made anew.
#include "weir/loadbalance/hash_ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "loadbalance/fleet.h"

namespace weir {
namespace {

class Churn {
 public:
  Churn(std::uint64_t seed, std::size_t n) : random_(seed) {
    while (providers_.size() < n) Add();
  }

  void Add() {
    const std::uint64_t number = random_() % 100'000;
    const std::string address =
        "10.1." + std::to_string(number / 250) + "." + std::to_string(number % 250 + 1) + ":20880";
    const auto place =
        std::lower_bound(providers_.begin(), providers_.end(), address,
                         [](const Provider& p, const std::string& a) { return p.address < a; });
    if (place != providers_.end() && place->address == address) return;
    providers_.insert(place, {address, Weight()});
  }
  void Step() {
    const std::size_t i = providers_.empty() ? 0 : random_() % providers_.size();
    switch (providers_.size() < 2 ? 0 : random_() % 4) {
      case 0:
        return Add();
      case 1:
        providers_.erase(providers_.begin() + static_cast<std::ptrdiff_t>(i));
        return;
      case 2:
        providers_[i].weight = Weight();
        return;
      default:  // an address makes way for another
        providers_.erase(providers_.begin() + static_cast<std::ptrdiff_t>(i));
        return Add();
    }
  }
  void Shuffle() { std::shuffle(providers_.begin(), providers_.end(), random_); }
  std::uint64_t Word() { return random_(); }
  const std::vector<Provider>& providers() const { return providers_; }

 private:
  // Mostly the default, as in a real list.
  std::int32_t Weight() {
    const std::int32_t kWeights[] = {100, 100, 100, 100, kWeightUnset, 0, 1, 50, 150, 400};
    return kWeights[random_() % std::size(kWeights)];
  }
  std::mt19937_64 random_;
  std::vector<Provider> providers_;
};

void ExpectSame(const HashRing& updated, const HashRing& fresh, std::uint64_t seed, int step) {
  ASSERT_TRUE(updated == fresh) << "seed " << seed << ", step " << step;
  std::mt19937 positions(static_cast<std::uint32_t>(seed));
  for (int i = 0; i < 200; ++i) {
    const std::uint32_t position = positions();
    ASSERT_EQ(updated.Owner(position), fresh.Owner(position)) << "seed " << seed;
  }
}

TEST(RingUpdate, EqualsAFreshRingAfterAnyChanges) {
  for (std::uint64_t seed = kSeed; seed < kSeed + 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Churn churn(seed, 1 + seed % 60);
    RingOptions options;
    options.hash = static_cast<RingHash>(seed % 3);
    // Few positions per provider and lists of few, so that every kind of neighbour occurs.
    options.vnodes = seed % 2 == 0 ? 160 : 3;
    options.unit = seed % 5 == 0 ? 100 : 0;
    std::vector<Provider> before = churn.providers();
    HashRing ring(before, options);
    for (int step = 0; step < 40; ++step) {
      for (std::uint64_t changes = churn.Word() % 3; changes-- > 0;) churn.Step();
      if (seed % 7 == 0) churn.Shuffle();
      HashRing updated(churn.providers(), options, ring, before);
      ExpectSame(updated, HashRing(churn.providers(), options), seed, step);
      ring = std::move(updated);
      before = churn.providers();
    }
  }
}

TEST(RingUpdate, EqualsAFreshRingWherePositionsAreMetTwice) {
  // 300,000 points on 2^32 positions: some ten are met twice, and they come and go.
  Churn churn(kSeed, 1500);
  const RingOptions options = {.vnodes = 200};
  std::vector<Provider> before = churn.providers();
  HashRing ring(before, options);
  for (int step = 0; step < 20; ++step) {
    for (int change = 0; change < 20; ++change) churn.Step();
    HashRing updated(churn.providers(), options, ring, before);
    ExpectSame(updated, HashRing(churn.providers(), options), kSeed, step);
    ring = std::move(updated);
    before = churn.providers();
  }
}

TEST(RingUpdate, StartsAnewWhereItMust) {
  const std::vector<Provider> few = EqualProviders(3);
  const std::vector<Provider> many = EqualProviders(40);
  const HashRing ring(few);
  EXPECT_TRUE(HashRing(many, {}, ring, few) == HashRing(many));
  EXPECT_TRUE(HashRing(few, {.vnodes = 7}, ring, few) == HashRing(few, {.vnodes = 7}));
  EXPECT_TRUE(HashRing(few, {.hash = RingHash::kXxh64}, ring, few) ==
              HashRing(few, {.hash = RingHash::kXxh64}));
  EXPECT_TRUE(HashRing(few, {}, HashRing({}), {}) == ring);
  EXPECT_EQ(HashRing({}, {}, ring, few).Owner(7), kNone);
}

TEST(RingUpdate, HappensWhenAStrategyBuildsItsTablesAgain) {
  Churn churn(kSeed, 200);
  const Result<ConfiguredLoadBalance> configured = LoadBalances().Configure("consistent_hash");
  ASSERT_TRUE(configured.ok());
  Snapshot previous = MakeSnapshot(churn.providers());
  configured->BuildTables(previous, nullptr);
  for (int step = 0; step < 50; ++step) {
    churn.Step();
    Snapshot updated = MakeSnapshot(churn.providers());
    configured->BuildTables(updated, &previous);
    Snapshot fresh = MakeSnapshot(churn.providers());
    configured->BuildTables(fresh, nullptr);
    for (int i = 0; i < 500; ++i) {
      const PickContext context = {.random = churn.Word()};
      ASSERT_EQ(configured->Pick({}, updated, context), configured->Pick({}, fresh, context));
    }
    previous = std::move(updated);
  }
}

TEST(RingUpdate, CopiesShareWhatTheyHold) {
  const std::vector<Provider> providers = EqualProviders(5);
  std::vector<HashRing> rings;
  {
    const HashRing ring(providers);
    rings.assign(3, ring);
  }
  const HashRing fresh(providers);
  for (const HashRing& ring : rings) EXPECT_TRUE(ring == fresh);
}

}  // namespace
}  // namespace weir
