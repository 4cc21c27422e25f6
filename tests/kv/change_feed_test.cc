// The change feed: every commit once, in order, whole.
#include <gmock/gmock.h>

#include <atomic>
#include <random>
#include <thread>

#include "engine_fixture.h"

namespace weir::kv {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

// The store that a follower builds from the feed.
void Follow(ChangeFeed& feed, Model& follower, std::uint64_t& last) {
  for (; feed.Valid(); feed.Next()) {
    ASSERT_EQ(feed.seq(), last + 1);
    last = feed.seq();
    ASSERT_FALSE(feed.operations().empty());
    for (const auto& operation : feed.operations()) {
      if (operation.is_delete) {
        follower.erase(std::string(operation.key));
      } else {
        follower[std::string(operation.key)] = operation.value;
      }
    }
  }
  ASSERT_TRUE(feed.status().ok()) << feed.status().ToString();
}

WriteBatch RandomBatch(std::mt19937_64& random) {
  WriteBatch batch;
  const std::uint64_t count = 1 + (random() % 3 == 0 ? random() % 5 : 0);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string key = "key" + std::to_string(random() % 50);
    if (random() % 4 == 0) {
      batch.Delete(key);
    } else {
      batch.Put(key, std::string(random() % 300, static_cast<char>('a' + random() % 26)));
    }
  }
  return batch;
}

std::unique_ptr<ChangeFeed> MustRead(Store& store, std::uint64_t from) {
  auto feed = store.Changes(from);
  if (!feed.ok()) {
    ADD_FAILURE() << feed.status().ToString();
    std::abort();
  }
  return *std::move(feed);
}

TEST(ChangeFeed, GivesOperationsAsTheyWereWritten) {
  auto store = MustOpen(kDirectory, InMemory(std::make_shared<FaultVfs>()));
  ASSERT_TRUE(store->Put("a", "1").ok());
  WriteBatch batch;
  batch.PutUntil("b", std::string(1'000'000, 'x'), 99'000'000'000'000);
  batch.Delete("a");
  batch.Put("", "");
  ASSERT_TRUE(store->Write(batch).ok());
  ASSERT_TRUE(store->Delete("absent").ok());

  auto feed = MustRead(*store, 1);
  ASSERT_TRUE(feed->Valid());
  EXPECT_EQ(feed->seq(), 1U);
  ASSERT_EQ(feed->operations().size(), 1U);
  EXPECT_EQ(feed->operations()[0].key, "a");
  EXPECT_EQ(feed->operations()[0].value, "1");
  EXPECT_FALSE(feed->operations()[0].is_delete);
  EXPECT_EQ(feed->next_seq(), 2U);
  feed->Next();
  ASSERT_TRUE(feed->Valid());
  ASSERT_EQ(feed->operations().size(), 3U);
  EXPECT_EQ(feed->operations()[0].key, "b");
  EXPECT_EQ(feed->operations()[0].value, std::string(1'000'000, 'x'));
  EXPECT_EQ(feed->operations()[0].expiry_ms, 99'000'000'000'000U);
  EXPECT_TRUE(feed->operations()[1].is_delete);
  EXPECT_EQ(feed->operations()[1].key, "a");
  EXPECT_EQ(feed->operations()[2].key, "");
  EXPECT_EQ(feed->operations()[2].value, "");
  feed->Next();
  ASSERT_TRUE(feed->Valid());
  EXPECT_TRUE(feed->operations()[0].is_delete);
  EXPECT_EQ(feed->operations()[0].key, "absent");
  feed->Next();
  EXPECT_FALSE(feed->Valid());
  EXPECT_TRUE(feed->status().ok());
}

TEST(ChangeFeed, GoesOnAtItsEndAcrossSegmentsAndReopening) {
  auto vfs = std::make_shared<FaultVfs>();
  Options options = InMemory(vfs);
  options.segment_size = 4096;
  options.merge.automatic = false;
  std::mt19937_64 random(1);
  auto store = MustOpen(kDirectory, options);
  Model follower;
  std::uint64_t last = 0;
  for (int round = 0; round < 5; ++round) {
    auto feed = MustRead(*store, last + 1);
    EXPECT_FALSE(feed->Valid());
    for (int part = 0; part < 20; ++part) {
      for (int i = 0; i < 7; ++i) ASSERT_TRUE(store->Write(RandomBatch(random)).ok());
      feed->Next();
      ASSERT_NO_FATAL_FAILURE(Follow(*feed, follower, last));
      ASSERT_EQ(last, store->GetStats().last_seq);
      ASSERT_EQ(follower, Contents(*store));
    }
    feed.reset();
    store.reset();
    store = MustOpen(kDirectory, options);
  }
  EXPECT_GT(store->GetStats().segments, 10U);
  // From anywhere.
  for (std::uint64_t from = 1; from <= last + 1; ++from) {
    std::uint64_t before = from - 1;
    ASSERT_NO_FATAL_FAILURE(Follow(*MustRead(*store, from), follower, before));
    ASSERT_EQ(before, last);
  }
}

TEST(ChangeFeed, FollowsWritersThatDoNotWait) {
  const TempDirectory directory;
  Options options;
  options.segment_size = 16 * 1024;
  options.sync.mode = SyncMode::kNone;
  options.merge.automatic = false;
  auto store = MustOpen(directory.path() + "/store", options);
  const std::uint64_t each = Scaled(20'000, 2'000);
  std::vector<std::thread> writers;
  for (std::uint64_t i = 0; i < 3; ++i) {
    writers.emplace_back([&, i] {
      std::mt19937_64 random(i);
      for (std::uint64_t n = 0; n < each; ++n) {
        const Status status = store->Write(RandomBatch(random));
        if (!status.ok()) ADD_FAILURE() << status.ToString();
      }
    });
  }
  Model follower;
  std::uint64_t last = 0;
  auto feed = MustRead(*store, 1);
  while (last < 3 * each && !::testing::Test::HasFailure()) {
    Follow(*feed, follower, last);
    EXPECT_TRUE(last == 3 * each || store->WaitForCommit(last + 1, 60s).ok());
    feed->Next();
  }
  for (auto& writer : writers) writer.join();
  EXPECT_EQ(follower, Contents(*store));
}

TEST(ChangeFeed, RefusesWhatIsNotThere) {
  auto store = MustOpen(kDirectory, InMemory(std::make_shared<FaultVfs>()));
  ASSERT_TRUE(store->Put("a", "1").ok());
  EXPECT_EQ(store->Changes(0).status().code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(store->Changes(2).ok());
  const auto beyond = store->Changes(3);
  EXPECT_EQ(beyond.status().code(), StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(beyond.status().message()), HasSubstr("newest is 1"));
  EXPECT_EQ(store->WaitForCommit(2, 1ms).code(), StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(store->WaitForCommit(1, 1ms).ok());
}

TEST(ChangeFeed, EndsAtADamagedRecordAndNamesIt) {
  auto vfs = std::make_shared<FaultVfs>();
  auto store = MustOpen(kDirectory, InMemory(vfs));
  ASSERT_TRUE(store->Put("a", "1").ok());
  const std::string path = kDirectory + "/000001.data";
  const std::size_t good = WithoutPrepared(vfs->Contents(path)).size();
  ASSERT_TRUE(store->Put("b", "2").ok());
  std::string contents = vfs->Contents(path);
  contents[WithoutPrepared(contents).size() - 1] ^= 1;
  vfs->SetContents(path, contents);
  auto feed = MustRead(*store, 1);
  ASSERT_TRUE(feed->Valid());
  feed->Next();
  EXPECT_FALSE(feed->Valid());
  EXPECT_EQ(feed->status().code(), StatusCode::kDataLoss);
  EXPECT_THAT(std::string(feed->status().message()),
              AllOf(HasSubstr(path), HasSubstr("offset " + std::to_string(good))));
  EXPECT_EQ(feed->next_seq(), 2U);
}

TEST(ChangeFeed, EndsWithOutOfRangeAndNeverWithAGapWhenAMergeOvertakesIt) {
  auto vfs = std::make_shared<FaultVfs>();
  Options options = InMemory(vfs);
  options.segment_size = 4096;
  options.merge.automatic = false;
  auto store = MustOpen(kDirectory, options);
  std::mt19937_64 random(3);
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(store->Write(RandomBatch(random)).ok());
  auto overtaken = MustRead(*store, 1);
  auto at_end = MustRead(*store, 301);
  const Status merged = store->Merge();
  ASSERT_TRUE(merged.ok()) << merged.ToString();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(store->Write(RandomBatch(random)).ok());
  const std::uint64_t first = store->GetStats().first_change;
  ASSERT_GT(first, 1U);

  // It holds the segment that it reads, so it gives what is left of that, then ends.
  std::uint64_t last = 0;
  for (; overtaken->Valid(); overtaken->Next()) ASSERT_EQ(overtaken->seq(), ++last);
  EXPECT_EQ(overtaken->status().code(), StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(overtaken->status().message()), HasSubstr(std::to_string(first)));
  EXPECT_LT(last + 1, first);
  EXPECT_EQ(overtaken->next_seq(), last + 1);
  const auto refused = store->Changes(first - 1);
  EXPECT_EQ(refused.status().code(), StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr(std::to_string(first)));
  EXPECT_TRUE(store->Changes(first).ok());
  // One that had all of them goes on.
  last = 300;
  Model ignored;
  at_end->Next();
  ASSERT_NO_FATAL_FAILURE(Follow(*at_end, ignored, last));
  EXPECT_EQ(last, 350U);

  // What a follower does then: a checkpoint, and on from there. Also after reopening.
  std::uint64_t copied = 0;
  const Status made = store->Checkpoint("/copy", &copied);
  ASSERT_TRUE(made.ok()) << made.ToString();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(store->Write(RandomBatch(random)).ok());
  store.reset();
  store = MustOpen(kDirectory, options);
  EXPECT_EQ(store->GetStats().first_change, first);
  options.read_only = true;
  Model follower = Contents(*MustOpen("/copy", options));
  ASSERT_NO_FATAL_FAILURE(Follow(*MustRead(*store, copied + 1), follower, copied));
  EXPECT_EQ(follower, Contents(*store));
}

TEST(ChangeFeed, BesideMergesGivesEveryCommitOrSaysThatItCannot) {
  const TempDirectory directory;
  Options options;
  options.segment_size = 16 * 1024;
  options.sync.mode = SyncMode::kNone;
  options.merge.automatic = false;
  auto store = MustOpen(directory.path() + "/store", options);
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    std::mt19937_64 random(8);
    while (!stop) EXPECT_TRUE(store->Write(RandomBatch(random)).ok());
  });
  std::thread merger([&] {
    while (!stop) EXPECT_TRUE(store->Merge().ok());
  });
  std::uint64_t overtaken = 0;
  std::uint64_t given = 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(Scaled(3000, 1500));
  while (std::chrono::steady_clock::now() < end) {
    auto feed = store->Changes(store->GetStats().first_change);
    if (!feed.ok()) {
      EXPECT_EQ(feed.status().code(), StatusCode::kOutOfRange) << feed.status().ToString();
      continue;
    }
    std::uint64_t last = (*feed)->next_seq() - ((*feed)->Valid() ? 2 : 1);
    for (; (*feed)->Valid(); (*feed)->Next(), ++given) EXPECT_EQ((*feed)->seq(), ++last);
    if ((*feed)->status().ok()) continue;
    EXPECT_EQ((*feed)->status().code(), StatusCode::kOutOfRange) << (*feed)->status().ToString();
    ++overtaken;
  }
  stop = true;
  writer.join();
  merger.join();
  std::cout << given << " commits given, overtaken " << overtaken << " times" << std::endl;
  EXPECT_GT(given, 100U);
}

}  // namespace
}  // namespace weir::kv
