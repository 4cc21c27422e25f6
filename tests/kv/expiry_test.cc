// Keys that vanish when their time has come.
#include "engine_fixture.h"
#include "manual_clock.h"

namespace weir::kv {
namespace {

class ExpiryTest : public testing::Test {
 protected:
  ExpiryTest() {
    options_ = InMemory(vfs_);
    options_.clock = clock_;
    store_ = MustOpen(kDirectory, options_);
  }
  void Reopen() {
    store_.reset();
    store_ = MustOpen(kDirectory, options_);
  }

  std::shared_ptr<FaultVfs> vfs_ = std::make_shared<FaultVfs>();
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  Options options_;
  std::unique_ptr<Store> store_;
};

TEST_F(ExpiryTest, AKeyVanishesWhenItsTimeHasCome) {
  ASSERT_TRUE(store_->Put("k", "v", {.ttl = std::chrono::seconds(10)}).ok());
  clock_->Advance(std::chrono::milliseconds(9'999));
  EXPECT_EQ(*store_->Get("k"), "v");
  EXPECT_EQ(store_->GetEntry("k")->expiry_ms, 1'010'000u);
  clock_->Advance(std::chrono::milliseconds(1));
  EXPECT_EQ(store_->Get("k").status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(Contents(*store_).empty());
  EXPECT_FALSE(store_->Scan({.keys_only = true})->Valid());
}

TEST_F(ExpiryTest, AScanShowsNoKeyThatHasExpiredWhenItComesThere) {
  for (int i = 10; i < 50; ++i) {
    const std::chrono::seconds ttl(i % 3 == 0 ? 10 : 0);
    ASSERT_TRUE(store_->Put("k" + std::to_string(i), "v", {.ttl = ttl}).ok());
  }
  for (const bool keys_only : {false, true}) {
    auto scan = store_->Scan({.keys_only = keys_only});
    for (int i = 10; i < 50; ++i) {
      if (i == 25) clock_->Advance(std::chrono::seconds(10));
      if (i % 3 == 0 && (i > 25 || keys_only)) continue;  // the clock goes on for the second scan
      ASSERT_TRUE(scan->Valid()) << i;
      EXPECT_EQ(scan->key(), "k" + std::to_string(i));
      scan->Next();
    }
    EXPECT_FALSE(scan->Valid());
  }
}

TEST_F(ExpiryTest, TheExpiryOutlivesAReopening) {
  ASSERT_TRUE(store_->Put("short", "v", {.ttl = std::chrono::seconds(1)}).ok());
  ASSERT_TRUE(store_->Put("long", "v", {.ttl = std::chrono::hours(1)}).ok());
  Reopen();
  EXPECT_EQ(Contents(*store_), (Model{{"long", "v"}, {"short", "v"}}));
  clock_->Advance(std::chrono::seconds(2));
  Reopen();
  EXPECT_EQ(Contents(*store_), (Model{{"long", "v"}}));
}

TEST_F(ExpiryTest, ALaterPutWithoutExpiryStays) {
  ASSERT_TRUE(store_->Put("k", "v", {.ttl = std::chrono::seconds(1)}).ok());
  ASSERT_TRUE(store_->Put("k", "w").ok());
  clock_->Advance(std::chrono::hours(1));
  EXPECT_EQ(*store_->Get("k"), "w");
}

TEST_F(ExpiryTest, ConditionsTakeAnExpiredKeyAsAbsent) {
  ASSERT_TRUE(store_->Put("lock", "me", {.ttl = std::chrono::seconds(1)}).ok());
  EXPECT_FALSE(store_->CompareAndSet("lock", std::nullopt, "you").ok());
  clock_->Advance(std::chrono::seconds(1));
  EXPECT_FALSE(store_->CompareAndSet("lock", "me", "you").ok());
  EXPECT_TRUE(store_->CompareAndSet("lock", std::nullopt, "you").ok());
}

TEST_F(ExpiryTest, ABatchMayMixExpiriesAndLargeValues) {
  const std::string large(100'000, 'x');
  WriteBatch batch;
  batch.PutUntil("a", large, 1'000'500);
  batch.Put("b", "stays");
  batch.PutUntil("c", "", 1'000'500);
  ASSERT_TRUE(store_->Write(batch).ok());
  Reopen();
  EXPECT_EQ(*store_->Get("a"), large);
  EXPECT_EQ(*store_->Get("c"), "");
  clock_->Advance(std::chrono::milliseconds(500));
  EXPECT_EQ(Contents(*store_), (Model{{"b", "stays"}}));
}

}  // namespace
}  // namespace weir::kv
