// Writes with conditions: compare-and-set and the Require... of batches.
#include <atomic>
#include <thread>
#include <vector>

#include "engine_fixture.h"

namespace weir::kv {
namespace {

class ConditionTest : public testing::Test {
 protected:
  std::shared_ptr<FaultVfs> vfs_ = std::make_shared<FaultVfs>();
  std::unique_ptr<Store> store_ = MustOpen(kDirectory, InMemory(vfs_));
};

TEST_F(ConditionTest, AKeyIsSetOnlyIfItHasTheExpectedValue) {
  EXPECT_EQ(store_->CompareAndSet("k", "a", "b").code(), StatusCode::kAborted);
  ASSERT_TRUE(store_->CompareAndSet("k", std::nullopt, "a").ok());
  EXPECT_EQ(store_->CompareAndSet("k", std::nullopt, "b").code(), StatusCode::kAborted);
  EXPECT_EQ(store_->CompareAndSet("k", "other", "b").code(), StatusCode::kAborted);
  ASSERT_TRUE(store_->CompareAndSet("k", "a", "b").ok());
  EXPECT_EQ(*store_->Get("k"), "b");
}

TEST_F(ConditionTest, AnEmptyValueIsNotAnAbsentKey) {
  ASSERT_TRUE(store_->Put("k", "").ok());
  EXPECT_EQ(store_->CompareAndSet("k", std::nullopt, "a").code(), StatusCode::kAborted);
  EXPECT_TRUE(store_->CompareAndSet("k", "", "a").ok());
}

TEST_F(ConditionTest, ABatchIsWrittenOnlyIfAllItsConditionsHold) {
  ASSERT_TRUE(store_->Put("account", "10").ok());
  const auto entry = store_->GetEntry("account");
  ASSERT_TRUE(entry.ok());
  WriteBatch batch;
  batch.RequireSeq("account", entry->seq);
  batch.RequireAbsent("lock");
  batch.Put("account", "9");
  batch.Put("lock", "held");
  ASSERT_TRUE(store_->Write(batch).ok());
  const std::uint64_t seq = store_->GetStats().last_seq;
  // Neither holds any more, and nothing of the batch may show.
  EXPECT_EQ(store_->Write(batch).code(), StatusCode::kAborted);
  EXPECT_EQ(store_->GetStats().last_seq, seq);
  WriteBatch second;
  second.RequireSeq("account", seq);
  second.RequireAbsent("lock");
  second.Put("account", "8");
  EXPECT_EQ(store_->Write(second).code(), StatusCode::kAborted);
  EXPECT_EQ(*store_->Get("account"), "9");
}

TEST_F(ConditionTest, AConditionSeesTheWritesOfItsOwnGroup) {
  // All in one group: the leader takes what waits.
  std::atomic<int> done = 0;
  std::atomic<int> applied = 0;
  for (int i = 0; i < 100; ++i) {
    WriteBatch batch;
    batch.RequireAbsent("once");
    batch.Put("once", std::to_string(i));
    store_->Write(std::move(batch), {}, [&](const Status& status, const Commit&) {
      if (status.ok()) ++applied;
      if (++done == 100) done.notify_all();
    });
  }
  for (int seen = done; seen != 100; seen = done) done.wait(seen);
  EXPECT_EQ(applied, 1);
  EXPECT_EQ(*store_->Get("once"), "0");
}

TEST_F(ConditionTest, CountersOfManyThreadsLoseNothing) {
  ASSERT_TRUE(store_->Put("counter", "0").ok());
  constexpr int kThreads = 4;
  constexpr int kEach = 200;
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach;) {
        const std::string now = *store_->Get("counter");
        if (store_->CompareAndSet("counter", now, std::to_string(std::stoi(now) + 1)).ok()) ++i;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(*store_->Get("counter"), std::to_string(kThreads * kEach));
}

TEST_F(ConditionTest, LimitsHoldForConditionsToo) {
  WriteBatch batch;
  batch.RequireAbsent(std::string(kMaxKeySize + 1, 'k'));
  batch.Put("k", "v");
  EXPECT_EQ(store_->Write(batch).code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace weir::kv
