// Many writers: groups, one sync for many, the order of what becomes visible, and a sync that fails
// while others wait behind it.
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "engine_fixture.h"

namespace weir::kv {
namespace {

class GroupCommitTest : public testing::Test {
 protected:
  void Open(SyncMode mode) { store_ = MustOpen(kDirectory, InMemory(vfs_, mode)); }

  std::shared_ptr<FaultVfs> vfs_ = std::make_shared<FaultVfs>();
  std::unique_ptr<Store> store_;
};

TEST_F(GroupCommitTest, EveryWriteOfManyThreadsIsThereAndSurvivesReopening) {
  for (const SyncMode mode : {SyncMode::kNone, SyncMode::kAlways}) {
    vfs_ = std::make_shared<FaultVfs>();
    Open(mode);
    constexpr int kThreads = 6;
    const int each = static_cast<int>(Scaled(3000, 500));
    {
      std::vector<std::jthread> threads;
      for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
          for (int i = 0; i < each; ++i) {
            const std::string key = std::to_string(t) + "/" + std::to_string(i);
            const auto sync = i % 7 == 0 ? Sync::kLater : Sync::kDefault;
            ASSERT_TRUE(store_->Put(key, key, {.sync = sync}).ok());
            ASSERT_EQ(*store_->Get(key), key);  // visible once acknowledged
          }
        });
      }
    }
    const Stats stats = store_->GetStats();
    EXPECT_EQ(stats.commits, static_cast<std::uint64_t>(kThreads * each));
    EXPECT_EQ(stats.pending_bytes, 0u);
    const Model before = Contents(*store_);
    EXPECT_EQ(before.size(), static_cast<std::size_t>(kThreads * each));
    store_.reset();
    Open(mode);
    EXPECT_EQ(Contents(*store_), before);
  }
}

TEST_F(GroupCommitTest, BlockingAndAsynchronousWritersShareGroups) {
  Open(SyncMode::kAlways);
  std::atomic<int> done = 0;
  const int each = static_cast<int>(Scaled(2000, 300));
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 2; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < each; ++i) {
          ASSERT_TRUE(store_->Put("b" + std::to_string(t), std::to_string(i)).ok());
        }
      });
      threads.emplace_back([&, t] {
        for (int i = 0; i < each; ++i) {
          WriteBatch batch;
          batch.Put("a" + std::to_string(t), std::to_string(i));
          store_->Write(std::move(batch), {}, [&done](const Status& status, const Commit& commit) {
            EXPECT_TRUE(status.ok()) << status.ToString();
            EXPECT_TRUE(commit.durable);
            ++done;
            done.notify_all();
          });
        }
      });
    }
  }
  for (int seen = done; seen != 2 * each; seen = done) done.wait(seen);
  const std::string last = std::to_string(each - 1);
  EXPECT_EQ(Contents(*store_), (Model{{"a0", last}, {"a1", last}, {"b0", last}, {"b1", last}}));
}

TEST_F(GroupCommitTest, WritesOfOneThreadAreCommittedInTheirOrderWhateverTheirSize) {
  Open(SyncMode::kAlways);
  std::mt19937_64 random(7);
  std::atomic<int> done = 0;
  std::vector<std::uint64_t> seqs(400);
  for (int i = 0; i < 400; ++i) {
    WriteBatch batch;
    // Large ones are written while the sync before them runs.
    batch.Put("k", std::string(random() % 2 == 0 ? 10 : 300'000, static_cast<char>('a' + i % 26)));
    while (store_->GetStats().pending_bytes > (32u << 20)) std::this_thread::yield();
    store_->Write(std::move(batch), {}, [&, i](const Status& status, const Commit& commit) {
      EXPECT_TRUE(status.ok()) << status.ToString();
      seqs[static_cast<std::size_t>(i)] = commit.seq;
      ++done;
      done.notify_all();
    });
  }
  for (int seen = done; seen != 400; seen = done) done.wait(seen);
  for (std::size_t i = 0; i < seqs.size(); ++i) EXPECT_EQ(seqs[i], i + 1);
  EXPECT_EQ((*store_->Get("k"))[0], static_cast<char>('a' + 399 % 26));
}

TEST_F(GroupCommitTest, H11_WhenASyncFailsNobodyIsToldThatAllIsWellAndNothingMoreIsTaken) {
  Open(SyncMode::kAlways);
  static const Fault kBroken{};
  std::atomic<int> syncs = 0;
  vfs_->SetPlan([&](std::uint64_t, Call call, const std::string&) {
    return call == Call::kSync && ++syncs > 20 ? &kBroken : nullptr;
  });
  std::atomic<int> acknowledged = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 1000; ++i) {
          const Status status = store_->Put(std::to_string(t) + "/" + std::to_string(i), "v");
          if (status.ok()) {
            ++acknowledged;
            continue;
          }
          EXPECT_TRUE(status.code() == StatusCode::kUnknown ||
                      status.code() == StatusCode::kFailedPrecondition)
              << status.ToString();
          return;
        }
      });
    }
  }
  EXPECT_TRUE(store_->GetStats().fenced);
  // Under `always` nothing is visible that was not acknowledged.
  EXPECT_EQ(Contents(*store_).size(), static_cast<std::size_t>(acknowledged.load()));
  vfs_->SetPlan({});
  std::mt19937_64 random(1);
  std::shared_ptr<FaultVfs> image = vfs_->CrashImage(FaultVfs::Unsynced::kDropped, random);
  EXPECT_GE(Contents(*MustOpen(kDirectory, InMemory(image))).size(),
            static_cast<std::size_t>(acknowledged.load()));
}

}  // namespace
}  // namespace weir::kv
