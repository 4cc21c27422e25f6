// The decorators that narrow the list a consumer sees: subset, aperture, zone.
#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "loadbalance/fleet.h"

namespace weir {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::set<std::string> Selected(std::string_view text, std::span<const Provider> providers,
                               const Consumer& consumer = {}) {
  const auto configured = LoadBalances().Configure(text);
  EXPECT_TRUE(configured.ok()) << configured.status().ToString();
  EXPECT_TRUE(configured->narrows());
  const std::vector<Index> chosen = configured->Select(providers, consumer);
  EXPECT_TRUE(std::is_sorted(chosen.begin(), chosen.end()));
  std::set<std::string> addresses;
  for (const Index i : chosen) addresses.insert(providers[i].address);
  EXPECT_EQ(addresses.size(), chosen.size()) << "nobody twice";
  return addresses;
}

std::size_t LostOf(const std::set<std::string>& before, const std::set<std::string>& after) {
  return static_cast<std::size_t>(
      std::count_if(before.begin(), before.end(),
                    [&](const std::string& address) { return !after.contains(address); }));
}

TEST(Subset, IsStableForAConsumerAndAnotherForAnother) {
  std::vector<Provider> providers = EqualProviders(100);
  const auto own = Selected("subset(k=20)|random", providers, {.random = 7});
  EXPECT_EQ(own.size(), 20U);
  std::reverse(providers.begin(), providers.end());
  EXPECT_EQ(Selected("subset(k=20)|random", providers, {.random = 7}), own);
  EXPECT_GT(LostOf(own, Selected("subset(k=20)|random", providers, {.random = 8})), 5U);
  EXPECT_EQ(Selected("subset|random", providers, {.random = 7}), own) << "the default";
}

TEST(Subset, IsEverybodyInAShortList) {
  EXPECT_EQ(Selected("subset(k=20)|random", EqualProviders(20)).size(), 20U);
  EXPECT_EQ(Selected("subset(k=20)|random", EqualProviders(3)).size(), 3U);
  EXPECT_THAT(Selected("subset(k=20)|random", {}), IsEmpty());
}

TEST(Subset, LosesOnlyWhomTheListLoses) {
  const std::vector<Provider> all = EqualProviders(200);
  for (std::uint64_t consumer = 0; consumer < 40; ++consumer) {
    const auto before = Selected("subset(k=12)|random", all, {.random = consumer});
    for (std::size_t gone = 0; gone < all.size(); gone += 7) {
      std::vector<Provider> fewer = all;
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(gone));
      const auto after = Selected("subset(k=12)|random", fewer, {.random = consumer});
      EXPECT_EQ(LostOf(before, after), before.count(all[gone].address));
      EXPECT_EQ(after.size(), 12U);
    }
  }
}

// 2000 consumers take 10 of 50 each: a provider is seen by 400 on average, with a deviation of 18.
// Beyond five of them lies one in 1.7 million.
TEST(Subset, SpreadsConsumersOverTheProviders) {
  const std::vector<Provider> providers = EqualProviders(50);
  std::map<std::string, int> seen;
  std::mt19937_64 words(kSeed);
  for (int consumer = 0; consumer < 2000; ++consumer) {
    for (const auto& address : Selected("subset(k=10)|random", providers, {.random = words()})) {
      ++seen[address];
    }
  }
  ASSERT_EQ(seen.size(), 50U);
  for (const auto& [address, count] : seen) EXPECT_NEAR(count, 400, 90) << address;
}

std::string ApertureText(std::size_t k, std::size_t index, std::size_t of) {
  return "aperture(k=" + std::to_string(k) + ",index=" + std::to_string(index) +
         ",of=" + std::to_string(of) + ")|random";
}

TEST(Aperture, ShowsEveryProviderToEquallyManyConsumersGiveOrTakeOne) {
  for (const auto& [n, of, k] : std::vector<std::array<std::size_t, 3>>{{100, 40, 12},
                                                                        {100, 40, 15},
                                                                        {7, 3, 1},
                                                                        {300, 7, 12},
                                                                        {5, 200, 2},
                                                                        {1, 9, 4},
                                                                        {97, 89, 13},
                                                                        {10, 10, 10},
                                                                        {64, 1, 12}}) {
    const std::vector<Provider> providers = EqualProviders(n);
    std::map<std::string, std::size_t> seen;
    for (const Provider& provider : providers) seen[provider.address] = 0;
    std::size_t width = 0;
    for (std::size_t index = 0; index < of; ++index) {
      const auto own = Selected(ApertureText(k, index, of), providers);
      EXPECT_GE(own.size(), std::min(k, n));
      EXPECT_TRUE(width == 0 || own.size() == width) << "all windows are of one width";
      width = own.size();
      for (const std::string& address : own) ++seen[address];
    }
    std::size_t least = of;
    std::size_t most = 0;
    for (const auto& [address, count] : seen) {
      least = std::min(least, count);
      most = std::max(most, count);
    }
    EXPECT_GE(least, 1U) << "nobody is left out";
    EXPECT_LE(most - least, width * of % n == 0 ? 0U : 1U) << n << " " << of << " " << k;
  }
}

TEST(Aperture, MovesByOneAtMostWhenAProviderGoes) {
  const std::vector<Provider> all = EqualProviders(100);
  for (std::size_t index = 0; index < 40; ++index) {
    const auto before = Selected(ApertureText(12, index, 40), all);
    for (std::size_t gone = 0; gone < all.size(); ++gone) {
      std::vector<Provider> fewer = all;
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(gone));
      EXPECT_LE(LostOf(before, Selected(ApertureText(12, index, 40), fewer)), 2U);
    }
  }
}

std::vector<Provider> InZones(const std::vector<std::string>& zones) {
  std::vector<Provider> providers = EqualProviders(zones.size());
  for (std::size_t i = 0; i < zones.size(); ++i) providers[i].zone = zones[i];
  return providers;
}

TEST(Zone, PrefersTheConsumersOwnUnlessAnotherIsNamed) {
  const auto providers = InZones({"eu-1", "eu-2", "eu-1", "", "us-1"});
  EXPECT_THAT(Selected("zone|random", providers, {.zone = "eu-1"}),
              ElementsAre(AddressOf(0), AddressOf(2)));
  EXPECT_THAT(Selected("zone(prefer=us-1)|random", providers, {.zone = "eu-1"}),
              ElementsAre(AddressOf(4)));
}

TEST(Zone, IsEverybodyWhereTheZoneHasTooFewOrIsUnknown) {
  const auto providers = InZones({"eu-1", "eu-2", "eu-1", "", "us-1"});
  EXPECT_EQ(Selected("zone|random", providers, {.zone = "asia"}).size(), 5U);
  EXPECT_EQ(Selected("zone|random", providers).size(), 5U) << "the consumer has no zone";
  EXPECT_EQ(Selected("zone(min=2)|random", providers, {.zone = "us-1"}).size(), 5U);
  EXPECT_EQ(Selected("zone(min=2)|random", providers, {.zone = "eu-1"}).size(), 2U);
  EXPECT_THAT(Selected("zone|random", {}, {.zone = "eu-1"}), IsEmpty());
}

TEST(Narrowing, TakesOneAfterTheOther) {
  std::vector<std::string> zones;
  for (int i = 0; i < 60; ++i) zones.push_back(i % 3 == 0 ? "eu-1" : "eu-2");
  const auto providers = InZones(zones);
  const Consumer consumer{.zone = "eu-1", .random = 5};
  const auto near = Selected("zone|random", providers, consumer);
  const auto few = Selected("zone|subset(k=3)|slow_start(window=10s)|random", providers, consumer);
  EXPECT_EQ(near.size(), 20U);
  EXPECT_EQ(few.size(), 3U);
  EXPECT_EQ(LostOf(few, near), 0U);
}

TEST(DecoratorText, RefusalsNameThePositionInTheWholeText) {
  const std::pair<const char*, const char*> cases[] = {
      {"subset(k=0)|random", "position 8: parameter 'k' is '0'; expected an integer from 1"},
      {"zone|subset(n=3)|random", "position 13: parameter 'n' is '3'; expected no such parameter"},
      {"aperture(k=3)|random", "position 1: parameter 'of' is missing; expected how many"},
      {"aperture(of=3)|random", "position 1: parameter 'index' is missing; expected the number"},
      {"zone|aperture(index=3,of=3)|random",
       "position 15: parameter 'index' is '3'; expected an integer from 0 to 2"},
      {"zone(prefer=a b)|random", "position 6: parameter 'prefer' is 'a b'; expected a word"},
      {"subset(k=3)|slow_start(window=10)|random",
       "position 24: parameter 'window' is '10'; expected a time"},
      {"slow_start(min=101)|random", "position 12: parameter 'min' is '101'"},
      {"slow_start(by=moon)|random", "position 12: parameter 'by' is 'moon'; expected one of call"},
      {"zone|bounded(c=0.5)|random", "position 14: parameter 'c' is '0.5'; expected a number"},
      {"zone|bounded(c=1.5)", "'bounded' at position 6 decorates a strategy, which is missing"},
      {"subset(k=3|random", "')' is missing"},
      {"zone||random", "position 6: the name is missing"},
      {"zones|random", "position 1: 'zones' is no known decorator; known: aperture, bounded"},
  };
  for (const auto& [text, why] : cases) {
    const auto configured = LoadBalances().Configure(text);
    EXPECT_EQ(configured.status().code(), StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(configured.status().ToString(), HasSubstr(why)) << text;
  }
}

}  // namespace
}  // namespace weir
