// What a store does by itself, and the parts that decide what and how fast.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "engine_fixture.h"
#include "manual_clock.h"
#include "merge_choice.h"
#include "merge_throttle.h"
#include "read_latency.h"
#include "segment_header.h"
#include "token_bucket.h"

namespace weir::kv {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using TimePoint = TokenBucket::TimePoint;

TEST(TokenBucket, LetsABurstPassAndThenKeepsTheRate) {
  const TimePoint start{};
  TokenBucket bucket(1000, 100, start);
  EXPECT_EQ(bucket.Take(100, start), start);
  EXPECT_EQ(bucket.Take(50, start), start + milliseconds(50));
  EXPECT_EQ(bucket.Take(50, start + milliseconds(50)), start + milliseconds(100));
  // What is not used is saved up, but for no more than a burst.
  EXPECT_EQ(bucket.Take(100, start + seconds(10)), start + seconds(10));
  EXPECT_EQ(bucket.Take(100, start + seconds(10)), start + seconds(10) + milliseconds(100));
}

TEST(TokenBucket, WithoutARateNeverWaits) {
  TokenBucket bucket(0, 100, TimePoint{});
  EXPECT_EQ(bucket.Take(1 << 30, TimePoint{}), TimePoint{});
}

TEST(TokenBucket, AChangedRateHoldsFromThenOn) {
  const TimePoint start{};
  TokenBucket bucket(1000, 100, start);
  bucket.Take(200, start);  // 100 owed
  bucket.SetRate(10'000, start);
  EXPECT_EQ(bucket.Take(0, start), start + milliseconds(10));
  bucket.SetRate(0, start);
  EXPECT_EQ(bucket.Take(1 << 20, start), start);
}

TEST(ReadLatency, SaysWhatOneReadInAHundredExceeds) {
  ReadLatency reads;
  EXPECT_EQ(reads.Take().reads, 0U);
  for (int i = 0; i < 980; ++i) reads.Add(microseconds(1));
  for (int i = 0; i < 20; ++i) reads.Add(milliseconds(1));
  const auto window = reads.Take();
  EXPECT_EQ(window.reads, 1000U);
  EXPECT_GE(window.p99, microseconds(750));
  EXPECT_LE(window.p99, microseconds(1333));
  for (int i = 0; i < 1000; ++i) reads.Add(nanoseconds(700));
  EXPECT_LE(reads.Take().p99, nanoseconds(900)) << "a window begins where the last one ended";
}

// Spends until the rate has been looked at often enough to settle.
std::uint64_t SettledRate(MergeThrottle& throttle, ReadLatency& reads, nanoseconds read,
                          StoreUse use, TimePoint& now) {
  for (int i = 0; i < 20; ++i) {
    for (int n = 0; n < 200; ++n) reads.Add(read);
    now += milliseconds(100);
    (void)throttle.Spend(
        1, [use] { return use; }, now);
  }
  return throttle.rate();
}

TEST(MergeThrottle, H26_SlowsDownWhileReadsTakeTwiceAsLong) {
  ReadLatency reads;
  TimePoint now{};
  MergeThrottle throttle(64 << 20, reads, now);
  const StoreUse tidy{.data = 130, .live = 100};
  for (int n = 0; n < 200; ++n) reads.Add(microseconds(1));
  throttle.Idle();
  EXPECT_EQ(SettledRate(throttle, reads, microseconds(1), tidy, now), 64U << 20);
  EXPECT_LE(SettledRate(throttle, reads, microseconds(3), tidy, now), 8U << 20);
  EXPECT_GE(SettledRate(throttle, reads, microseconds(3), tidy, now), 1U << 20) << "never stops";
  EXPECT_EQ(SettledRate(throttle, reads, microseconds(1), tidy, now), 64U << 20);
}

TEST(MergeThrottle, H26_SpeedsUpAsGarbageRunsAway) {
  ReadLatency reads;
  TimePoint now{};
  MergeThrottle throttle(64 << 20, reads, now);
  for (int n = 0; n < 200; ++n) reads.Add(microseconds(1));
  throttle.Idle();
  const auto rate = [&](std::uint64_t data, nanoseconds read) {
    return SettledRate(throttle, reads, read, {.data = data, .live = 100}, now);
  };
  EXPECT_EQ(rate(149, microseconds(1)), 64U << 20);
  EXPECT_GE(rate(175, microseconds(1)), 128U << 20);
  EXPECT_GE(rate(210, microseconds(9)), 512U << 20) << "whatever reads say";
  EXPECT_EQ(rate(300, microseconds(9)), 0U) << "no limit";
}

MergeCandidate Candidate(std::uint64_t fid, std::uint64_t length, std::uint64_t live,
                         std::uint64_t tombstones = 0) {
  return {.fid = fid, .length = length, .live = live, .tombstones = tombstones, .min_seq = fid};
}

TEST(MergeChoice, LeavesATidyStoreAlone) {
  const StoreUse use{.data = 300, .live = 250};
  EXPECT_TRUE(ChooseMerge({Candidate(1, 100, 60), Candidate(2, 100, 90)}, use, {}).empty());
}

TEST(MergeChoice, TakesTheMostGarbageAndOfEqualsTheOldest) {
  const StoreUse use{.data = 400, .live = 310};
  EXPECT_EQ(
      ChooseMerge({Candidate(1, 100, 90), Candidate(2, 100, 30), Candidate(3, 100, 90)}, use, {}),
      std::vector<std::uint64_t>{2});
  EXPECT_EQ(
      ChooseMerge({Candidate(2, 100, 40), Candidate(1, 100, 40), Candidate(3, 100, 90)}, use, {}),
      std::vector<std::uint64_t>{1});
}

TEST(MergeChoice, TakesNoMoreThanTheDeviceHasRoomFor) {
  const StoreUse use{.data = 400, .live = 200, .room = 30};
  EXPECT_EQ(
      ChooseMerge({Candidate(1, 100, 40), Candidate(2, 100, 25), Candidate(3, 100, 0)}, use, {}),
      (std::vector<std::uint64_t>{2, 3}));
}

// Else it would rewrite the same deletions for ever.
TEST(MergeChoice, DeletionsThatHaveToStayAreNoReasonToMerge) {
  const StoreUse use{.data = 200, .live = 100};
  EXPECT_TRUE(
      ChooseMerge({Candidate(1, 100, 95), Candidate(2, 100, 5, 95)}, use, {.min_garbage = 0.6})
          .empty());
}

TEST(MergeChoice, DeletionsThatPileUpAreMergedWithAllThatIsOlder) {
  const StoreUse use{.data = 200, .live = 40};
  EXPECT_EQ(ChooseMerge({Candidate(2, 100, 0, 100), Candidate(1, 100, 40, 60)}, use, {}),
            (std::vector<std::uint64_t>{1, 2}));
}

struct Steady {
  double amplification;
  double space;
};

// The policy alone, with a store of numbers: keys are overwritten at random, evenly.
Steady SteadyState(const MergePolicy& policy) {
  constexpr std::uint64_t kKeys = 20'000;
  constexpr std::uint64_t kSegment = 500;  // records; a record is one byte here
  std::map<std::uint64_t, std::uint64_t> length;
  std::map<std::uint64_t, std::uint64_t> live;
  std::vector<std::uint64_t> where(kKeys, 0);
  std::uint64_t active = 1;
  std::uint64_t next = 2;
  std::uint64_t data = 0;
  std::uint64_t puts = 0;
  std::uint64_t copied = 0;
  double most_space = 0;
  std::mt19937_64 random(20);
  const auto put = [&](std::uint64_t key, std::uint64_t segment) {
    if (where[key] != 0) --live[where[key]];
    where[key] = segment;
    ++live[segment];
    ++length[segment];
    ++data;
  };
  const auto merge = [&](const std::vector<std::uint64_t>& inputs) {
    std::uint64_t output = next++;
    std::uint64_t outputs = 0;
    for (std::uint64_t key = 0; key < kKeys; ++key) {
      if (std::find(inputs.begin(), inputs.end(), where[key]) == inputs.end()) continue;
      if (length[output] == kSegment) output = next++;
      put(key, output);
      ++outputs;
    }
    most_space = std::max(most_space, static_cast<double>(data) / kKeys);
    for (const std::uint64_t fid : inputs) {
      data -= length[fid];
      length.erase(fid);
      live.erase(fid);
    }
    copied += outputs;
  };
  for (std::uint64_t key = 0; key < kKeys * 12; ++key) {
    put(key < kKeys ? key : random() % kKeys, active);
    if (key >= kKeys * 4) ++puts;  // in the steady state
    if (key == kKeys * 4) {
      copied = 0;
      most_space = 0;
    }
    if (length[active] < kSegment) continue;
    active = next++;
    while (true) {
      std::vector<MergeCandidate> candidates;
      for (const auto& [fid, bytes] : length) {
        if (fid != active) candidates.push_back(Candidate(fid, bytes, live[fid]));
      }
      const auto inputs = ChooseMerge(candidates, {.data = data, .live = kKeys}, policy);
      if (inputs.empty()) break;
      merge(inputs);
    }
  }
  return {static_cast<double>(puts + copied) / static_cast<double>(puts), most_space};
}

TEST(MergeChoice, SpaceAndWritingStayBoundedUnderRandomOverwrites) {
  const auto [amplification, space] = SteadyState({});
  RecordProperty("write_amplification", std::to_string(amplification));
  RecordProperty("space", std::to_string(space));
  EXPECT_LE(amplification, 2.75);
  EXPECT_LE(space, 1.35);
}

// What the store's owner can trade.
TEST(MergeChoice, AHigherTriggerWritesLessAndTakesMoreSpace) {
  const auto [amplification, space] = SteadyState({.min_garbage = 0.4, .trigger = 0.3});
  EXPECT_LE(amplification, 1.92);  // times 1.09 for heads and marks of records: 2.1
  EXPECT_LE(space, 1.5);
}

class MaintenanceTest : public testing::Test {
 protected:
  Options Fast() {
    Options options = InMemory(vfs_, SyncMode::kNone);
    options.segment_size = 16 << 10;
    options.merge.automatic = true;
    options.merge.check_every = milliseconds(1);
    options.merge.bytes_per_second = 0;
    options.hints.rest = milliseconds(1);
    return options;
  }
  std::string Key(std::uint64_t i) { return "key" + std::to_string(100'000 + i); }

  std::shared_ptr<FaultVfs> vfs_ = std::make_shared<FaultVfs>();
};

TEST_F(MaintenanceTest, MergesByItselfAndThenRests) {
  auto store = MustOpen(kDirectory, Fast());
  Model model;
  for (std::uint64_t i = 0; i < 3000; ++i) {
    const std::string value = std::to_string(i) + std::string(80, 'v');
    ASSERT_TRUE(store->Put(Key(i % 100), value).ok());
    model[Key(i % 100)] = value;
  }
  EXPECT_TRUE(Eventually([&] { return store->GetStats().merges > 0; }));
  EXPECT_TRUE(Eventually([&] { return store->GetStats().data_bytes < 60'000; }));
  EXPECT_EQ(Contents(*store), model);
  // It has come to its end, and does nothing as long as nothing is written.
  std::uint64_t calls = 0;
  EXPECT_TRUE(Eventually([&] {
    const std::uint64_t before = std::exchange(calls, vfs_->calls());
    std::this_thread::sleep_for(milliseconds(30));
    return calls == before;
  }));
  // That nothing happens has no event to wait for: long enough for some fifty looks.
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(vfs_->calls(), calls);
  store.reset();
  EXPECT_EQ(Contents(*MustOpen(kDirectory, Fast())), model);
}

// Uniform overwrites of a real store, as fast as merging allows.
TEST_F(MaintenanceTest, SpaceAndWritingStayBoundedUnderRandomOverwrites) {
  constexpr std::uint64_t kKeys = 3000;
  auto store = MustOpen(kDirectory, Fast());
  std::mt19937_64 random(3);
  const auto put = [&](std::uint64_t key) {
    ASSERT_TRUE(store->Put(Key(key), std::string(100, 'v')).ok());
  };
  const auto settle = [&] {
    EXPECT_TRUE(Eventually([&] {
      const Stats stats = store->GetStats();
      return stats.garbage_bytes < 0.22 * static_cast<double>(stats.data_bytes);
    }));
  };
  for (std::uint64_t i = 0; i < kKeys; ++i) put(i);
  Stats start;
  double most_space = 0;
  for (std::uint64_t i = 0; i < kKeys * Scaled(14, 8); ++i) {
    put(random() % kKeys);
    if (i % 100 == 0) settle();
    if (i == kKeys * 4) start = store->GetStats();
    if (i > kKeys * 4) {
      const Stats stats = i % 100 == 0 ? store->GetStats() : Stats{.live_bytes = 1};
      most_space = std::max(most_space, static_cast<double>(stats.data_bytes) /
                                            static_cast<double>(stats.live_bytes));
    }
  }
  const Stats end = store->GetStats();
  const double amplification = static_cast<double>(end.written_bytes - start.written_bytes) /
                               static_cast<double>(end.user_bytes - start.user_bytes);
  RecordProperty("write_amplification", std::to_string(amplification));
  RecordProperty("space", std::to_string(most_space));
  EXPECT_LE(amplification, 3.1);  // short records: 12 bytes of head for 109 of the user's
  EXPECT_LE(most_space, 1.35);
  EXPECT_GT(end.merges, 5U);
}

TEST_F(MaintenanceTest, ClosesAtOnceWhileAMergeIsHeldBack) {
  Options options = Fast();
  options.clock = std::make_shared<ManualClock>();  // time does not pass
  options.merge.bytes_per_second = 1;
  auto store = MustOpen(kDirectory, options);
  for (std::uint64_t i = 0; i < 12'000; ++i) {
    // Enough in use that the limit is not lifted.
    ASSERT_TRUE(store->Put(Key(i < 8000 ? i : i % 8000), std::string(100, 'v')).ok());
  }
  EXPECT_TRUE(store->Close().ok());
}

TEST_F(MaintenanceTest, AMergeByHandDoesNotWaitForOneThatIsHeldBack) {
  Options options = Fast();
  options.clock = std::make_shared<ManualClock>();
  options.merge.bytes_per_second = 1;
  auto store = MustOpen(kDirectory, options);
  for (std::uint64_t i = 0; i < 12'000; ++i) {
    ASSERT_TRUE(store->Put(Key(i < 8000 ? i : i % 8000), std::string(100, 'v')).ok());
  }
  EXPECT_TRUE(store->Merge().ok());
  EXPECT_EQ(store->GetStats().garbage_bytes, 0U);
}

TEST_F(MaintenanceTest, H16_ScrubbingFindsADamagedRecord) {
  Options options = Fast();
  options.merge.automatic = false;
  auto store = MustOpen(kDirectory, options);
  for (std::uint64_t i = 0; i < 500; ++i)
    ASSERT_TRUE(store->Put(Key(i), std::string(100, 'v')).ok());
  ASSERT_TRUE(store->Merge().ok());
  for (std::uint64_t i = 0; i < 500; ++i)
    ASSERT_TRUE(store->Put(Key(i), std::string(100, 'w')).ok());
  std::uint64_t told = 0;
  ASSERT_TRUE(store
                  ->Verify([&](std::uint64_t done, std::uint64_t total) {
                    EXPECT_LE(done, total);
                    told = done;
                    return true;
                  })
                  .ok());
  EXPECT_EQ(told, store->GetStats().data_bytes);
  EXPECT_EQ(store->Verify([](std::uint64_t, std::uint64_t) { return false; }).code(),
            StatusCode::kCancelled);

  const auto names = vfs_->List(kDirectory);
  std::string victim;
  for (const std::string& name : *names) {
    if (ParseSegmentName(name) && (victim.empty() || name < victim) &&
        vfs_->Contents(kDirectory + "/" + name).size() > 10'000) {
      victim = name;
    }
  }
  const std::string path = kDirectory + "/" + victim;
  std::string bytes = vfs_->Contents(path);
  const std::string good = bytes;
  bytes[5000] ^= 0x10;
  bytes[9000] ^= 0x10;
  QuietLog quiet;
  vfs_->SetContents(path, bytes);
  const std::uint64_t before = store->GetStats().bad_records;
  const Status status = store->Verify();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_NE(status.message().find(path), std::string::npos) << status.message();
  EXPECT_NE(status.message().find("offset"), std::string::npos) << status.message();
  EXPECT_EQ(store->GetStats().bad_records, before + 2);
  vfs_->SetContents(path, good);

  // By itself, in the background.
  store.reset();
  options.scrub.bytes_per_second = 100 << 20;
  store = MustOpen(kDirectory, options);
  EXPECT_TRUE(Eventually([&] { return store->GetStats().scrubbed_bytes > 100'000; }));
  EXPECT_EQ(store->GetStats().bad_records, 0U);
  vfs_->SetContents(path, bytes);
  EXPECT_TRUE(Eventually([&] { return store->GetStats().bad_records >= 2; }));
  vfs_->SetContents(path, good);
}

}  // namespace
}  // namespace weir::kv
