// Opening, reading and writing a store, and what opening refuses.
#include <gmock/gmock.h>

#include "engine_fixture.h"

namespace weir::kv {
namespace {

using ::testing::HasSubstr;

class StoreTest : public ::testing::Test {
 protected:
  std::shared_ptr<FaultVfs> vfs_ = std::make_shared<FaultVfs>();
  Options options_ = InMemory(vfs_);
};

TEST_F(StoreTest, KeepsWhatWasPutAcrossReopening) {
  auto store = MustOpen(kDirectory, options_);
  ASSERT_TRUE(store->Put("a", "1").ok());
  ASSERT_TRUE(store->Put("b", "2").ok());
  ASSERT_TRUE(store->Put("a", "3").ok());
  ASSERT_TRUE(store->Delete("b").ok());
  const std::string id = store->id();
  EXPECT_EQ(id.size(), 32U);
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(*store->Get("a"), "3");
    EXPECT_EQ(store->Get("b").status().code(), StatusCode::kNotFound);
    EXPECT_EQ(store->GetStats().keys, 1U);
    ASSERT_TRUE(store->Close().ok());
    store = MustOpen(kDirectory, options_);
    EXPECT_EQ(store->id(), id);
  }
}

TEST_F(StoreTest, SpreadsOverSegmentsAndReadsAllOfThem) {
  options_.segment_size = 4096;
  options_.max_open_files = 3;
  auto store = MustOpen(kDirectory, options_);
  Model model;
  for (int i = 0; i < 500; ++i) {
    const std::string key = "key" + std::to_string(i);
    model[key] = std::string(100, static_cast<char>('a' + i % 26));
    ASSERT_TRUE(store->Put(key, model[key]).ok());
  }
  EXPECT_GT(store->GetStats().segments, 10U);
  EXPECT_EQ(Contents(*store), model);
  EXPECT_LE(store->GetStats().open_files, 3U);
  store.reset();
  store = MustOpen(kDirectory, options_);
  EXPECT_EQ(Contents(*store), model);
  EXPECT_EQ(store->GetStats().keys, 500U);
}

TEST_F(StoreTest, H19_EmptyKeysAndValuesAreLegal) {
  auto store = MustOpen(kDirectory, options_);
  ASSERT_TRUE(store->Put("", "value of the empty key").ok());
  ASSERT_TRUE(store->Put("empty value", "").ok());
  store.reset();
  store = MustOpen(kDirectory, options_);
  EXPECT_EQ(*store->Get(""), "value of the empty key");
  EXPECT_EQ(*store->Get("empty value"), "");
  ASSERT_TRUE(store->Delete("").ok());
  EXPECT_EQ(store->Get("").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(Contents(*store), (Model{{"empty value", ""}}));
}

TEST_F(StoreTest, KeysAndValuesMayHoldAnyBytes) {
  auto store = MustOpen(kDirectory, options_);
  std::string key;
  for (int i = 0; i < 256; ++i) key.push_back(static_cast<char>(i));
  const std::string value(100'000, '\0');
  ASSERT_TRUE(store->Put(key, value).ok());
  EXPECT_EQ(*store->Get(key), value);
}

TEST_F(StoreTest, RefusesKeysOverTheLimit) {
  auto store = MustOpen(kDirectory, options_);
  EXPECT_TRUE(store->Put(std::string(kMaxKeySize, 'k'), "v").ok());
  const Status status = store->Put(std::string(kMaxKeySize + 1, 'k'), "v");
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("65537 bytes"));
}

TEST_F(StoreTest, AFailedGetLeavesTheCallersString) {
  auto store = MustOpen(kDirectory, options_);
  std::string value = "before";
  EXPECT_FALSE(store->Get("nothing", &value).ok());
  EXPECT_EQ(value, "before");
}

TEST_F(StoreTest, ACreateThatWasNotAskedForIsRefused) {
  options_.create_if_missing = false;
  EXPECT_EQ(Store::Open(kDirectory, options_).status().code(), StatusCode::kNotFound);
  EXPECT_FALSE(vfs_->Exists(kDirectory));
}

TEST_F(StoreTest, ADirectoryOfOtherThingsIsRefusedAndLeftAlone) {
  ASSERT_TRUE(vfs_->CreateDirectory(kDirectory).ok());
  vfs_->SetContents(kDirectory + "/letter.txt", "dear");
  const auto store = Store::Open(kDirectory, options_);
  EXPECT_EQ(store.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(store.status().message()), HasSubstr("letter.txt"));
  EXPECT_EQ(vfs_->List(kDirectory)->size(), 1U);
}

TEST_F(StoreTest, AMissingParentIsNamed) {
  const auto store = Store::Open("/no/such/place", options_);
  EXPECT_EQ(store.status().code(), StatusCode::kNotFound);
  EXPECT_THAT(std::string(store.status().message()), HasSubstr("/no/such/place"));
}

TEST_F(StoreTest, H14_ASecondOpenIsRefusedWhileTheFirstLasts) {
  auto store = MustOpen(kDirectory, options_);
  const auto second = Store::Open(kDirectory, options_);
  EXPECT_EQ(second.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("locked by"));
  ASSERT_TRUE(store->Close().ok());
  EXPECT_TRUE(Store::Open(kDirectory, options_).ok());
}

TEST_F(StoreTest, H14_ACopiedDirectoryIsRefusedUnlessAdopted) {
  auto store = MustOpen(kDirectory, options_);
  ASSERT_TRUE(store->Put("k", "v").ok());
  const std::string id = store->id();
  store.reset();
  ASSERT_TRUE(vfs_->CreateDirectory("/copy").ok());
  const auto names = vfs_->List(kDirectory);
  for (const std::string& name : *names) {
    vfs_->SetContents("/copy/" + name, vfs_->Contents(kDirectory + "/" + name));
  }
  const auto copy = Store::Open("/copy", options_);
  EXPECT_EQ(copy.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(copy.status().message()), HasSubstr("is a copy of store " + id));
  options_.adopt_copy = true;
  EXPECT_EQ(*MustOpen("/copy", options_)->Get("k"), "v");
  options_.adopt_copy = false;
  EXPECT_EQ(MustOpen("/copy", options_)->id(), id);
}

TEST_F(StoreTest, AClosedStoreRefusesEverything) {
  auto store = MustOpen(kDirectory, options_);
  ASSERT_TRUE(store->Close().ok());
  EXPECT_TRUE(store->Close().ok());
  EXPECT_EQ(store->Put("a", "b").code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(store->Get("a").status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(store->Flush().code(), StatusCode::kFailedPrecondition);
}

TEST_F(StoreTest, H29_AFailedCreationLeavesNothing) {
  // Every changing call of a creation fails once; each time nothing is left, and the next try
  // works.
  const QuietLog quiet;
  std::uint64_t calls = 0;
  {
    auto vfs = std::make_shared<FaultVfs>();
    (void)MustOpen(kDirectory, InMemory(vfs));
    calls = vfs->calls();
  }
  ASSERT_GT(calls, 10U);
  const Fault fault{.code = StatusCode::kResourceExhausted, .written = 0.5};
  std::uint64_t failed = 0;
  for (std::uint64_t n = 0; n < calls; ++n) {
    auto vfs = std::make_shared<FaultVfs>();
    vfs->SetPlan([&](std::uint64_t number, Call, const std::string&) {
      return number == n ? &fault : nullptr;
    });
    const bool opened = Store::Open(kDirectory, InMemory(vfs)).ok();
    if (!opened) {
      ++failed;
      EXPECT_FALSE(vfs->Exists(kDirectory)) << "call " << n;
    }
    EXPECT_TRUE(Store::Open(kDirectory, InMemory(vfs)).ok()) << "call " << n;
  }
  EXPECT_GT(failed, 10U);
}

}  // namespace
}  // namespace weir::kv
