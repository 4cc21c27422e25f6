// maglev, rendezvous, jump and ketama: what moves, what stays, how even they are, and that others
// compute the same.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "jump.h"
#include "loadbalance/fleet.h"
#include "md5.h"

namespace weir {
namespace {

constexpr int kKeys = 20'000;

std::string KeyOf(int i) {
  return "key-" + std::to_string(i);
}

// The addresses that kKeys keys go to.
std::vector<std::string> Owners(const std::string& text, const std::vector<Provider>& providers,
                                std::span<const Index> excluded = {}) {
  const Balanced balanced(text, providers);
  std::vector<std::string> owners;
  for (int i = 0; i < kKeys; ++i) {
    owners.push_back(providers.at(balanced.PickKey(KeyOf(i), excluded)).address);
  }
  return owners;
}

// How many keys changed hands, and of those how many although neither their old nor their new owner
// is `changed`.
struct Moves {
  int all = 0;
  int needless = 0;
};
Moves MovesBetween(const std::vector<std::string>& before, const std::vector<std::string>& after,
                   const std::string& changed) {
  Moves moves;
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i] == after[i]) continue;
    ++moves.all;
    if (before[i] != changed && after[i] != changed) ++moves.needless;
  }
  return moves;
}

std::vector<Provider> Without(std::vector<Provider> providers, std::size_t i) {
  providers.erase(providers.begin() + static_cast<std::ptrdiff_t>(i));
  return providers;
}

std::vector<int> CountOf(const std::vector<std::string>& owners,
                         const std::vector<Provider>& providers) {
  std::vector<int> counts;
  for (const Provider& provider : providers) {
    counts.push_back(static_cast<int>(std::count(owners.begin(), owners.end(), provider.address)));
  }
  return counts;
}

class KeyStrategy : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(The, KeyStrategy,
                         testing::Values("maglev", "rendezvous", "jump", "ketama"),
                         [](const auto& each) { return each.param; });

TEST_P(KeyStrategy, SendsEqualKeysToTheSameProviderWhateverElseVaries) {
  const Balanced balanced(GetParam(), EqualProviders(20));
  std::mt19937_64 words(kSeed);
  for (int i = 0; i < 1000; ++i) {
    const std::string key = KeyOf(i % 100);
    const RequestView request = {.key = key, .key_hash = HashKey(key), .has_key = true};
    EXPECT_EQ(balanced.Pick({.sequence = words(), .random = words()}, request),
              balanced.PickKey(key));
  }
}

TEST_P(KeyStrategy, FallsBackOnTheRandomWordWithoutAKey) {
  for (const int count : Balanced(GetParam(), EqualProviders(4)).Count(40'000)) {
    EXPECT_NEAR(count, 10'000, 2000);
  }
}

TEST_P(KeyStrategy, DoesNotDependOnTheOrderOfTheList) {
  std::vector<Provider> providers = Providers({5, 1, 7, 7, 3, 100, 20, 1});
  const std::vector<std::string> owners = Owners(GetParam(), providers);
  std::mt19937 random(kSeed);
  for (int round = 0; round < 3; ++round) {
    std::shuffle(providers.begin(), providers.end(), random);
    EXPECT_EQ(Owners(GetParam(), providers), owners);
  }
}

// Also the second choice is a function of the key, and the keys of one excluded provider spread
// over all others.
TEST_P(KeyStrategy, SpreadsTheKeysOfAnExcludedProviderAndLeavesTheOthers) {
  const std::vector<Provider> providers = EqualProviders(10);
  const Index excluded[] = {3};
  const std::vector<std::string> before = Owners(GetParam(), providers);
  const std::vector<std::string> after = Owners(GetParam(), providers, excluded);
  EXPECT_EQ(after, Owners(GetParam(), providers, excluded));
  EXPECT_EQ(MovesBetween(before, after, providers[3].address).needless, 0);
  std::vector<int> gained = CountOf(after, providers);
  const std::vector<int> had = CountOf(before, providers);
  for (std::size_t i = 0; i < 10; ++i) gained[i] -= had[i];
  EXPECT_EQ(gained[3], -had[3]);
  for (std::size_t i = 0; i < 10; ++i) {
    if (i == 3) continue;
    EXPECT_NEAR(gained[i], had[3] / 9.0, 0.6 * had[3] / 9.0) << i;
  }
}

TEST_P(KeyStrategy, ExplainsByTheKey) {
  const Balanced balanced(GetParam(), EqualProviders(4));
  EXPECT_THAT(
      balanced.Explain({}, {.key = "user-17", .key_hash = HashKey("user-17"), .has_key = true}),
      testing::HasSubstr("key 'user-17'"));
  EXPECT_THAT(balanced.Explain({}), testing::HasSubstr("no key"));
}

// Those that promise it move no key but those of the provider that comes, goes or changes.
class ExactRemap : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(The, ExactRemap, testing::Values("rendezvous", "ketama"),
                         [](const auto& each) { return each.param; });

TEST_P(ExactRemap, RemovingAProviderMovesOnlyItsOwnKeys) {
  const std::vector<Provider> before = EqualProviders(10);
  const std::vector<std::string> owners = Owners(GetParam(), before);
  for (std::size_t i = 0; i < before.size(); ++i) {
    const Moves moves =
        MovesBetween(owners, Owners(GetParam(), Without(before, i)), before[i].address);
    EXPECT_EQ(moves.needless, 0);
    EXPECT_NEAR(moves.all, kKeys / 10, 700);
  }
}

TEST_P(ExactRemap, AddingAProviderTakesKeysOnlyForIt) {
  const std::vector<Provider> after = EqualProviders(11);
  for (const std::size_t i : {0, 5, 10}) {
    const Moves moves = MovesBetween(Owners(GetParam(), Without(after, i)),
                                     Owners(GetParam(), after), after[i].address);
    EXPECT_EQ(moves.needless, 0);
    EXPECT_NEAR(moves.all, kKeys / 11, 600);
  }
}

TEST(Rendezvous, ChangingAWeightMovesOnlyToOrFromThatProvider) {
  for (const std::int32_t weight : {1, 99, 101, 1000}) {
    std::vector<Provider> providers = Providers({100, 50, 100, 70, 100});
    const std::vector<std::string> before = Owners("rendezvous", providers);
    providers[2].weight = weight;
    const Moves moves = MovesBetween(before, Owners("rendezvous", providers), providers[2].address);
    EXPECT_EQ(moves.needless, 0) << weight;
  }
}

// Between a list of equal weights, where only hashes are compared, and one with a logarithm.
TEST(Rendezvous, EqualWeightsAreChosenAsTheLogarithmWould) {
  const std::vector<Provider> equal = EqualProviders(10);
  std::vector<Provider> one_heavier = equal;
  one_heavier[7].weight = 300;
  const Moves moves = MovesBetween(Owners("rendezvous", equal), Owners("rendezvous", one_heavier),
                                   equal[7].address);
  EXPECT_EQ(moves.needless, 0);
  EXPECT_NEAR(moves.all, kKeys * (3.0 / 12 - 0.1), 400);
}

// 9 degrees of freedom: 99.9 % of right strategies stay below 27.88.
TEST(Rendezvous, IsExactlyProportionalToTheWeights) {
  for (const std::vector<std::int32_t>& weights :
       {std::vector<std::int32_t>(10, 100),
        std::vector<std::int32_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
        std::vector<std::int32_t>{1000, 10, 10, 10, 10, 10, 10, 10, 10, 10}}) {
    const std::vector<int> counts = Balanced("rendezvous", Providers(weights)).Count(500'000);
    EXPECT_LT(ChiSquare(counts, weights), 27.88);
  }
}

TEST(Rendezvous, IsEvenOverManyProvidersAndTextKeys) {
  const std::vector<Provider> providers = EqualProviders(1000);
  std::vector<int> counts(1000, 0);
  const Balanced balanced("rendezvous", providers);
  for (int i = 0; i < 100'000; ++i) ++counts[balanced.PickKey(KeyOf(i))];
  // 999 degrees of freedom: 99.9 % below 1143.
  EXPECT_LT(ChiSquare(counts, std::vector<std::int32_t>(1000, 1)), 1143);
}

// Eisenbud et al., figure 12: the table trades a little remapping for its evenness.
TEST(Maglev, MovesFewKeysNeedlessly) {
  const std::vector<Provider> before = EqualProviders(10);
  const std::vector<std::string> owners = Owners("maglev", before);
  for (std::size_t i = 0; i < before.size(); ++i) {
    const Moves moves =
        MovesBetween(owners, Owners("maglev", Without(before, i)), before[i].address);
    EXPECT_LT(moves.needless, kKeys / 50) << "2 %";
    EXPECT_NEAR(moves.all - moves.needless, kKeys / 10, 300);
  }
}

TEST(Maglev, IsEvenToOneSlot) {
  for (const std::size_t n : {3, 10, 100}) {
    // Every slot once: words in steps of 2^64 / size.
    constexpr std::uint64_t kSize = 65'537;
    const Balanced balanced("maglev", EqualProviders(n));
    std::vector<int> counts(n, 0);
    for (std::uint64_t slot = 0; slot < kSize; ++slot) {
      ++counts[balanced.Pick({.random = slot * (~std::uint64_t{0} / kSize) + slot})];
    }
    const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
    EXPECT_LE(*most - *least, 1) << n;
  }
}

TEST(Maglev, GivesSlotsByWeight) {
  const std::vector<std::int32_t> weights = {1, 2, 3, 4, 100};
  const std::vector<int> counts = Balanced("maglev", Providers(weights)).Count(200'000);
  // 4 degrees of freedom: 99.9 % below 18.47.
  EXPECT_LT(ChiSquare(counts, weights), 18.47);
}

TEST(Maglev, ServesMoreProvidersThanSlots) {
  const Balanced balanced("maglev:size=7", EqualProviders(20));
  std::vector<Index> excluded(20);
  for (Index i = 0; i < 20; ++i) excluded[i] = i;
  for (Index left = 0; left < 20; ++left) {
    std::vector<Index> others = excluded;
    others.erase(others.begin() + left);
    EXPECT_EQ(balanced.PickKey("k", others), left);
  }
}

// A golden file: lines "fleet PARAMETERS", each followed by its "provider ADDRESS WEIGHT" and then
// "key TEXT ADDRESS" or "hash NUMBER ADDRESS". Checked for both orders of the list.
int CheckGolden(const std::string& path, const std::string& strategy) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  std::string parameters;
  std::vector<Provider> providers;
  std::unique_ptr<Balanced> balanced;
  std::unique_ptr<Balanced> reversed;
  std::string kind;
  int checked = 0;
  while (file >> kind) {
    if (kind == "fleet") {
      file >> parameters;
      providers.clear();
      balanced = nullptr;
    } else if (kind == "provider") {
      Provider& provider = providers.emplace_back();
      file >> provider.address >> provider.weight;
    } else {
      if (balanced == nullptr) {
        balanced = std::make_unique<Balanced>(strategy + ":" + parameters, providers);
        reversed =
            std::make_unique<Balanced>(strategy + ":" + parameters,
                                       std::vector<Provider>(providers.rbegin(), providers.rend()));
      }
      std::string key;
      std::string address;
      file >> key >> address;
      RequestView request = {.key = key, .has_key = true};
      if (kind == "hash") request.key_hash = std::stoull(key);
      for (const Balanced* each : {balanced.get(), reversed.get()}) {
        EXPECT_EQ(each->snapshot().provider(each->Pick({}, request)).address, address)
            << parameters << ", " << kind << " " << key;
      }
      ++checked;
    }
  }
  return checked;
}

// Made by a second implementation, in Python, from the paper: XXH64 with seeds 0 and 1 for offset
// and skip, slot = hash * size / 2^64.
TEST(Maglev, MatchesTheGoldenMapping) {
  EXPECT_EQ(CheckGolden(WEIR_GOLDEN_MAGLEV, "maglev"), 400);
}

// Made by a second implementation, in Python with hashlib, from libketama's ketama.c.
TEST(Ketama, MatchesTheGoldenMapping) {
  EXPECT_EQ(CheckGolden(WEIR_GOLDEN_KETAMA, "ketama"), 400);
}

TEST(Ketama, IsAsEvenAsItsPoints) {
  const std::vector<std::int32_t> weights = {1, 2, 3, 4};
  const std::vector<Provider> providers = Providers(weights);
  const std::vector<int> counts = CountOf(Owners("ketama:points=4096", providers), providers);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(counts[i], kKeys * weights[i] / 10.0, 600);
}

TEST(Ketama, ReachesAProviderTooLightForAPoint) {
  const Balanced balanced("ketama", Providers({1, 10'000}));
  const Index excluded[] = {1};
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(balanced.PickKey(KeyOf(i)), 1U);
    EXPECT_EQ(balanced.PickKey(KeyOf(i), excluded), 0U);
  }
}

std::string Hex(std::string_view text) {
  std::string hex;
  for (const std::uint32_t word : Md5(text)) {
    for (int byte = 0; byte < 4; ++byte) {
      char digits[3];
      std::snprintf(digits, sizeof(digits), "%02x", word >> (8 * byte) & 0xff);
      hex += digits;
    }
  }
  return hex;
}

// RFC 1321, A.5, and lengths about the block's, by Python's hashlib.
TEST(Md5, MatchesTheStandard) {
  EXPECT_EQ(Hex(""), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(Hex("a"), "0cc175b9c0f1b6a831c399e269772661");
  EXPECT_EQ(Hex("abc"), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(Hex("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
  EXPECT_EQ(Hex("abcdefghijklmnopqrstuvwxyz"), "c3fcd3d76192e4007dfb496cca67e13b");
  EXPECT_EQ(Hex("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"),
            "d174ab98d277d9f5a5611c2c9f419d9f");
  EXPECT_EQ(Hex("1234567890123456789012345678901234567890123456789012345678901234567890123456789"
                "0"),
            "57edf4a22be3c955ac49da2e2107b67a");
  EXPECT_EQ(Hex(std::string(55, 'x')), "04364420e25c512fd958a70738aa8f72");
  EXPECT_EQ(Hex(std::string(56, 'x')), "668a72d5ba17f08e62dabcafad6db14b");
  EXPECT_EQ(Hex(std::string(64, 'x')), "c1bb4f81d892b2d57947682aeb252456");
  EXPECT_EQ(Hex(std::string(1000, 'x')), "398533d48111e9f664b1f64cb10c4b63");
}

// The reference values of the Python packages jump-consistent-hash and jumphash, and of Rust's
// jumphash, for the code in the paper.
TEST(Jump, MatchesPublishedValues) {
  EXPECT_EQ(JumpHash(1, 1), 0U);
  EXPECT_EQ(JumpHash(42, 57), 43U);
  EXPECT_EQ(JumpHash(0xdead10cc, 1), 0U);
  EXPECT_EQ(JumpHash(0xdead10cc, 666), 361U);
  EXPECT_EQ(JumpHash(256, 1024), 520U);
  EXPECT_EQ(JumpHash(0, 60), 0U);
  EXPECT_EQ(JumpHash(1, 60), 55U);
  EXPECT_EQ(JumpHash(2, 60), 46U);
}

// At the end of the order of addresses a change moves only what it must; in the middle it shifts
// all behind it.
TEST(Jump, MovesNothingNeedlesslyAtTheEndOfTheOrder) {
  const std::vector<Provider> after = EqualProviders(9);  // 10.0.0.1 to .9, in order
  const std::vector<std::string> owners = Owners("jump", after);
  const Moves last = MovesBetween(Owners("jump", Without(after, 8)), owners, after[8].address);
  EXPECT_EQ(last.needless, 0);
  EXPECT_NEAR(last.all, kKeys / 9, 300);
  const Moves first = MovesBetween(Owners("jump", Without(after, 0)), owners, after[0].address);
  EXPECT_GT(first.needless, kKeys / 2) << "so says the documentation";
}

TEST(Jump, IsEven) {
  // 99 degrees of freedom: 99.9 % below 148.2.
  EXPECT_LT(ChiSquare(Balanced("jump", EqualProviders(100)).Count(200'000),
                      std::vector<std::int32_t>(100, 1)),
            148.2);
}

}  // namespace
}  // namespace weir
