// When the device is full (H15).
#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "engine_fixture.h"
#include "reserve.h"

namespace weir::kv {
namespace {

using std::chrono::milliseconds;

class SpaceTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kCapacity = 6 << 20;

  SpaceTest() { vfs_->files().SetCapacity(kCapacity); }

  Options Fast() {
    Options options = InMemory(vfs_, SyncMode::kNone);
    options.segment_size = 256 << 10;
    options.merge.automatic = true;
    options.merge.check_every = milliseconds(1);
    options.merge.bytes_per_second = 0;
    return options;
  }
  std::string Key(std::uint64_t i) { return "key" + std::to_string(100'000 + i); }
  bool Reserved() { return vfs_->Contents(kDirectory + "/RESERVE").size() >= (64U << 10); }

  // Puts until a put is refused. Returns how many there were.
  std::uint64_t Fill(Store& store) {
    for (std::uint64_t i = 0;; ++i) {
      if (i == 2000) {
        EXPECT_TRUE(Eventually([&] { return Reserved(); }));
      }
      const Status status = store.Put(Key(i), std::string(1000, 'v'));
      if (!status.ok()) {
        EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status.ToString();
        return i;
      }
      if (i > 20'000) {
        ADD_FAILURE() << "the device is never full";
        return i;
      }
    }
  }

  QuietLog quiet_;
  std::shared_ptr<FaultVfs> vfs_ = std::make_shared<FaultVfs>();
};

TEST_F(SpaceTest, H15_DeletesAndMergesGoOnAndPutsResumeByThemselves) {
  auto store = MustOpen(kDirectory, Fast());
  const std::uint64_t count = Fill(*store);
  EXPECT_GT(count, 4000U);
  EXPECT_FALSE(store->GetStats().fenced);
  EXPECT_EQ(store->Put("one more", std::string(1000, 'v')).code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(store->Get(Key(7)).ok()) << "reads go on";
  EXPECT_FALSE(Reserved()) << "it is there to be used";

  for (std::uint64_t i = 0; i < count; ++i) {
    if (i % 3 == 0) continue;
    const Status status = store->Delete(Key(i));
    ASSERT_TRUE(status.ok()) << i << ": " << status.ToString();
  }
  EXPECT_TRUE(Eventually([&] { return store->Put("one more", std::string(1000, 'v')).ok(); }));
  EXPECT_TRUE(Eventually([&] { return Reserved(); })) << "for the next time";
  EXPECT_FALSE(store->GetStats().fenced);
  EXPECT_GT(store->GetStats().merges, 0U);

  store.reset();
  store = MustOpen(kDirectory, Fast());
  EXPECT_EQ(store->GetStats().keys, (count + 2) / 3 + 1);
  for (std::uint64_t i = 0; i < count; ++i) EXPECT_EQ(store->Get(Key(i)).ok(), i % 3 == 0) << i;
}

TEST_F(SpaceTest, H15_PutsGoOnWhenTheDeviceHasSpaceAgain) {
  Options options = Fast();
  options.merge.automatic = false;
  auto store = MustOpen(kDirectory, options);
  const std::uint64_t count = Fill(*store);
  vfs_->files().SetCapacity(2 * kCapacity);
  EXPECT_TRUE(store->Put("one more", std::string(1000, 'v')).ok()) << "at once";
  EXPECT_TRUE(Reserved());
  EXPECT_EQ(store->GetStats().keys, count + 1);
}

TEST_F(SpaceTest, H15_AMergeThatFindsTheDeviceFullLeavesAllAsItWas) {
  Options options = Fast();
  options.merge.automatic = false;
  options.reserve_bytes = 0;
  auto store = MustOpen(kDirectory, options);
  Model model;
  for (std::uint64_t i = 0; i < 3000; ++i) {
    ASSERT_TRUE(store->Put(Key(i % 1500), std::string(1000, 'a' + i % 7)).ok());
    model[Key(i % 1500)] = std::string(1000, 'a' + i % 7);
  }
  // Space for some of what is in use, as the device first says, but then less.
  vfs_->SetPlan(
      [written = 0](std::uint64_t, Call call, const std::string& path) mutable -> const Fault* {
        static const Fault full{.code = StatusCode::kResourceExhausted, .written = 0.5};
        if (call != Call::kWrite || path.find(".data") == std::string::npos) return nullptr;
        return ++written > 3 ? &full : nullptr;
      });
  EXPECT_EQ(store->Merge().code(), StatusCode::kResourceExhausted);
  vfs_->SetPlan({});
  EXPECT_EQ(store->GetStats().merge_failures, 1U);
  EXPECT_FALSE(store->GetStats().fenced);
  EXPECT_EQ(Contents(*store), model);
  EXPECT_TRUE(store->Merge().ok());
  EXPECT_EQ(Contents(*store), model);
  store.reset();
  EXPECT_EQ(Contents(*MustOpen(kDirectory, options)), model);
}

TEST_F(SpaceTest, H15_AMergeByHandDoesWhatThereIsRoomFor) {
  Options options = Fast();
  options.merge.automatic = false;
  auto store = MustOpen(kDirectory, options);
  const std::uint64_t count = Fill(*store);
  for (std::uint64_t i = 0; i < count; ++i) {
    if (i % 4 == 0) continue;
    ASSERT_TRUE(store->Delete(Key(i)).ok());
  }
  const Status status = store->Merge();
  EXPECT_TRUE(status.ok()) << status.ToString();
  EXPECT_LT(store->GetStats().data_bytes, kCapacity / 2);
  EXPECT_TRUE(store->Put("one more", std::string(1000, 'v')).ok());
}

TEST(Reserve, GrowsWithTheStoreAndStaysSmall) {
  InMemoryVfs vfs;
  vfs.MakeDirectories("/store");
  Reserve reserve(vfs, "/store", 1 << 20);
  reserve.Grow(500 << 10);
  EXPECT_EQ(reserve.bytes(), 0U);
  reserve.Grow(2 << 20);
  EXPECT_EQ(reserve.bytes(), 128U << 10);
  reserve.Grow(128 << 20);
  EXPECT_EQ(reserve.bytes(), 256U << 10);
  reserve.Grow(256 << 20);
  EXPECT_EQ(reserve.bytes(), 512U << 10);
  reserve.Grow(std::uint64_t{1} << 40);
  EXPECT_EQ(reserve.bytes(), 1U << 20);
  EXPECT_TRUE(reserve.AllowPut());
}

TEST(Reserve, IsGivenUpOnceAndTakenBackWhenThereIsSpace) {
  QuietLog quiet;
  InMemoryVfs vfs;
  vfs.MakeDirectories("/store");
  vfs.SetCapacity(1 << 20);
  Reserve reserve(vfs, "/store", 256 << 10);
  EXPECT_FALSE(reserve.OnFull()) << "nothing is held yet";
  EXPECT_TRUE(reserve.AllowPut()) << "so it refuses nothing either";
  reserve.Grow(16 << 20);
  const auto file = vfs.Open("/store/other", OpenMode::kCreateNew);
  ASSERT_TRUE((*file)->Allocate(768 << 10).ok());
  EXPECT_TRUE(reserve.OnFull());
  EXPECT_FALSE(reserve.OnFull());
  EXPECT_FALSE(reserve.AllowPut());
  EXPECT_EQ(reserve.Refusal().code(), StatusCode::kResourceExhausted);
  ASSERT_TRUE((*file)->Truncate(100).ok());
  EXPECT_TRUE(reserve.AllowPut());
  EXPECT_EQ(reserve.bytes(), 256U << 10);
}

}  // namespace
}  // namespace weir::kv
