// When hints are written.
#include "hint_schedule.h"

#include <gtest/gtest.h>

#include <vector>

#include "engine_fixture.h"
#include "hint_file.h"
#include "manifest.h"
#include "manual_clock.h"

namespace weir::kv {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using Fids = std::vector<std::uint64_t>;

constexpr double kMergedAbove = 0.3;

TEST(HintChoice, NoneBesideCommitsAsLongAsAStartAfterACrashStaysShort) {
  const std::vector<UnhintedSegment> segments = {{1, 100, 0}, {2, 100, 0.1}};
  EXPECT_EQ(ChooseHints(segments, false, kMergedAbove, 200), Fids());
  EXPECT_EQ(ChooseHints({}, true, kMergedAbove, 0), Fids());
}

TEST(HintChoice, ThoseThatStayLongestWhenThereAreTooMany) {
  const std::vector<UnhintedSegment> segments = {{1, 100, 0.5}, {2, 100, 0.1}, {3, 100, 0.1}};
  EXPECT_EQ(ChooseHints(segments, false, kMergedAbove, 299), Fids({2}));
  EXPECT_EQ(ChooseHints(segments, false, kMergedAbove, 100), Fids({2, 3}));
  EXPECT_EQ(ChooseHints(segments, false, kMergedAbove, 0), Fids({2, 3, 1}));
}

TEST(HintChoice, AtRestAllButAFewAndThoseThatAMergeTakesNext) {
  const std::vector<UnhintedSegment> segments = {{1, 100, 0.5}, {2, 100, 0.1}, {3, 100, 0.3}};
  EXPECT_EQ(ChooseHints(segments, true, kMergedAbove, 300), Fids({2, 3}));
  EXPECT_EQ(ChooseHints(segments, true, kMergedAbove, 800), Fids({2})) << "200 is a quarter";
  EXPECT_EQ(ChooseHints(segments, true, kMergedAbove, 1200), Fids());
  EXPECT_EQ(ChooseHints(segments, true, kMergedAbove, 99), Fids({2, 3, 1}))
      << "not without bound either";
  EXPECT_EQ(ChooseHints(segments, true, 1, 300), Fids({2, 3, 1})) << "there are no merges";
}

TEST(HintChoice, TheBoundGrowsWithTheStore) {
  const HintPolicy policy{.max_unhinted_bytes = 1000};
  EXPECT_EQ(MostUnhinted(policy, 100), 1000U);
  EXPECT_EQ(MostUnhinted(policy, 80'000), 10'000U);
}

class HintScheduleTest : public testing::Test {
 protected:
  HintScheduleTest() {
    options_.segment_size = 16 << 10;
    options_.merge.check_every = milliseconds(1);
    options_.clock = clock_;
  }
  void Put(Store& store, std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t i = from; i < to; ++i) {
      ASSERT_TRUE(store.Put("key" + std::to_string(1'000'000 + i), std::string(100, 'v')).ok());
    }
  }
  // Bytes of closed segments, and of those without a hint.
  struct Closed {
    std::uint64_t bytes = 0;
    std::uint64_t unhinted = 0;
  };
  Closed Look() {
    Closed closed;
    const auto manifest = ParseManifest(vfs_->Contents(kDirectory + "/MANIFEST")).state;
    for (const auto& [fid, live] : manifest.segments) {
      if (!live.sealed) continue;
      closed.bytes += live.length;
      if (!vfs_->Exists(kDirectory + "/" + HintName(fid))) closed.unhinted += live.length;
    }
    return closed;
  }

  std::shared_ptr<FaultVfs> vfs_ = std::make_shared<FaultVfs>();
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  Options options_ = InMemory(vfs_, SyncMode::kNone);
};

TEST_F(HintScheduleTest, WritesHintsWhenTheStoreRestsAndNotBefore) {
  constexpr std::uint64_t kMost = 400 << 10;
  options_.hints.max_unhinted_bytes = kMost;
  auto store = MustOpen(kDirectory, options_);
  for (std::uint64_t i = 0; i < 20; ++i) {
    Put(*store, 100 * i, 100 * (i + 1));
    clock_->Advance(milliseconds(500));
  }
  const Closed busy = Look();
  EXPECT_GT(busy.bytes, 10U * (16 << 10));
  EXPECT_EQ(busy.unhinted, busy.bytes);
  EXPECT_TRUE(Eventually([&] {
    clock_->Advance(milliseconds(100));
    return Look().unhinted <= kMost / 4;
  }));
}

TEST_F(HintScheduleTest, ACleanCloseWritesAllThatAreMissing) {
  {
    auto store = MustOpen(kDirectory, options_);
    Put(*store, 0, 2000);
    EXPECT_EQ(Look().unhinted, Look().bytes);
  }
  EXPECT_GT(Look().bytes, 10U * (16 << 10));
  EXPECT_EQ(Look().unhinted, 0U);
}

TEST_F(HintScheduleTest, AStoreThatNeverRestsHasABoundedPartWithout) {
  options_.hints.rest = hours(1);
  options_.hints.max_unhinted_bytes = 64 << 10;
  auto store = MustOpen(kDirectory, options_);
  Put(*store, 0, 3000);
  EXPECT_TRUE(Eventually([&] { return Look().unhinted <= (64U << 10); }));
  EXPECT_GT(Look().unhinted, 0U) << "and no more is written than has to be";
  // Killed now, it is whole again, from hints and without.
  std::mt19937_64 random(1);
  Options options = options_;
  options.vfs = vfs_->CrashImage(FaultVfs::Unsynced::kKept, random);
  EXPECT_EQ(MustOpen(kDirectory, options)->GetStats().keys, 3000U);
}

TEST_F(HintScheduleTest, MergingTakesSegmentsWithoutHints) {
  auto store = MustOpen(kDirectory, options_);
  Put(*store, 0, 2000);
  Put(*store, 0, 2000);
  ASSERT_EQ(Look().unhinted, Look().bytes);
  ASSERT_TRUE(store->Merge().ok());
  EXPECT_EQ(store->GetStats().garbage_bytes, 0U);
  EXPECT_EQ(Contents(*store).size(), 2000U);
}

}  // namespace
}  // namespace weir::kv
