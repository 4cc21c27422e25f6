// Readers beside a writer: they take no lock, and what they see is right all the same.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "index_fixture.h"

namespace weir::kv {
namespace {

#ifdef NDEBUG
constexpr int kRounds = 3'000;
#else
constexpr int kRounds = 300;
#endif
constexpr std::uint64_t kKeys = 4'000;

// What a location must be for a key: every state of a key has the key in it.
Location StateOf(std::uint64_t key, std::uint32_t state) {
  Location location;
  location.slot = state % 7;
  location.offset = key << 20 | state;
  location.size = 100;
  return location;
}

TEST(IndexReaders, SeeEveryKeyInAStateItHadWhileAWriterChangesAndMovesThemAll) {
  const std::uint64_t seed = IndexTestSeed();
  SCOPED_TRACE("WEIR_TEST_SEED=" + std::to_string(seed));
  Epochs epochs;
  CountedUsage usage;
  Index index(epochs, usage);
  std::vector<std::string> keys;
  for (std::uint64_t i = 0; i < kKeys; ++i) keys.push_back(DecimalKey(i * 7));
  // Even keys are always there, odd ones come and go.
  for (std::uint64_t i = 0; i < kKeys; i += 2) {
    const Change change{keys[i], StateOf(i, 0)};
    index.Apply({&change, 1});
  }
  index.AddSnapshot(1);  // it sees them in state 0
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> wrong{0};
  std::atomic<std::uint64_t> reads{0};
  const auto read = [&](std::uint64_t salt) {
    std::mt19937_64 random(seed + salt);
    IndexPortion portion;
    while (!stop) {
      const auto pin = epochs.Enter();
      const std::uint64_t i = random() % kKeys;
      const auto found = index.Find(pin, keys[i]);
      if (found ? found->offset >> 20 != i : i % 2 == 0) wrong.fetch_add(1);
      const auto old = index.Find(pin, keys[i], 1);
      if (i % 2 == 0 ? old != StateOf(i, 0) : old.has_value()) wrong.fetch_add(1);

      IndexRange range{.start = keys[i], .reverse = random() % 2 == 0};
      if (range.reverse) range = {.end = keys[i], .reverse = true};
      const SnapshotId at = random() % 2 == 0 ? kNewest : 1;
      index.Collect(pin, range, at, 100, portion);
      std::uint64_t even = 0;
      for (std::size_t p = 0; p < portion.size(); ++p) {
        const std::uint64_t key = portion.location(p).offset >> 20;
        if (key >= kKeys || portion.key(p) != keys[key]) wrong.fetch_add(1);
        if (p > 0 && (portion.key(p) < portion.key(p - 1)) != range.reverse) wrong.fetch_add(1);
        if (key % 2 == 0) ++even;
        if (at == 1 && portion.location(p) != StateOf(key, 0)) wrong.fetch_add(1);
      }
      // No even key between the first and the last may be missing.
      if (portion.size() > 1) {
        const std::uint64_t first = portion.location(0).offset >> 20;
        const std::uint64_t last = portion.location(portion.size() - 1).offset >> 20;
        const std::uint64_t low = std::min(first, last);
        const std::uint64_t high = std::max(first, last);
        if (even != high / 2 - (low + 1) / 2 + 1) wrong.fetch_add(1);
      }
      reads.fetch_add(1, std::memory_order_relaxed);
    }
  };
  std::thread first([&] { read(1); });
  std::thread second([&] { read(2); });
  std::mt19937_64 random(seed);
  std::vector<std::uint32_t> states(kKeys);
  std::vector<Change> changes;
  std::vector<Move> moves;
  for (int round = 0; round < kRounds || reads < 1000; ++round) {
    changes.clear();
    const std::uint64_t from = random() % kKeys;
    // Whole stretches, so that leaves and inner nodes are split and joined.
    const std::uint64_t length = 1 + random() % 400;
    const bool erase = random() % 2 == 0;
    for (std::uint64_t i = from; i < std::min(from + length, kKeys); ++i) {
      if (i % 2 == 1 && erase) {
        changes.push_back({keys[i], {}, true});
      } else {
        changes.push_back({keys[i], StateOf(i, ++states[i])});
      }
    }
    index.Apply(changes);
    if (round % 4 != 0) continue;
    moves.clear();
    for (std::uint64_t i = from & ~std::uint64_t{1}; i < std::min(from + 50, kKeys); i += 2) {
      // The snapshot knows state 0 of those that have not changed.
      if (states[i] == 0) continue;
      moves.push_back({keys[i], StateOf(i, states[i]), StateOf(i, states[i] + 1)});
      ++states[i];
    }
    index.Relocate(moves);
    for (const Move& move : moves) EXPECT_TRUE(move.done);
  }
  stop = true;
  first.join();
  second.join();
  EXPECT_EQ(wrong, 0u);
  index.RemoveSnapshot(1);
  EXPECT_EQ(index.overlay_bytes(), 0u);
}

}  // namespace
}  // namespace weir::kv
