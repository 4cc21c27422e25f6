// What the index takes, and that loading in bulk makes the same index as inserting does.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "index_fixture.h"

namespace weir::kv {
namespace {

#ifdef NDEBUG
constexpr std::uint64_t kKeys = 300'000;
constexpr bool kFigures = true;
#else
// Slow builds only look that it works: with few keys, pages that are partly empty count for much.
constexpr std::uint64_t kKeys = 20'000;
constexpr bool kFigures = false;
#endif

struct TestIndex {
  Epochs epochs;
  CountedUsage usage;
  Index index{epochs, usage};
};

std::string RandomKey(std::mt19937_64& random) {
  std::string key;
  for (int i = 0; i < 2; ++i) {
    const std::uint64_t word = random();
    key.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
  return key;
}
std::string BigEndianKey(std::uint64_t number) {
  std::string key(16, '\0');
  for (std::size_t at = 16; number != 0; number >>= 8) key[--at] = static_cast<char>(number);
  return key;
}
Location PlaceOf(std::uint64_t i) {
  Location location;
  location.slot = static_cast<std::uint32_t>(i * 128 >> 28);  // segments of 256 MiB
  location.offset = i * 128 & ((1 << 28) - 1);
  location.size = 128;
  return location;
}
void Put(Index& index, std::string_view key, const Location& location) {
  const Change change{key, location};
  index.Apply({&change, 1});
}
double BytesPerKey(const Index& index) {
  const double bytes =
      static_cast<double>(index.memory_bytes()) / static_cast<double>(index.keys());
  std::printf("%.2f bytes per key\n", bytes);
  return kFigures ? bytes : 0;
}

// The figures are those of all pages of nodes, in use or not; the goals are 28, 24 and 12.
TEST(IndexMemory, RandomKeysOf16BytesTakeAtMost28BytesAfterInserting) {
  TestIndex test;
  std::mt19937_64 random(1);
  for (std::uint64_t i = 0; i < kKeys; ++i) Put(test.index, RandomKey(random), PlaceOf(i));
  EXPECT_LE(BytesPerKey(test.index), 28.0);
}

TEST(IndexMemory, RandomKeysOf16BytesTakeAtMost22BytesAfterLoading) {
  TestIndex test;
  std::mt19937_64 random(1);
  std::vector<std::string> keys(kKeys);
  for (std::string& key : keys) key = RandomKey(random);
  std::sort(keys.begin(), keys.end());
  std::vector<IndexBuilder> builders(1);
  for (const std::string& key : keys) builders[0].Add(key, PlaceOf(random() % kKeys));
  test.index.Load(builders);
  EXPECT_LE(BytesPerKey(test.index), 22.0);
}

TEST(IndexMemory, SequentialKeysOf16BytesTakeAtMost8Bytes) {
  for (const auto& key_of : {std::function(DecimalKey), std::function(BigEndianKey)}) {
    TestIndex test;
    for (std::uint64_t i = 0; i < kKeys; ++i) Put(test.index, key_of(i), PlaceOf(i));
    EXPECT_LE(BytesPerKey(test.index), 8.0);
  }
}

TEST(IndexMemory, ComesBackWhenAllKeysAreDeleted) {
  TestIndex test;
  std::mt19937_64 random(2);
  std::vector<std::string> keys(kKeys);
  for (std::string& key : keys) {
    key = RandomKey(random);
    Put(test.index, key, PlaceOf(random() % kKeys));
  }
  const std::uint64_t full = test.index.memory_bytes();
  std::shuffle(keys.begin(), keys.end(), random);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const Change change{keys[i], {}, true};
    test.index.Apply({&change, 1});
    if (kFigures && i == keys.size() * 9 / 10) {
      EXPECT_LT(test.index.memory_bytes(), full / 4) << "a tenth of the keys is left";
    }
  }
  EXPECT_EQ(test.index.keys(), 0u);
  EXPECT_LT(test.index.memory_bytes(), 1u << 20);
  EXPECT_EQ(test.usage.live[0], 0);
}

TEST(IndexLoad, MakesTheSameIndexFromRangesAsInsertingDoes) {
  const std::uint64_t seed = IndexTestSeed();
  SCOPED_TRACE("WEIR_TEST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  RandomKeys keys(random);
  for (const std::size_t count : {0, 1, 5, 64, 65, 3000}) {
    IndexModel model;
    for (std::uint32_t i = 0; i < count; ++i) model[keys.Next()] = RandomLocation(random, i);
    std::vector<IndexBuilder> builders(4);
    std::vector<std::vector<std::pair<std::string, Location>>> ranges(4);
    std::size_t i = 0;
    // The second range stays empty.
    for (const auto& entry : model) ranges[i++ * 3 / model.size() * 3 / 2].push_back(entry);
    std::vector<std::thread> threads;
    for (std::size_t range = 0; range < ranges.size(); ++range) {
      threads.emplace_back([&, range] {
        for (const auto& [key, location] : ranges[range]) builders[range].Add(key, location);
      });
    }
    for (auto& thread : threads) thread.join();
    TestIndex test;
    test.index.Load(builders);
    // It is an index like any other afterwards.
    std::map<std::uint32_t, std::int64_t> live;
    for (std::uint32_t more = 0; more < 500; ++more) {
      const std::string key = keys.Next();
      model[key] = RandomLocation(random, more);
      Put(test.index, key, model[key]);
    }
    for (const auto& [key, location] : model) live[location.slot] += location.size;
    const auto pin = test.epochs.Enter();
    IndexPortion portion;
    test.index.Collect(pin, {}, kNewest, model.size() + 1, portion);
    ASSERT_EQ(portion.size(), model.size());
    i = 0;
    for (const auto& [key, location] : model) {
      ASSERT_EQ(portion.key(i), key);
      ASSERT_EQ(portion.location(i), location);
      ASSERT_EQ(test.index.Find(pin, key), location);
      ++i;
    }
    std::erase_if(test.usage.live, [](const auto& slot) { return slot.second == 0; });
    std::erase_if(live, [](const auto& slot) { return slot.second == 0; });
    EXPECT_EQ(test.usage.live, live);
  }
}

TEST(Index, KeepsTheLargestNumbers) {
  TestIndex test;
  Location location;
  location.slot = (1u << 24) - 1;
  location.offset = (std::uint64_t{1} << 40) - 1;
  location.size = 0xffff'ffff;
  location.expires = true;
  Put(test.index, "a", {});
  Put(test.index, "b", location);
  Put(test.index, "", location);
  const auto pin = test.epochs.Enter();
  EXPECT_EQ(test.index.Find(pin, "a"), Location());
  EXPECT_EQ(test.index.Find(pin, "b"), location);
  EXPECT_EQ(test.index.Find(pin, ""), location);
  EXPECT_EQ(test.index.Find(pin, "c"), std::nullopt);
}

}  // namespace
}  // namespace weir::kv
