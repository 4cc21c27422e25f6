// Merging: what it keeps, what it drops, and that nothing that was deleted ever returns.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>

#include "engine_fixture.h"
#include "manual_clock.h"
#include "segment_header.h"

namespace weir::kv {
namespace {

using std::chrono::milliseconds;

std::string Key(std::uint64_t i) {
  std::string digits = std::to_string(i);
  return "key" + std::string(6 - std::min<std::size_t>(digits.size(), 6), '0') + digits;
}

class MergeTest : public testing::Test {
 protected:
  MergeTest() { Reopen(); }
  ~MergeTest() override { store_.reset(); }

  Options Small() {
    Options options = InMemory(vfs_);
    options.segment_size = 4096;
    options.merge.automatic = false;
    options.clock = clock_;
    return options;
  }
  void Reopen() {
    store_.reset();
    store_ = MustOpen(kDirectory, Small());
  }
  void Put(const std::string& key, const std::string& value) {
    ASSERT_TRUE(store_->Put(key, value).ok());
    model_[key] = value;
  }
  void Delete(const std::string& key) {
    ASSERT_TRUE(store_->Delete(key).ok());
    model_.erase(key);
  }
  // Writes other keys until the active segment is another one.
  void NextSegment() {
    const std::uint64_t before = store_->GetStats().segments;
    while (store_->GetStats().segments == before) {
      Put("filler" + std::to_string(filler_++), std::string(500, 'f'));
    }
  }
  // Makes the fillers of the last NextSegment garbage, so that its segment is worth merging.
  void DropFillers() {
    while (filler_ > dropped_) Delete("filler" + std::to_string(dropped_++));
  }
  void ExpectModel(const std::string& when) {
    EXPECT_EQ(Contents(*store_), model_) << when;
    for (const auto& [key, value] : model_) {
      const auto got = store_->Get(key);
      ASSERT_TRUE(got.ok()) << when << ": " << key << ": " << got.status().ToString();
      EXPECT_EQ(*got, value) << when;
    }
    EXPECT_EQ(store_->GetStats().keys, model_.size()) << when;
  }
  void MergeAll() {
    const Status status = store_->Merge();
    ASSERT_TRUE(status.ok()) << status.ToString();
  }
  // Merges the segments with at least this part of garbage.
  void MergeWorst(double min_garbage) {
    const Status status = store_->Merge({.min_garbage = min_garbage});
    ASSERT_TRUE(status.ok()) << status.ToString();
  }

  std::shared_ptr<FaultVfs> vfs_ = std::make_shared<FaultVfs>();
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::unique_ptr<Store> store_;
  Model model_;
  std::uint64_t filler_ = 0;
  std::uint64_t dropped_ = 0;
};

TEST_F(MergeTest, KeepsWhatIsInUseAndGivesTheRestBack) {
  for (int round = 0; round < 5; ++round) {
    for (std::uint64_t i = 0; i < 100; ++i) Put(Key(i), std::string(50, 'a' + round));
  }
  for (std::uint64_t i = 0; i < 100; i += 3) Delete(Key(i));
  MergeAll();
  ExpectModel("after the merge");
  const Stats stats = store_->GetStats();
  EXPECT_EQ(stats.merges, 1U);
  EXPECT_GT(stats.merged_bytes, 30'000U);
  EXPECT_LT(stats.data_bytes, 1.1 * stats.live_bytes);
  EXPECT_EQ(stats.garbage_bytes, 0U);
  EXPECT_GT(stats.first_change, 500U);
  Reopen();
  ExpectModel("after reopening");
  EXPECT_EQ(store_->GetStats().garbage_bytes, 0U);
}

TEST_F(MergeTest, WithNothingInUseLeavesNothing) {
  for (std::uint64_t i = 0; i < 200; ++i) Put(Key(i), std::string(50, 'a'));
  for (std::uint64_t i = 0; i < 200; ++i) Delete(Key(i));
  MergeAll();
  EXPECT_EQ(store_->GetStats().segments, 1U);
  EXPECT_EQ(store_->GetStats().data_bytes, kSegmentHeaderSize);
  const std::uint64_t last_seq = store_->GetStats().last_seq;
  Reopen();
  ExpectModel("after reopening");
  EXPECT_EQ(store_->GetStats().last_seq, last_seq) << "numbers of commits must not be used again";
}

TEST_F(MergeTest, AgainDoesNothingWhenNothingHasChanged) {
  for (std::uint64_t i = 0; i < 200; ++i) Put(Key(i % 150), std::string(50, 'a'));
  MergeAll();
  const std::uint64_t calls = vfs_->calls();
  MergeAll();
  EXPECT_EQ(vfs_->calls(), calls);
  EXPECT_EQ(store_->GetStats().merges, 1U);
}

TEST_F(MergeTest, WritesSegmentsOfTheSizeAskedFor) {
  for (std::uint64_t i = 0; i < 500; ++i) Put(Key(i), std::string(60, 'x'));
  MergeAll();
  const auto names = vfs_->List(kDirectory);
  for (const std::string& name : *names) {
    if (!ParseSegmentName(name)) continue;
    EXPECT_LE(vfs_->Contents(kDirectory + "/" + name).size(), 4096U);
  }
  ExpectModel("after the merge");
}

TEST_F(MergeTest, CopiesValuesLargerThanASegmentAndEmptyOnes) {
  Put("", "");
  Put("large", std::string(1 << 20, 'L'));
  Put("empty", "");
  for (int i = 0; i < 20; ++i) Put("x", std::string(1000, 'x'));
  MergeAll();
  ExpectModel("after the merge");
  Reopen();
  ExpectModel("after reopening");
}

TEST_F(MergeTest, KeepsSeqAndExpiry) {
  const std::uint64_t now = clock_->WallMs();
  WriteBatch batch;
  batch.PutUntil("k", "v", now + 3'600'000);
  batch.Put("other", "1");
  Commit commit;
  ASSERT_TRUE(store_->Write(batch, {}, &commit).ok());
  MergeAll();
  for (int i = 0; i < 2; ++i) {
    const auto entry = store_->GetEntry("k");
    ASSERT_TRUE(entry.ok());
    EXPECT_EQ(entry->value, "v");
    EXPECT_EQ(entry->seq, commit.seq);
    EXPECT_EQ(entry->expiry_ms, now + 3'600'000);
    Reopen();
  }
}

TEST_F(MergeTest, CopiesFromBatchesWhatStillCounts) {
  for (int round = 0; round < 10; ++round) {
    WriteBatch batch;
    for (std::uint64_t i = 0; i < 20; ++i) {
      const std::string value = std::to_string(round) + std::string(40, 'b');
      batch.Put(Key(i * 7 % 30 + static_cast<std::uint64_t>(round)), value);
      model_[Key(i * 7 % 30 + static_cast<std::uint64_t>(round))] = value;
    }
    batch.Delete(Key(static_cast<std::uint64_t>(round)));
    model_.erase(Key(static_cast<std::uint64_t>(round)));
    ASSERT_TRUE(store_->Write(batch).ok());
  }
  MergeAll();
  ExpectModel("after the merge");
  Reopen();
  ExpectModel("after reopening");
}

// The tombstone's segment is merged alone; the older value lies in a segment that is not.
TEST_F(MergeTest, H5_ADeletedKeyDoesNotReturnWhenOnlyItsTombstoneIsMerged) {
  Put("k", "old value");
  NextSegment();
  dropped_ = filler_;  // the first segment stays full of what is in use
  Delete("k");
  NextSegment();
  DropFillers();
  MergeWorst(0.5);
  ASSERT_EQ(store_->GetStats().merges, 1U);
  ExpectModel("after the merge");
  Reopen();
  ExpectModel("after reopening");
  MergeAll();
  ExpectModel("after a merge of all");
  Reopen();
  ExpectModel("at the end");
  EXPECT_EQ(store_->GetStats().garbage_bytes, 0U) << "a tombstone was kept that hides nothing";
}

TEST_F(MergeTest, H5_ATombstoneIsDroppedWithAllThatIsOlder) {
  Put("k", std::string(500, 'o'));
  NextSegment();
  Delete("k");
  DropFillers();
  NextSegment();
  dropped_ = filler_;
  NextSegment();
  MergeWorst(0.3);
  ASSERT_GE(store_->GetStats().merges, 1U);
  ExpectModel("after the merge");
  Reopen();
  ExpectModel("after reopening");
}

// An expired put hides an older value that had no expiry.
TEST_F(MergeTest, H6_AnOlderValueDoesNotReturnWhenAnExpiredOneIsMerged) {
  Put("k", "older, without end");
  NextSegment();
  dropped_ = filler_;
  ASSERT_TRUE(store_->Put("k", std::string(300, 'e'), {.ttl = milliseconds(1000)}).ok());
  model_.erase("k");
  NextSegment();
  DropFillers();
  clock_->Advance(milliseconds(10 * 60'000));
  MergeWorst(0.5);
  ASSERT_EQ(store_->GetStats().merges, 1U);
  ExpectModel("after the merge");
  Reopen();
  ExpectModel("after reopening");
  MergeAll();
  Reopen();
  ExpectModel("at the end");
}

TEST_F(MergeTest, H17_WhatHasExpiredForGoodDoesNotReturnWhenTheClockJumpsBack) {
  const std::uint64_t start = clock_->WallMs();
  ASSERT_TRUE(store_->Put("k", "v", {.ttl = milliseconds(1000)}).ok());
  ASSERT_TRUE(store_->Put("later", "v", {.ttl = milliseconds(5000)}).ok());
  clock_->Advance(milliseconds(63'000));
  MergeAll();
  clock_->SetWall(start);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(store_->Get("k").status().code(), StatusCode::kNotFound);
    EXPECT_TRUE(store_->Get("later").ok()) << "it was not merged away: the grace was not over";
    Reopen();
  }
}

TEST_F(MergeTest, H17_AKeyWithinTheGraceIsKept) {
  const std::uint64_t start = clock_->WallMs();
  Put("k", "v");
  ASSERT_TRUE(store_->Put("k", "v", {.ttl = milliseconds(1000)}).ok());
  clock_->Advance(milliseconds(30'000));  // a clock that is ahead
  MergeAll();
  EXPECT_EQ(store_->Get("k").status().code(), StatusCode::kNotFound);
  clock_->SetWall(start);
  EXPECT_EQ(*store_->Get("k"), "v");
}

TEST_F(MergeTest, H7_WritesMadeWhileItRunsAreNotOverwritten) {
  Options options = Small();
  options.segment_size = 64 << 10;
  options.sync.mode = SyncMode::kNone;
  store_.reset();
  store_ = MustOpen(kDirectory, options);
  constexpr std::uint64_t kKeys = 500;
  for (std::uint64_t i = 0; i < kKeys; ++i) Put(Key(i), "0");
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    std::mt19937_64 random(7);
    for (std::uint64_t n = 1; !stop; ++n) {
      const std::string key = Key(random() % kKeys);
      if (random() % 4 == 0) {
        ASSERT_TRUE(store_->Delete(key).ok());
        model_.erase(key);
      } else {
        const std::string value = std::to_string(n) + std::string(random() % 100, 'w');
        ASSERT_TRUE(store_->Put(key, value).ok());
        model_[key] = value;
      }
      const auto got = store_->Get(key);
      EXPECT_EQ(got.ok(), model_.contains(key));
      if (got.ok()) {
        EXPECT_EQ(*got, model_[key]);
      }
    }
  });
  for (std::uint64_t i = 0; i < Scaled(200, 40); ++i) {
    const Status status = store_->Merge({.min_garbage = i % 2 == 0 ? 0 : 0.5});
    EXPECT_TRUE(status.ok()) << status.ToString();
  }
  stop = true;
  writer.join();
  ExpectModel("with the store open");
  store_.reset();
  store_ = MustOpen(kDirectory, options);
  ExpectModel("after reopening");
}

TEST_F(MergeTest, LiveSnapshotsSeeTheStateTheyWereTakenOf) {
  for (std::uint64_t i = 0; i < 100; ++i) Put(Key(i), std::string(50, 'a'));
  const auto first = store_->GetSnapshot();
  const Model at_first = model_;
  for (std::uint64_t i = 0; i < 100; i += 2) Put(Key(i), std::string(50, 'b'));
  MergeAll();
  const auto second = store_->GetSnapshot();
  const Model at_second = model_;
  for (std::uint64_t i = 0; i < 100; i += 3) Delete(Key(i));
  MergeAll();
  const auto expect = [&](const std::shared_ptr<const Snapshot>& snapshot, const Model& model) {
    Model seen;
    auto scan = store_->Scan({.snapshot = snapshot});
    for (; scan->Valid(); scan->Next()) seen.emplace(scan->key(), scan->value());
    EXPECT_TRUE(scan->status().ok()) << scan->status().ToString();
    EXPECT_EQ(seen, model);
    std::string value;
    for (std::uint64_t i = 0; i < 100; ++i) {
      EXPECT_EQ(store_->Get(Key(i), &value, {.snapshot = snapshot}).ok(), model.contains(Key(i)));
    }
  };
  expect(first, at_first);
  expect(second, at_second);
  ExpectModel("newest");
}

TEST_F(MergeTest, H24_FilesStayUntilTheLastReaderHasLeft) {
  for (std::uint64_t i = 0; i < 200; ++i) Put(Key(i), std::string(50, 'a'));
  const auto files = [&] {
    std::size_t count = 0;
    const auto names = vfs_->List(kDirectory);
    for (const std::string& name : *names) count += ParseSegmentName(name) ? 1 : 0;
    return count;
  };
  auto snapshot = store_->GetSnapshot();
  for (std::uint64_t i = 0; i < 200; ++i) Delete(Key(i));
  model_.clear();
  MergeAll();
  EXPECT_GT(files(), 3U);
  snapshot.reset();
  Put("again", "1");
  MergeAll();
  MergeAll();
  clock_->Advance(milliseconds(2000));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (files() > 2 && std::chrono::steady_clock::now() < deadline) {
    clock_->Advance(milliseconds(1000));
    std::this_thread::yield();
  }
  EXPECT_LE(files(), 2U);
}

TEST_F(MergeTest, H16_ADamagedRecordStopsItAndIsNeverCopied) {
  for (std::uint64_t i = 0; i < 100; ++i) Put(Key(i), std::string(50, 'a'));
  store_.reset();
  const std::string path = kDirectory + "/" + SegmentName(1);
  std::string bytes = vfs_->Contents(path);
  store_ = MustOpen(kDirectory, Small());
  bytes[bytes.find(Key(3)) + 20] ^= 1;
  vfs_->SetContents(path, bytes);
  QuietLog quiet;
  const Status status = store_->Merge();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_NE(status.message().find(path), std::string::npos) << status.message();
  EXPECT_NE(status.message().find("offset"), std::string::npos) << status.message();
  EXPECT_EQ(store_->GetStats().merge_failures, 1U);
  EXPECT_GE(store_->GetStats().bad_records, 1U);
  EXPECT_TRUE(vfs_->Exists(path));
  EXPECT_FALSE(store_->GetStats().fenced);
  EXPECT_EQ(*store_->Get(Key(50)), model_[Key(50)]);
  EXPECT_TRUE(store_->Put("more", "1").ok());
}

TEST_F(MergeTest, TheFirstChangeIsBehindWhatWasMergedAway) {
  for (std::uint64_t i = 0; i < 200; ++i) Put(Key(i % 10), std::string(50, 'a'));
  EXPECT_EQ(store_->GetStats().first_change, 1U);
  MergeAll();
  EXPECT_EQ(store_->GetStats().first_change, 201U);
  Reopen();
  EXPECT_EQ(store_->GetStats().first_change, 201U);
}

// What hides a record from a merge must not be lost before the merge is undone: else a crash would
// take the old value and the new one.
TEST_F(MergeTest, MakesDurableWhatItReliesUpon) {
  Options options = Small();
  options.sync.mode = SyncMode::kNone;
  store_.reset();
  store_ = MustOpen(kDirectory, options);
  for (std::uint64_t i = 0; i < 100; ++i) Put(Key(i), std::string(50, 'a'));
  NextSegment();
  for (std::uint64_t i = 0; i < 20; ++i) Put(Key(i), "new");  // in the active segment, not synced
  MergeWorst(0.01);
  ASSERT_EQ(store_->GetStats().merges, 1U);
  std::mt19937_64 random(1);
  auto image = std::shared_ptr<FaultVfs>(vfs_->CrashImage(Unsynced::kDropped, random));
  options.vfs = image;
  auto after = MustOpen(kDirectory, options);
  for (std::uint64_t i = 0; i < 20; ++i) {
    const auto value = after->Get(Key(i));
    ASSERT_TRUE(value.ok()) << Key(i) << " is gone";
    EXPECT_EQ(*value, "new");
  }
}

// A store with everything in it: batches, deletes, overwrites, expired keys, several segments.
TEST_F(MergeTest, T7_ACrashAtEveryStepLosesNothingAndBringsNothingBack) {
  for (std::uint64_t i = 0; i < 120; ++i) Put(Key(i), std::string(60, 'a'));
  for (std::uint64_t i = 0; i < 120; i += 2) Put(Key(i), std::string(30, 'b'));
  for (std::uint64_t i = 0; i < 120; i += 5) Delete(Key(i));
  WriteBatch batch;
  for (std::uint64_t i = 0; i < 30; ++i) {
    batch.Put(Key(200 + i), "batch");
    model_[Key(200 + i)] = "batch";
  }
  ASSERT_TRUE(store_->Write(batch).ok());
  ASSERT_TRUE(store_->Put("expiring", "v", {.ttl = milliseconds(1000)}).ok());
  NextSegment();
  clock_->Advance(milliseconds(600'000));
  store_.reset();
  const auto start = std::shared_ptr<FaultVfs>(vfs_->Clone());
  QuietLog quiet;
  std::mt19937_64 random(5);
  bool finished = false;
  std::uint64_t points = 0;
  for (std::uint64_t n = 0; !finished; ++n) {
    vfs_ = std::shared_ptr<FaultVfs>(start->Clone());
    store_ = MustOpen(kDirectory, Small());
    vfs_->KillAt(vfs_->calls() + n);
    finished = store_->Merge().ok();
    for (const auto unsynced : {Unsynced::kDropped, Unsynced::kPartlyKept, Unsynced::kKept}) {
      const std::shared_ptr<FaultVfs> image = vfs_->CrashImage(unsynced, random);
      Options options = Small();
      options.vfs = image;
      auto opened = Store::Open(kDirectory, options);
      ASSERT_TRUE(opened.ok()) << "step " << n << ": " << opened.status().ToString();
      ASSERT_EQ(Contents(**opened), model_) << "step " << n;
      const Status again = (*opened)->Merge();
      ASSERT_TRUE(again.ok()) << "step " << n << ": " << again.ToString();
      ASSERT_EQ(Contents(**opened), model_) << "step " << n << ", merged again";
      opened = Status(StatusCode::kCancelled, "closed");
      ASSERT_EQ(Contents(*MustOpen(kDirectory, options)), model_) << "step " << n << ", reopened";
      ++points;
    }
    store_.reset();
  }
  EXPECT_GT(points, 60U);
  RecordProperty("points", static_cast<int>(points));
}

// One failing call, then all is well again: the merge fails, or not, and the store is right.
TEST_F(MergeTest, T9_AFailureAtEveryStepLeavesTheStoreRight) {
  for (std::uint64_t i = 0; i < 150; ++i) Put(Key(i % 100), std::string(60, 'a'));
  for (std::uint64_t i = 0; i < 100; i += 5) Delete(Key(i));
  store_.reset();
  const auto start = std::shared_ptr<FaultVfs>(vfs_->Clone());
  QuietLog quiet;
  for (const StatusCode code : {StatusCode::kInternal, StatusCode::kResourceExhausted}) {
    bool failed = true;
    for (std::uint64_t n = 0; failed; ++n) {
      vfs_ = std::shared_ptr<FaultVfs>(start->Clone());
      store_ = MustOpen(kDirectory, Small());
      failed = false;
      Fault fault{.code = code, .written = 0.5};
      Call failed_call = Call::kWrite;
      vfs_->SetPlan([&, first = vfs_->calls()](std::uint64_t number, Call call,
                                               const std::string&) -> const Fault* {
        if (number != first + n) return nullptr;
        failed = true;
        failed_call = call;
        return &fault;
      });
      const Status status = store_->Merge();
      vfs_->SetPlan({});
      const Stats stats = store_->GetStats();
      if (code == StatusCode::kResourceExhausted && failed_call != Call::kSync &&
          failed_call != Call::kSyncDirectory) {
        EXPECT_FALSE(stats.fenced) << "step " << n << ": a full device fences nothing";
      }
      ASSERT_EQ(Contents(*store_), model_) << "step " << n << ": " << status.ToString();
      if (!stats.fenced) {
        const Status again = store_->Merge();
        EXPECT_TRUE(again.ok()) << "step " << n << ": " << again.ToString();
        ASSERT_EQ(Contents(*store_), model_) << "step " << n << ", merged again";
      }
      Reopen();
      ASSERT_EQ(Contents(*store_), model_) << "step " << n << ", reopened";
      store_.reset();
    }
  }
}

}  // namespace
}  // namespace weir::kv
