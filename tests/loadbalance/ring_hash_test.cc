// The ring's hash functions against vectors made elsewhere.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "weir/load_balance.h"
#include "weir/loadbalance/fnv.h"
#include "weir/loadbalance/hash_ring.h"

namespace weir {
namespace {

struct Golden {
  std::string_view text;
  std::uint32_t fnv;
  std::uint32_t position;
  std::int32_t seed;
  std::uint64_t xxh64;
};

constexpr Golden kGolden[] = {
    {"", 0x811c9dc5, 0x5902879e, 1494218850, 0xef46db3751d8e999},
    {"a", 0xe40c292c, 0xd94aa0cf, 649470159, 0xd24ec4f1a98c6e5b},
    {"foobar", 0xbf9cf968, 0x950a6281, 1794481535, 0xa2aa05ed9085aaf9},
    {"127.0.0.1:8888", 0xfc0b556c, 0xde7384c7, 561906887, 0xa3fd9c98b423b9da},
    {"127.0.0.1:8888#0", 0x3bebbc97, 0x9e451cd3, 1212422189, 0x9e88d0b5a3cdefc1},
    {"10.0.0.1:20880#0", 0xd8bbbf26, 0xd1762a3d, 781167165, 0x6da42a186935a1ee},
};

TEST(RingHash, MatchesTheGoldenVectors) {
  for (const Golden& golden : kGolden) {
    SCOPED_TRACE(golden.text);
    EXPECT_EQ(Fnv1a32(golden.text), golden.fnv);
    EXPECT_EQ(FnvPosition(golden.text), golden.position);
    EXPECT_EQ(SeedHash(golden.text), golden.seed);
    EXPECT_EQ(HashRing::PositionOfKey(RingHash::kXxh64, golden.text), golden.xxh64 >> 32);
    EXPECT_EQ(HashRing::PositionOfKey(RingHash::kSeed, golden.text),
              2 * static_cast<std::uint32_t>(golden.seed) + 1);
    EXPECT_EQ(HashRing::PositionOfKey(RingHash::kFnv, golden.text), HashKey(golden.text) >> 32);
  }
}

static_assert(FnvPosition("foobar") == 0x950a6281);
static_assert(Fnv1a32("bar", Fnv1a32("foo")) == Fnv1a32("foobar"));

TEST(RingHash, AKeyHashIsTheSameEverywhere) {
  EXPECT_EQ(HashKey(""), 0x2d06800538d394c2U);  // XXH3-64 of nothing, from its specification
}

// Values of the Java function for texts beyond ASCII.
TEST(RingHash, SeedCountsUtf16CodeUnits) {
  EXPECT_EQ(SeedHash("gr\xc3\xbc\xc3\x9f"
                     "e"),
            2010106894);
  EXPECT_EQ(SeedHash("\xe4\xb8\xad\xe6\x96\x87\xf0\x9f\x98\x80"), 107366217);
}

TEST(RingHash, SeedCountsBytesThatAreNotUtf8AsReplacementCharacters) {
  const std::int32_t replaced = SeedHash("\xef\xbf\xbd");
  for (const std::string_view bytes : {"\xff", "\x80", "\xc0", "\xe4\xb8", "\xf0\x9f\x98"}) {
    EXPECT_EQ(SeedHash(bytes), replaced);
  }
  EXPECT_EQ(SeedHash("\xed\xa0\x80"), SeedHash("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"));
  EXPECT_EQ(SeedHash("\xe4"
                     "a"),
            SeedHash("\xef\xbf\xbd"
                     "a"));
}

TEST(RingHash, SeedPositionsKeepTheOrderOfTheHashes) {
  EXPECT_EQ(SeedPosition(std::numeric_limits<std::int32_t>::min()), 0U);
  EXPECT_EQ(SeedPosition(0), 1U);
  EXPECT_EQ(SeedPosition(std::numeric_limits<std::int32_t>::max()), 0xffffffffU);
}

// The avalanche is a bijection: each of its steps can be undone. Checked on one 2^16 slice of each
// half.
TEST(RingHash, TheAvalancheMergesNoTwoHashes) {
  std::vector<std::uint32_t> images;
  for (std::uint32_t i = 0; i < 1U << 16; ++i) {
    images.push_back(Avalanche(i));
    images.push_back(Avalanche(i << 16 | 0x8000));
  }
  std::sort(images.begin(), images.end());
  const auto twice = std::adjacent_find(images.begin(), images.end());
  // 0x8000 itself is in both slices.
  EXPECT_EQ(std::count(images.begin(), images.end(), Avalanche(0x8000)), 2);
  EXPECT_EQ(*twice, Avalanche(0x8000));
}

}  // namespace
}  // namespace weir
