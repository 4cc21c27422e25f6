// What a crash may leave, and that the store comes back from all of it.
#include "commit_history.h"
#include "engine_fixture.h"
#include "record.h"

namespace weir::kv {
namespace {

const std::string kFirst = kDirectory + "/000001.data";

TEST(TornTail, H2_IsKeptInQuarantineAndCutOffBeforeTheNextWrite) {
  const QuietLog quiet;
  auto vfs = std::make_shared<FaultVfs>();
  auto store = MustOpen(kDirectory, InMemory(vfs));
  ASSERT_TRUE(store->Put("a", "1").ok());
  const std::size_t good = WithoutPrepared(vfs->Contents(kFirst)).size();
  ASSERT_TRUE(store->Put("b", "torn value").ok());
  const std::string whole = WithoutPrepared(vfs->Contents(kFirst));
  vfs = vfs->Clone();
  vfs->SetContents(kFirst, whole.substr(0, whole.size() - 3));
  store = MustOpen(kDirectory, InMemory(vfs));
  EXPECT_EQ(WithoutPrepared(vfs->Contents(kFirst)), whole.substr(0, good));
  EXPECT_EQ(vfs->Contents(kDirectory + "/quarantine/000001.data." + std::to_string(good)),
            whole.substr(good, whole.size() - 3 - good));
  ASSERT_TRUE(store->Put("c", "3").ok());
  std::mt19937_64 random(1);
  vfs = vfs->CrashImage(Unsynced::kDropped, random);
  EXPECT_EQ(Contents(*MustOpen(kDirectory, InMemory(vfs))), (Model{{"a", "1"}, {"c", "3"}}));
}

TEST(TornTail, H2_QuarantineOverwritesNothing) {
  const QuietLog quiet;
  auto vfs = std::make_shared<FaultVfs>();
  std::string good;
  {
    auto store = MustOpen(kDirectory, InMemory(vfs));
    ASSERT_TRUE(store->Put("a", "1").ok());
    good = WithoutPrepared(vfs->Contents(kFirst));
    vfs = vfs->Clone();
  }
  for (const char* tail : {"first", "second", "third"}) {
    vfs->SetContents(kFirst, good + tail);
    // A store that is not closed cleanly, so that the file does not grow by a durable mark.
    auto store = MustOpen(kDirectory, InMemory(vfs));
    vfs = vfs->Clone();
  }
  const std::string name = kDirectory + "/quarantine/000001.data." + std::to_string(good.size());
  EXPECT_EQ(vfs->Contents(name), "first");
  EXPECT_EQ(vfs->Contents(name + ".1"), "second");
  EXPECT_EQ(vfs->Contents(name + ".2"), "third");
}

TEST(TornTail, H3_HalfABatchIsNoBatch) {
  const QuietLog quiet;
  auto vfs = std::make_shared<FaultVfs>();
  auto store = MustOpen(kDirectory, InMemory(vfs));
  ASSERT_TRUE(store->Put("k0", "before").ok());
  const std::size_t good = WithoutPrepared(vfs->Contents(kFirst)).size();
  WriteBatch batch;
  for (int i = 0; i < 5; ++i) batch.Put("k" + std::to_string(i), "batch");
  ASSERT_TRUE(store->Write(batch).ok());
  const std::string whole = WithoutPrepared(vfs->Contents(kFirst));
  for (std::size_t cut = good; cut < whole.size(); ++cut) {
    std::shared_ptr<FaultVfs> image = vfs->Clone();
    image->SetContents(kFirst, whole.substr(0, cut));
    auto reopened = MustOpen(kDirectory, InMemory(image));
    ASSERT_EQ(Contents(*reopened), (Model{{"k0", "before"}})) << cut;
    ASSERT_EQ(WithoutPrepared(image->Contents(kFirst)).size(), good);
  }
}

TEST(Seq, H4_GoesOnBehindTheHighestInTheSegments) {
  auto vfs = std::make_shared<FaultVfs>();
  Options options = InMemory(vfs);
  options.segment_size = 4096;
  std::uint64_t last = 0;
  for (int round = 0; round < 5; ++round) {
    auto store = MustOpen(kDirectory, options);
    EXPECT_EQ(store->GetStats().last_seq, last);
    for (int i = 0; i < 20; ++i) {
      WriteBatch batch;
      batch.Put("k" + std::to_string(i), std::string(300, 'v'));
      Commit commit;
      ASSERT_TRUE(store->Write(batch, {}, &commit).ok());
      ASSERT_EQ(commit.seq, ++last);
    }
  }
}

TEST(Seq, H4_EndsAt2To63WithAClearRefusal) {
  auto vfs = std::make_shared<FaultVfs>();
  (void)MustOpen(kDirectory, InMemory(vfs));
  const std::string contents = WithoutPrepared(vfs->Contents(kFirst));
  vfs->SetContents(
      kFirst, contents + EncodeRecord(1, contents.size(), 1, kMaxSeq - 1, "last but one", "v"));
  auto store = MustOpen(kDirectory, InMemory(vfs));
  EXPECT_EQ(*store->Get("last but one"), "v");
  ASSERT_TRUE(store->Put("last", "v").ok());
  EXPECT_EQ(store->Put("one more", "v").code(), StatusCode::kOutOfRange);
  store.reset();
  store = MustOpen(kDirectory, InMemory(vfs));
  EXPECT_EQ(*store->Get("last"), "v");
  EXPECT_EQ(store->Put("one more", "v").code(), StatusCode::kOutOfRange);
}

TEST(Visibility, H28_UnderAlwaysNothingIsVisibleBeforeItIsDurable) {
  auto vfs = std::make_shared<FaultVfs>();
  auto store = MustOpen(kDirectory, InMemory(vfs));
  std::uint64_t written = 0;
  std::uint64_t syncs = 0;
  vfs->SetPlan([&](std::uint64_t, Call call, const std::string& path) -> const Fault* {
    if (call == Call::kSync && path.ends_with(".data")) {
      ++syncs;
      EXPECT_EQ(store->GetStats().last_seq, written) << "visible before its sync has ended";
    }
    return nullptr;
  });
  for (; written < 20; ++written) ASSERT_TRUE(store->Put("k", std::to_string(written)).ok());
  EXPECT_GE(syncs, 20U);
  vfs->SetPlan(nullptr);
  EXPECT_EQ(store->GetStats().durable_seq, 20U);
}

struct ModeCase {
  const char* name;
  SyncPolicy policy;
};

class PowerCutTest : public ::testing::TestWithParam<ModeCase> {
 protected:
  // A page that was lost before one that was kept looks like damage to what was safe, and is
  // refused as that (H1).
  static bool IsHole(const Status& status) {
    return status.message().find("an intact record follows") != std::string::npos;
  }
};

// Kills the machine at every changing call of many histories.
TEST_P(PowerCutTest, T6_LosesOnlyWhatWasNotDurableAndNothingInTheMiddle) {
  const QuietLog quiet;
  const std::uint64_t wanted = Scaled(2'000, 300);
  std::uint64_t points = 0;
  std::uint64_t holes = 0;
  for (std::uint64_t seed = 1; points < wanted; ++seed) {
    for (std::uint64_t kill_at = 0;; ++kill_at) {
      auto vfs = std::make_shared<FaultVfs>();
      vfs->KillAt(kill_at);
      Options options = InMemory(vfs);
      options.sync = GetParam().policy;
      // The larger ones have several pages, which a crash may keep in any order.
      options.segment_size = seed % 2 == 0 ? 4096 : 16'384;
      CommitHistory history(seed);
      std::uint64_t durable = 0;
      if (auto store = Store::Open(kDirectory, options); store.ok()) {
        for (int i = 0; i < 60; ++i) {
          Commit commit;
          const Status status = history.CommitNext(**store, &commit);
          if (status.ok() && commit.durable) durable = commit.seq;
          durable = std::max(durable, (*store)->GetStats().durable_seq);
          if (!status.ok()) break;
        }
      }
      if (vfs->calls() <= kill_at) break;
      ++points;
      for (const auto unsynced :
           {Unsynced::kDropped, Unsynced::kPartlyKept, Unsynced::kReordered, Unsynced::kKept}) {
        std::mt19937_64 random(seed * 1000 + kill_at);
        options.vfs = vfs->CrashImage(unsynced, random);
        auto store = Store::Open(kDirectory, options);
        if (!store.ok() && unsynced == Unsynced::kReordered && IsHole(store.status())) {
          ++holes;
          continue;
        }
        ASSERT_TRUE(store.ok()) << "seed " << seed << " call " << kill_at << " unsynced "
                                << static_cast<int>(unsynced) << ": " << store.status().ToString();
        const std::uint64_t last = (*store)->GetStats().last_seq;
        ASSERT_GE(last, durable) << "seed " << seed << " call " << kill_at;
        ASSERT_LT(last, history.states().size());
        Model expected = history.states()[last];
        ASSERT_EQ(Contents(**store), expected) << "seed " << seed << " call " << kill_at;
        // And a power cut soon after: what the first run had written and the second one has
        // served must not go then.
        ASSERT_TRUE((*store)->Put("new", "value", {.sync = Sync::kNow}).ok());
        expected["new"] = "value";
        options.vfs = static_cast<FaultVfs&>(*options.vfs).CrashImage(Unsynced::kDropped, random);
        store->reset();
        store = Store::Open(kDirectory, options);
        ASSERT_TRUE(store.ok()) << "seed " << seed << " call " << kill_at << " unsynced "
                                << static_cast<int>(unsynced) << ": " << store.status().ToString();
        ASSERT_EQ(Contents(**store), expected) << "seed " << seed << " call " << kill_at;
      }
    }
  }
  std::cout << points << " points, each with 4 kinds of loss, " << holes << " refused as holes"
            << std::endl;
  if (GetParam().policy.mode == SyncMode::kAlways) {
    EXPECT_LT(holes, points / 100);
  }
}

INSTANTIATE_TEST_SUITE_P(SyncModes, PowerCutTest,
                         ::testing::Values(ModeCase{"None", {.mode = SyncMode::kNone}},
                                           ModeCase{"EveryBytes",
                                                    {.mode = SyncMode::kEveryBytes, .bytes = 700}},
                                           ModeCase{"Interval", {.mode = SyncMode::kInterval}},
                                           ModeCase{"Always", {.mode = SyncMode::kAlways}}),
                         [](const auto& test) { return test.param.name; });

// Fails each changing call of a script once, and goes on.
TEST(FailingCalls, T9_WhatWasAcknowledgedStaysAndWhatWasRefusedIsNotThere) {
  const QuietLog quiet;
  const Fault faults[] = {{StatusCode::kInternal, 0},
                          {StatusCode::kInternal, 0.5},
                          {StatusCode::kInternal, 1},
                          {StatusCode::kResourceExhausted, 0.7}};
  std::uint64_t runs = 0;
  for (const Fault& fault : faults) {
    for (std::uint64_t n = 0;; ++n, ++runs) {
      auto vfs = std::make_shared<FaultVfs>();
      vfs->SetPlan([&](std::uint64_t number, Call, const std::string&) {
        return number == n ? &fault : nullptr;
      });
      Options options = InMemory(vfs);
      options.segment_size = 4096;
      std::map<std::string, Status> outcomes;
      if (auto store = Store::Open(kDirectory, options); store.ok()) {
        for (int i = 0; i < 25; ++i) {
          const std::string key = "k" + std::to_string(i);
          WriteBatch batch;
          batch.Put(key, std::string(400, 'v'));
          batch.Put(key + "'", key);
          outcomes.emplace(key, (*store)->Write(batch));
        }
      }
      if (vfs->calls() <= n) break;
      std::mt19937_64 random(n);
      for (const auto unsynced : {Unsynced::kKept, Unsynced::kDropped}) {
        options.vfs = vfs->CrashImage(unsynced, random);
        auto store = MustOpen(kDirectory, options);
        for (const auto& [key, outcome] : outcomes) {
          const bool there = store->Get(key).ok();
          ASSERT_EQ(there, store->Get(key + "'").ok()) << "half a batch, call " << n;
          if (outcome.code() == StatusCode::kUnknown) continue;
          ASSERT_EQ(there, outcome.ok())
              << key << " after " << outcome.ToString() << ", call " << n;
        }
      }
    }
  }
  std::cout << runs << " failing calls" << std::endl;
}

}  // namespace
}  // namespace weir::kv
