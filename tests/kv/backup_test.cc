// Generations of backups, and what comes back from them.
#include "weir/kv/backup.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>
#include <thread>

#include "backup_catalog.h"
#include "engine_fixture.h"

namespace weir::kv {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kBackups = "/backups";
const std::string kRestored = "/restored";

class BackupTest : public ::testing::Test {
 protected:
  BackupTest() { options_.merge.automatic = false; }

  BackupOptions In(const std::shared_ptr<FaultVfs>& vfs) { return {.vfs = vfs}; }
  Options StoreIn(const std::shared_ptr<FaultVfs>& vfs) {
    Options options = options_;
    options.vfs = vfs;
    return options;
  }
  std::unique_ptr<Store> OpenStore() { return MustOpen(kDirectory, StoreIn(vfs_)); }

  void Write(Store& store, int commits) {
    for (int i = 0; i < commits; ++i) {
      WriteBatch batch;
      for (std::uint64_t n = 1 + random_() % 3; n > 0; --n) {
        const std::string key = "key" + std::to_string(random_() % 40);
        if (random_() % 4 == 0) {
          batch.Delete(key);
        } else {
          batch.Put(key, std::string(random_() % 200, static_cast<char>('a' + random_() % 26)));
        }
      }
      ASSERT_TRUE(store.Write(batch).ok());
    }
  }
  std::vector<std::string> SegmentsInBackup() {
    auto names = vfs_->List(kBackups);
    EXPECT_TRUE(names.ok());
    std::erase_if(*names, [](const std::string& name) { return !IsBackupSegmentName(name); });
    std::sort(names->begin(), names->end());
    return *names;
  }
  Model Restored(const std::shared_ptr<FaultVfs>& vfs, std::uint64_t generation,
                 const std::string& target = kRestored) {
    const auto restored = Restore(kBackups, generation, target, In(vfs));
    EXPECT_TRUE(restored.ok()) << restored.status().ToString();
    return Contents(*MustOpen(target, StoreIn(vfs)));
  }

  QuietLog quiet_;
  std::mt19937_64 random_{11};
  std::shared_ptr<FaultVfs> vfs_ = std::make_shared<FaultVfs>();
  Options options_ = [] {
    Options options;
    options.segment_size = 4096;
    return options;
  }();
};

TEST_F(BackupTest, CopiesOnlyWhatIsNewAndRestoresEveryGeneration) {
  auto store = OpenStore();
  std::vector<Model> states;
  std::uint64_t copied = 0;
  for (std::uint64_t generation = 1; generation <= 4; ++generation) {
    Write(*store, 60);
    states.push_back(Contents(*store));
    const auto report = store->Backup(kBackups);
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    EXPECT_EQ(report->generation.number, generation);
    EXPECT_EQ(report->generation.last_seq, store->GetStats().last_seq);
    EXPECT_EQ(report->generation.store_id, store->id());
    copied += report->copied_bytes;
    EXPECT_EQ(copied, report->generation.bytes) << "each segment once";
  }
  const auto nothing_new = store->Backup(kBackups);
  ASSERT_TRUE(nothing_new.ok());
  EXPECT_EQ(nothing_new->copied_segments, 0U);

  const auto list = ListBackups(kBackups, In(vfs_));
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->size(), 5U);
  EXPECT_EQ((*list)[2].number, 3U);
  EXPECT_GT((*list)[0].time_ms, 1'600'000'000'000U);
  const auto verified = VerifyBackup(kBackups, 0, In(vfs_));
  ASSERT_TRUE(verified.ok());
  EXPECT_EQ(verified->generations, 5U);
  EXPECT_EQ(verified->bytes, copied);
  EXPECT_TRUE(verified->problems.empty());
  for (std::uint64_t generation = 1; generation <= 4; ++generation) {
    EXPECT_EQ(Restored(vfs_, generation, kRestored + std::to_string(generation)),
              states[generation - 1]);
  }
  EXPECT_EQ(Restored(vfs_, 0), states.back());
}

TEST_F(BackupTest, ARestoredStoreIsTheStoreAndMayGoOnBesideItsBackups) {
  auto store = OpenStore();
  Write(*store, 60);
  ASSERT_TRUE(store->Backup(kBackups).ok());
  const std::string id = store->id();
  Write(*store, 60);
  ASSERT_TRUE(store->Backup(kBackups).ok());
  store.reset();

  ASSERT_TRUE(Restore(kBackups, 1, kRestored, In(vfs_)).ok());
  store = MustOpen(kRestored, StoreIn(vfs_));
  EXPECT_EQ(store->id(), id);
  // Another history from here on, with the same numbers: its backups must not be taken for those.
  Write(*store, 60);
  const Model other = Contents(*store);
  const auto report = store->Backup(kBackups);
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_EQ(report->generation.number, 3U);
  EXPECT_EQ(Restored(vfs_, 3, "/third"), other);
  EXPECT_NE(Restored(vfs_, 2, "/second"), other);
}

TEST_F(BackupTest, PurgingKeepsWhatTheNewestNeed) {
  auto store = OpenStore();
  Model last;
  for (int generation = 0; generation < 3; ++generation) {
    Write(*store, 50);
    last = Contents(*store);
    ASSERT_TRUE(store->Backup(kBackups).ok());
  }
  const auto all = SegmentsInBackup();
  const auto kept = PurgeBackups(kBackups, 2, In(vfs_));
  ASSERT_TRUE(kept.ok());
  EXPECT_EQ(kept->removed_generations, 1U);
  // A log only grows: everything that the first has is in the others.
  EXPECT_EQ(kept->removed_files, 0U);
  EXPECT_EQ(SegmentsInBackup(), all);
  vfs_->SetContents(kBackups + "/000099-0000000000000040-00000000.data", "unused");
  const auto purged = PurgeBackups(kBackups, 1, In(vfs_));
  ASSERT_TRUE(purged.ok());
  EXPECT_EQ(purged->removed_files, 1U);
  EXPECT_EQ(purged->removed_bytes, 6U);
  EXPECT_EQ(SegmentsInBackup(), all);
  EXPECT_EQ(Restored(vfs_, 0), last);
  EXPECT_EQ(PurgeBackups(kBackups, 0, In(vfs_)).status().code(), StatusCode::kInvalidArgument);
  // Numbers are not used again.
  EXPECT_EQ(store->Backup(kBackups)->generation.number, 4U);
}

TEST_F(BackupTest, RefusesBackupsOfAnotherStoreAndDirectoriesWithOtherThings) {
  ASSERT_TRUE(OpenStore()->Backup(kBackups).ok());
  auto other = MustOpen("/other", StoreIn(vfs_));
  const auto mixed = other->Backup(kBackups);
  EXPECT_EQ(mixed.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(mixed.status().message()), HasSubstr(other->id()));
  const auto store_itself = other->Backup(kDirectory);
  EXPECT_EQ(store_itself.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(store_itself.status().message()), HasSubstr("no part of a backup"));
  EXPECT_EQ(ListBackups("/nowhere", In(vfs_)).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(Restore(kBackups, 7, kRestored, In(vfs_)).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(Restore(kBackups, 1, kDirectory, In(vfs_)).status().code(), StatusCode::kAlreadyExists);
}

TEST_F(BackupTest, H16_DamageIsNeitherBackedUpNorRestored) {
  auto store = OpenStore();
  Write(*store, 60);
  ASSERT_TRUE(store->Backup(kBackups).ok());
  const Model good = Contents(*store);
  Write(*store, 60);
  // Rot in a segment that is not backed up yet.
  std::string newest;
  const auto names = vfs_->List(kDirectory);
  for (const std::string& name : *names) {
    const bool has_records = vfs_->Contents(kDirectory + "/" + name).size() > 1000;
    if (name.ends_with(".data") && has_records) newest = std::max(newest, name);
  }
  const std::string path = kDirectory + "/" + newest;
  const std::string before = vfs_->Contents(path);
  std::string rotten = before;
  rotten[WithoutPrepared(rotten).size() / 2] ^= 4;
  vfs_->SetContents(path, rotten);
  const auto refused = store->Backup(kBackups);
  EXPECT_EQ(refused.status().code(), StatusCode::kDataLoss);
  EXPECT_THAT(std::string(refused.status().message()), AllOf(HasSubstr(path), HasSubstr("offset")));
  EXPECT_EQ(ListBackups(kBackups, In(vfs_))->size(), 1U);
  EXPECT_EQ(Restored(vfs_, 0), good);
  vfs_->SetContents(path, before);
  ASSERT_TRUE(store->Backup(kBackups).ok());

  // Every byte of the backup of the first generation.
  const std::string victim = kBackups + "/" + SegmentsInBackup().front();
  const std::string whole = vfs_->Contents(victim);
  for (std::size_t at = 0; at < whole.size(); at += Scaled(1, 7)) {
    std::string changed = whole;
    changed[at] ^= static_cast<char>(1 + random_() % 255);
    vfs_->SetContents(victim, changed);
    const auto verified = VerifyBackup(kBackups, 0, In(vfs_));
    ASSERT_TRUE(verified.ok());
    ASSERT_EQ(verified->problems.size(), 1U) << at;
    ASSERT_THAT(verified->problems[0], HasSubstr(victim));
    const auto restored = Restore(kBackups, 1, "/never", In(vfs_));
    ASSERT_EQ(restored.status().code(), StatusCode::kDataLoss) << at;
    ASSERT_FALSE(vfs_->List("/never").ok());
  }
  vfs_->SetContents(victim, whole);
  // Every byte of a generation.
  const std::string generation = kBackups + "/000001.backup";
  const std::string contents = vfs_->Contents(generation);
  for (std::size_t at = 0; at < contents.size(); ++at) {
    std::string changed = contents;
    changed[at] ^= static_cast<char>(1 + random_() % 255);
    vfs_->SetContents(generation, changed);
    ASSERT_EQ(Restore(kBackups, 1, "/never", In(vfs_)).status().code(), StatusCode::kDataLoss);
    const auto list = ListBackups(kBackups, In(vfs_));
    ASSERT_TRUE(list.ok());
    ASSERT_THAT((*list)[0].error, HasSubstr(generation));
    ASSERT_EQ((*list)[1].error, "");
    const auto purged = PurgeBackups(kBackups, 2, In(vfs_));
    ASSERT_EQ(purged.status().code(), StatusCode::kDataLoss);
  }
}

TEST_F(BackupTest, OfADirectoryThatNobodyHasOpenLeavesItAsItIs) {
  auto store = OpenStore();
  Write(*store, 60);
  const Model expected = Contents(*store);
  // As after kill -9, with a torn tail.
  std::mt19937_64 random(1);
  std::shared_ptr<FaultVfs> crashed = vfs_->CrashImage(FaultVfs::Unsynced::kKept, random);
  const auto refused = BackupDirectory(kDirectory, kBackups, In(vfs_));
  EXPECT_EQ(refused.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("stop that process"));
  store.reset();
  std::string active;
  std::map<std::string, std::string> before;
  const auto names = crashed->List(kDirectory);
  for (const std::string& name : *names) {
    if (name.ends_with(".data")) active = std::max(active, name);
  }
  crashed->SetContents(kDirectory + "/" + active,
                       crashed->Contents(kDirectory + "/" + active) + "torn");
  for (const std::string& name : *names) before[name] = crashed->Contents(kDirectory + "/" + name);
  const auto report = BackupDirectory(kDirectory, kBackups, In(crashed));
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  for (const std::string& name : *names) {
    EXPECT_EQ(crashed->Contents(kDirectory + "/" + name), before[name]) << name;
  }
  EXPECT_EQ(crashed->List(kDirectory)->size(), names->size());
  EXPECT_EQ(Restored(crashed, 0), expected);
  // Damage in the middle is not a torn tail.
  std::string damaged = before[active];
  damaged[80] ^= 1;
  crashed->SetContents(kDirectory + "/" + active, damaged);
  EXPECT_EQ(BackupDirectory(kDirectory, kBackups, In(crashed)).status().code(),
            StatusCode::kDataLoss);
}

// What is tried with a crash at each of its calls.
using Work = std::function<bool(std::shared_ptr<FaultVfs> vfs)>;
using Look = std::function<void(std::shared_ptr<FaultVfs> vfs, bool finished)>;

void CrashEverywhere(const FaultVfs& start, const Work& work, const Look& look) {
  std::mt19937_64 random(5);
  std::uint64_t points = 0;
  for (bool finished = false; !finished && !::testing::Test::HasFailure(); ++points) {
    for (const auto unsynced : {FaultVfs::Unsynced::kDropped, FaultVfs::Unsynced::kPartlyKept,
                                FaultVfs::Unsynced::kKept}) {
      std::shared_ptr<FaultVfs> run = start.Clone();
      run->KillAt(run->calls() + points);
      finished = work(run);
      look(run->CrashImage(unsynced, random), finished);
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
  std::cout << points << " points" << std::endl;
  EXPECT_GT(points, 10U);
}

TEST_F(BackupTest, InterruptedAtAnyCallLeavesTheOlderGenerationsGood) {
  auto store = OpenStore();
  Write(*store, 40);
  const Model first = Contents(*store);
  ASSERT_TRUE(store->Backup(kBackups).ok());
  Write(*store, 40);
  const Model second = Contents(*store);
  store.reset();
  CrashEverywhere(
      *vfs_, [&](const auto& vfs) { return BackupDirectory(kDirectory, kBackups, In(vfs)).ok(); },
      [&](const auto& vfs, bool finished) {
        const auto list = ListBackups(kBackups, In(vfs));
        ASSERT_TRUE(list.ok()) << list.status().ToString();
        if (finished) {
          ASSERT_EQ(list->size(), 2U);
        }
        const auto verified = VerifyBackup(kBackups, 0, In(vfs));
        ASSERT_TRUE(verified.ok() && verified->problems.empty()) << verified->problems[0];
        ASSERT_EQ(Restored(vfs, 1), first);
        if (list->size() == 2) {
          ASSERT_EQ(Restored(vfs, 2, "/second"), second);
        }
        const auto again = BackupDirectory(kDirectory, kBackups, In(vfs));
        ASSERT_TRUE(again.ok()) << again.status().ToString();
        ASSERT_EQ(Restored(vfs, 0, "/newest"), second);
      });
}

TEST_F(BackupTest, ARestoreInterruptedAtAnyCallIsAbsentOrWhole) {
  auto store = OpenStore();
  Write(*store, 80);
  const Model expected = Contents(*store);
  ASSERT_TRUE(store->Backup(kBackups).ok());
  store.reset();
  CrashEverywhere(
      *vfs_, [&](const auto& vfs) { return Restore(kBackups, 0, kRestored, In(vfs)).ok(); },
      [&](const auto& vfs, bool finished) {
        const bool there = vfs->List(kRestored).ok();
        if (finished) {
          ASSERT_TRUE(there);
        }
        if (there) {
          ASSERT_EQ(Contents(*MustOpen(kRestored, StoreIn(vfs))), expected);
        } else {
          ASSERT_EQ(Restored(vfs, 0), expected);
        }
      });
}

TEST_F(BackupTest, APurgeInterruptedAtAnyCallKeepsTheNewest) {
  auto store = OpenStore();
  for (int i = 0; i < 2; ++i) {
    Write(*store, 30);
    ASSERT_TRUE(store->Backup(kBackups).ok());
  }
  const Model expected = Contents(*store);
  store.reset();
  for (char c = '1'; c < '9'; ++c) {
    vfs_->SetContents(kBackups + "/00009" + c + "-0000000000000040-00000000.data", "unused");
  }
  CrashEverywhere(
      *vfs_, [&](const auto& vfs) { return PurgeBackups(kBackups, 1, In(vfs)).ok(); },
      [&](const auto& vfs, bool finished) {
        if (finished) {
          ASSERT_EQ(ListBackups(kBackups, In(vfs))->size(), 1U);
        }
        ASSERT_EQ(Restored(vfs, 0), expected);
        ASSERT_TRUE(PurgeBackups(kBackups, 1, In(vfs)).ok());
        ASSERT_EQ(Restored(vfs, 0, "/again"), expected);
      });
}

TEST_F(BackupTest, RealFilesWhileWritersWrite) {
  const TempDirectory directory;
  Options options = options_;
  options.segment_size = 32 * 1024;
  options.sync.mode = SyncMode::kNone;
  auto store = MustOpen(directory.path() + "/store", options);
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (std::uint64_t i = 0; !stop; ++i) {
      WriteBatch batch;
      batch.Put("left" + std::to_string(i % 50), std::to_string(i));
      batch.Put("right" + std::to_string(i % 50), std::to_string(i));
      EXPECT_TRUE(store->Write(batch).ok());
    }
  });
  const std::string backups = directory.path() + "/backups";
  for (int i = 0; i < 5; ++i) {
    const auto report = store->Backup(backups);
    EXPECT_TRUE(report.ok()) << report.status().ToString();
  }
  stop = true;
  writer.join();
  for (std::uint64_t generation = 1; generation <= 5; ++generation) {
    const std::string target = directory.path() + "/restored" + std::to_string(generation);
    const auto restored = Restore(backups, generation, target);
    ASSERT_TRUE(restored.ok()) << restored.status().ToString();
    auto opened = MustOpen(target, options);
    EXPECT_EQ(opened->GetStats().last_seq, restored->last_seq);
    const Model contents = Contents(*opened);
    for (const auto& [key, value] : contents) {
      if (key.starts_with("left")) {
        ASSERT_EQ(contents.at("right" + key.substr(4)), value);
      }
    }
  }
}

}  // namespace
}  // namespace weir::kv
