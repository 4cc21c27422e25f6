// Snapshots that are held while the store goes on, and what happens to those that cost too much.
#include <thread>

#include "engine_fixture.h"
#include "manual_clock.h"

namespace weir::kv {
namespace {

class SnapshotTest : public ::testing::Test {
 protected:
  void Open(std::chrono::milliseconds ttl, std::uint64_t memory) {
    Options options = InMemory(std::make_shared<FaultVfs>(), SyncMode::kNone);
    options.clock = clock_;
    options.snapshot_ttl = ttl;
    options.snapshot_memory = memory;
    options.segment_size = 16 << 10;
    store_ = MustOpen(kDirectory, options);
  }
  Status GetAt(const std::shared_ptr<const Snapshot>& snapshot, const std::string& key) {
    std::string value;
    Status status = store_->Get(key, &value, {.snapshot = snapshot});
    return status;
  }

  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::unique_ptr<Store> store_;
};

TEST_F(SnapshotTest, ShowsItsMomentToGetsAndScans) {
  Open(std::chrono::minutes(10), 256 << 20);
  ASSERT_TRUE(store_->Put("changed", "1").ok());
  ASSERT_TRUE(store_->Put("deleted", "2").ok());
  const auto snapshot = store_->GetSnapshot();
  EXPECT_EQ(snapshot->seq(), 2U);
  ASSERT_TRUE(store_->Put("changed", "3").ok());
  ASSERT_TRUE(store_->Delete("deleted").ok());
  ASSERT_TRUE(store_->Put("new", "4").ok());
  std::string value;
  ASSERT_TRUE(store_->Get("changed", &value, {.snapshot = snapshot}).ok());
  EXPECT_EQ(value, "1");
  ASSERT_TRUE(store_->Get("deleted", &value, {.snapshot = snapshot}).ok());
  EXPECT_EQ(value, "2");
  EXPECT_EQ(GetAt(snapshot, "new").code(), StatusCode::kNotFound);
  EXPECT_EQ(store_->GetEntry("changed", {.snapshot = snapshot})->seq, 1U);
  Model seen;
  for (auto scan = store_->Scan({.snapshot = snapshot}); scan->Valid(); scan->Next()) {
    seen.emplace(scan->key(), scan->value());
  }
  EXPECT_EQ(seen, (Model{{"changed", "1"}, {"deleted", "2"}}));
  EXPECT_EQ(store_->GetStats().snapshots, 1U);
}

TEST_F(SnapshotTest, H25_IsGivenUpWhenItIsTooOld) {
  Open(std::chrono::seconds(10), 256 << 20);
  ASSERT_TRUE(store_->Put("a", "1").ok());
  const auto old = store_->GetSnapshot();
  clock_->Advance(std::chrono::seconds(8));
  const auto young = store_->GetSnapshot();
  clock_->Advance(std::chrono::seconds(4));
  ASSERT_TRUE(store_->Put("a", "2").ok());
  const Status gone = GetAt(old, "a");
  EXPECT_EQ(gone.code(), StatusCode::kAborted);
  EXPECT_NE(gone.message().find("take a new one"), std::string_view::npos) << gone.message();
  const auto scan = store_->Scan({.snapshot = old});
  EXPECT_FALSE(scan->Valid());
  EXPECT_EQ(scan->status().code(), StatusCode::kAborted);
  EXPECT_TRUE(GetAt(young, "a").ok());
  EXPECT_EQ(store_->GetStats().snapshots, 1U);
}

TEST_F(SnapshotTest, H25_IsGivenUpWhenItNeedsTooMuchMemory) {
  Open(std::chrono::hours(1), 100 << 10);
  const auto snapshot = store_->GetSnapshot();
  Status status;
  for (int i = 0; status.code() != StatusCode::kAborted; ++i) {
    ASSERT_LT(i, 20'000) << "what it needs is not counted";
    ASSERT_TRUE(store_->Put("key" + std::to_string(i), "v").ok());
    status = GetAt(snapshot, "key0");
  }
  EXPECT_EQ(store_->GetStats().snapshots, 0U);
  EXPECT_TRUE(GetAt(store_->GetSnapshot(), "key0").ok());
}

// A scan that has read a part of its keys goes on to the end of what it has looked up, and then
// says that it is not complete.
TEST_F(SnapshotTest, H25_AScanEndsWithAbortedAndShowsNothingNewer) {
  Open(std::chrono::seconds(10), 256 << 20);
  Model model;
  for (int i = 0; i < 3000; ++i) {
    const std::string key = std::to_string(i);
    model[key] = "old" + key;
    ASSERT_TRUE(store_->Put(key, model[key]).ok());
  }
  const auto scan = store_->Scan({});
  const std::string first(scan->value());
  clock_->Advance(std::chrono::seconds(11));
  for (const auto& [key, value] : model) ASSERT_TRUE(store_->Put(key, "new").ok());
  EXPECT_EQ(scan->value(), first);
  std::size_t seen = 0;
  for (; scan->Valid(); scan->Next(), ++seen)
    ASSERT_EQ(scan->value(), model.at(std::string(scan->key())));
  EXPECT_LT(seen, model.size());
  EXPECT_EQ(scan->status().code(), StatusCode::kAborted);
}

// Batches give all keys one value. Whoever reads at a snapshot sees one value only, however often
// snapshots are given up meanwhile.
TEST_F(SnapshotTest, H25_NobodySeesAMixWhileSnapshotsAreGivenUp) {
  constexpr int kKeys = 600;
  Open(std::chrono::hours(1), 20 << 10);
  const auto write = [&](int round) {
    WriteBatch batch;
    for (int i = 0; i < kKeys; ++i) batch.Put("key" + std::to_string(i), std::to_string(round));
    return store_->Write(batch);
  };
  ASSERT_TRUE(write(0).ok());
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int round = 1; !stop; ++round) EXPECT_TRUE(write(round).ok());
  });
  std::uint64_t whole = 0;
  std::uint64_t aborted = 0;
  const std::uint64_t wanted = Scaled(60, 20);
  for (int i = 0; i < 100'000 && (whole < wanted || aborted < wanted); ++i) {
    const auto snapshot = store_->GetSnapshot();
    std::string value;
    Status status = store_->Get("key7", &value, {.snapshot = snapshot});
    if (status.ok()) {
      int keys = 0;
      auto scan = store_->Scan({.reverse = i % 2 == 1, .snapshot = snapshot});
      for (; scan->Valid(); scan->Next(), ++keys) {
        ASSERT_EQ(scan->value(), value) << scan->key();
        if (i % 4 == 3) std::this_thread::yield();
      }
      status = scan->status();
      if (status.ok()) {
        ASSERT_EQ(keys, kKeys);
        ++whole;
      }
    }
    if (!status.ok()) {
      ASSERT_EQ(status.code(), StatusCode::kAborted) << status.ToString();
      ++aborted;
    }
  }
  stop = true;
  writer.join();
  EXPECT_GT(whole, 0U);
  EXPECT_GT(aborted, 0U);
}

TEST_F(SnapshotTest, MayBeHeldAndReadBesideClosing) {
  Open(std::chrono::minutes(10), 256 << 20);
  ASSERT_TRUE(store_->Put("a", "1").ok());
  const auto snapshot = store_->GetSnapshot();
  const auto scan = store_->Scan({});
  ASSERT_TRUE(store_->Close().ok());
  EXPECT_EQ(scan->value(), "1");
  scan->Next();
  EXPECT_FALSE(scan->Valid());
  EXPECT_EQ(GetAt(snapshot, "a").code(), StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace weir::kv
