// The cache of hot values: right answers, bounded memory, nothing old.
#include "value_cache.h"

#include <random>
#include <thread>

#include "engine_fixture.h"
#include "manual_clock.h"

namespace weir::kv {
namespace {

Options Cached(std::uint64_t bytes) {
  Options options = InMemory(std::make_shared<FaultVfs>(), SyncMode::kNone);
  options.value_cache_bytes = bytes;
  options.segment_size = 64 << 10;
  return options;
}

TEST(ValueCache, TakesInWhatIsMissedTwice) {
  auto store = MustOpen(kDirectory, Cached(1 << 20));
  ASSERT_TRUE(store->Put("a", "1").ok());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(*store->Get("a"), "1");
  EXPECT_EQ(store->GetStats().cache_misses, 2U);
  EXPECT_EQ(store->GetStats().cache_hits, 3U);
  EXPECT_EQ(store->GetEntry("a")->seq, 1U);
}

TEST(ValueCache, NeverShowsWhatWasReplaced) {
  auto store = MustOpen(kDirectory, Cached(64 << 10));
  std::mt19937_64 random(5);
  Model model;
  for (std::uint64_t i = 0; i < Scaled(100'000, 20'000); ++i) {
    const std::string key = std::to_string(random() % 400);
    if (random() % 10 == 0) {
      model[key] = std::to_string(i) + std::string(random() % 300, 'v');
      ASSERT_TRUE(store->Put(key, model[key]).ok());
      continue;
    }
    const auto value = store->Get(key);
    ASSERT_EQ(value.ok(), model.contains(key));
    if (value.ok()) {
      ASSERT_EQ(*value, model[key]);
    }
  }
  EXPECT_GT(store->GetStats().cache_hits, 0U);
}

TEST(ValueCache, LetsKeysExpire) {
  Options options = Cached(1 << 20);
  const auto clock = std::make_shared<ManualClock>();
  options.clock = clock;
  auto store = MustOpen(kDirectory, options);
  ASSERT_TRUE(store->Put("a", "1", {.ttl = std::chrono::seconds(5)}).ok());
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(store->Get("a").ok());
  EXPECT_GT(store->GetStats().cache_hits, 0U);
  clock->Advance(std::chrono::seconds(6));
  EXPECT_EQ(store->Get("a").status().code(), StatusCode::kNotFound);
}

TEST(ValueCache, StaysWithinItsBytes) {
  constexpr std::uint64_t kBytes = 100'000;
  Epochs epochs;
  ValueCache cache(epochs, kBytes);
  std::mt19937_64 random(9);
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = "key" + std::to_string(i);
    const std::string value(random() % 400, 'v');
    const auto pin = epochs.Enter();
    RecordView record{.value = value, .seq = 1};
    for (int twice = 0; twice < 2; ++twice)
      cache.Add(1, static_cast<std::uint64_t>(i), key, record);
    if (i % 1000 == 0) {
      ASSERT_LE(cache.bytes(), kBytes);
    }
  }
  EXPECT_LE(cache.bytes(), kBytes);
  EXPECT_GT(cache.bytes(), kBytes / 2);
}

TEST(ValueCache, GivesEveryThreadTheRightValue) {
  Epochs epochs;
  ValueCache cache(epochs, 32 << 10);
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(t);
      for (std::uint64_t i = 0; i < Scaled(300'000, 40'000); ++i) {
        const std::uint64_t at = random() % 500;
        const std::string text = std::to_string(at);
        const auto pin = epochs.Enter();
        RecordView record;
        if (cache.Find(7, at, text, &record)) {
          ASSERT_EQ(record.value, text);
          ASSERT_EQ(record.seq, at);
        } else {
          cache.Add(7, at, text, {.value = text, .seq = at});
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_GT(cache.hits(), cache.misses() / 10);
}

}  // namespace
}  // namespace weir::kv
