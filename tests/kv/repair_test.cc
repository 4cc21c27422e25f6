// Finding damage, and saving what can be saved.
#include "weir/kv/repair.h"

#include <gmock/gmock.h>

#include <random>
#include <set>

#include "engine_fixture.h"
#include "record.h"

namespace weir::kv {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kRepaired = "/repaired";
const std::string kManifest = kDirectory + "/MANIFEST";

std::string PathOf(int fid) {
  return kDirectory + "/00000" + std::to_string(fid) + ".data";
}

class RepairTest : public ::testing::Test {
 protected:
  Options StoreIn(const std::shared_ptr<FaultVfs>& vfs) {
    Options options;
    options.vfs = vfs;
    options.segment_size = 4096;
    options.merge.automatic = false;
    return options;
  }

  // A store of three segments with batches, deletes and replaced values.
  void MakeStore() {
    auto store = MustOpen(kDirectory, StoreIn(vfs_));
    for (int i = 0; i < 90; ++i) {
      WriteBatch batch;
      const std::uint64_t count = random_() % 3 == 0 ? 3 : 1;
      for (std::uint64_t n = 0; n < count; ++n) {
        const std::string key = "key" + std::to_string(random_() % 30);
        if (random_() % 4 == 0) {
          batch.Delete(key);
        } else {
          const std::string value(random_() % 120, static_cast<char>('a' + random_() % 26));
          batch.Put(key, value);
          values_[key].insert(value);
        }
      }
      ASSERT_TRUE(store->Write(batch).ok());
    }
    contents_ = Contents(*store);
    last_seq_ = store->GetStats().last_seq;
    id_ = store->id();
  }
  RepairReport MustRepair(const std::shared_ptr<FaultVfs>& vfs, RepairOptions options = {}) {
    options.vfs = vfs;
    const auto report = Repair(kDirectory, kRepaired, options);
    EXPECT_TRUE(report.ok()) << report.status().ToString();
    return report.ok() ? *report : RepairReport();
  }
  Verification MustVerify(const std::shared_ptr<FaultVfs>& vfs,
                          const std::string& directory = kDirectory) {
    const auto result = VerifyDirectory(directory, {.vfs = vfs});
    EXPECT_TRUE(result.ok()) << result.status().ToString();
    return result.ok() ? *result : Verification();
  }
  void ExpectOnlyTrueValues(const Model& contents) {
    for (const auto& [key, value] : contents) {
      ASSERT_TRUE(values_[key].contains(value)) << key << " never had the value " << value;
    }
  }
  std::map<std::string, std::string> Files(FaultVfs& vfs) {
    std::map<std::string, std::string> files;
    const auto names = vfs.List(kDirectory);
    for (const std::string& name : *names) files[name] = vfs.Contents(kDirectory + "/" + name);
    return files;
  }

  QuietLog quiet_;
  std::mt19937_64 random_{23};
  std::shared_ptr<FaultVfs> vfs_ = std::make_shared<FaultVfs>();
  std::map<std::string, std::set<std::string>> values_;  // that a key ever had
  Model contents_;
  std::uint64_t last_seq_ = 0;
  std::string id_;
};

TEST_F(RepairTest, ASoundStoreVerifiesAndRepairsToTheSame) {
  MakeStore();
  const Verification verified = MustVerify(vfs_);
  EXPECT_TRUE(verified.damaged.empty()) << ToString(verified.damaged[0]);
  EXPECT_TRUE(verified.notes.empty()) << verified.notes[0];
  EXPECT_EQ(verified.store_id, id_);
  EXPECT_EQ(verified.last_seq, last_seq_);
  EXPECT_GE(verified.segments, 3U);
  const auto before = Files(*vfs_);
  const RepairReport report = MustRepair(vfs_);
  EXPECT_EQ(Files(*vfs_), before);
  EXPECT_EQ(report.lost_bytes, 0U);
  EXPECT_TRUE(report.damaged.empty());
  EXPECT_EQ(report.keys, contents_.size());
  EXPECT_EQ(report.records, verified.records);
  EXPECT_EQ(report.last_seq, last_seq_);
  auto repaired = MustOpen(kRepaired, StoreIn(vfs_));
  EXPECT_EQ(repaired->id(), id_);
  EXPECT_EQ(Contents(*repaired), contents_);
  EXPECT_EQ(repaired->GetStats().first_change, last_seq_ + 1);
  Commit commit;
  WriteBatch batch;
  batch.Put("new", "1");
  ASSERT_TRUE(repaired->Write(batch, {}, &commit).ok());
  EXPECT_EQ(commit.seq, last_seq_ + 1) << "numbers are not used again";
  repaired.reset();
  const Verification again = MustVerify(vfs_, kRepaired);
  EXPECT_TRUE(again.damaged.empty()) << ToString(again.damaged[0]);
}

TEST_F(RepairTest, T5_WithAnyByteChangedNothingWrongIsKeptAndWhatVerifiesOpens) {
  MakeStore();
  const auto files = Files(*vfs_);
  std::uint64_t changes = 0;
  std::uint64_t lost = 0;
  for (const auto& [name, whole] : files) {
    if (!name.ends_with(".data") && name != "MANIFEST") continue;
    for (std::size_t at = 0; at < whole.size(); at += Scaled(1, 11), ++changes) {
      std::shared_ptr<FaultVfs> vfs = vfs_->Clone();
      std::string changed = whole;
      changed[at] ^= static_cast<char>(1 + random_() % 255);
      vfs->SetContents(kDirectory + "/" + name, changed);
      const Verification verified = MustVerify(vfs);
      if (verified.damaged.empty()) {
        ASSERT_FALSE(verified.notes.empty()) << name << " changed at " << at;
      } else if (name != "MANIFEST") {
        ASSERT_EQ(verified.damaged[0].file, name);
        ASSERT_LE(verified.damaged[0].offset, at);
      }
      const RepairReport report = MustRepair(vfs);
      lost += report.lost_bytes;
      auto repaired = MustOpen(kRepaired, StoreIn(vfs));
      const Model kept = Contents(*repaired);
      ASSERT_NO_FATAL_FAILURE(ExpectOnlyTrueValues(kept)) << name << " changed at " << at;
      if (name == "MANIFEST") {
        ASSERT_EQ(kept, contents_) << at;
      } else {
        // One record at most, or one batch; or space behind the last record.
        const std::size_t end = WithoutPrepared(whole).size();
        ASSERT_LE(report.lost_bytes, at < end ? 500U : at + 1 - end)
            << name << " changed at " << at;
      }
      const auto opened = Store::Open(kDirectory, StoreIn(vfs));
      // The other way round it may open: hints spare it the reading of closed segments.
      if (verified.damaged.empty()) {
        ASSERT_TRUE(opened.ok()) << name << " changed at " << at << ": "
                                 << opened.status().ToString();
      }
      if (HasFailure()) return;
    }
  }
  std::cout << changes << " changes, " << lost << " bytes lost" << std::endl;
}

TEST_F(RepairTest, WorksWithoutMANIFEST) {
  MakeStore();
  ASSERT_TRUE(vfs_->Remove(kManifest).ok());
  const Verification verified = MustVerify(vfs_);
  ASSERT_EQ(verified.damaged.size(), 1U);
  EXPECT_EQ(ToString(verified.damaged[0]), "MANIFEST: is missing");
  const RepairReport report = MustRepair(vfs_);
  EXPECT_EQ(report.store_id, id_);
  EXPECT_EQ(Contents(*MustOpen(kRepaired, StoreIn(vfs_))), contents_);
}

TEST_F(RepairTest, LeavesOutWhatIsMissingForeignOrNoise) {
  MakeStore();
  {
    auto other = MustOpen("/other", StoreIn(vfs_));
    ASSERT_TRUE(other->Put("foreign", "1").ok());
  }
  ASSERT_TRUE(vfs_->Remove(PathOf(2)).ok());
  vfs_->SetContents(PathOf(7), vfs_->Contents("/other/000001.data"));
  std::string noise(3000, '\0');
  for (char& c : noise) c = static_cast<char>(random_());
  vfs_->SetContents(PathOf(8), noise);
  const Verification verified = MustVerify(vfs_);
  ASSERT_FALSE(verified.damaged.empty());
  EXPECT_THAT(ToString(verified.damaged[0]), HasSubstr("000002.data: MANIFEST names"));
  const RepairReport report = MustRepair(vfs_);
  EXPECT_THAT(report.notes, ElementsAre(HasSubstr("000007.data: belongs to store")));
  EXPECT_THAT(ToString(report.damaged[0]), HasSubstr("000002.data"));
  const DamagedPlace& last = report.damaged.back();
  EXPECT_EQ(last.file, "000008.data");
  EXPECT_EQ(last.offset + last.bytes, noise.size());
  auto repaired = MustOpen(kRepaired, StoreIn(vfs_));
  ExpectOnlyTrueValues(Contents(*repaired));
  EXPECT_EQ(repaired->GetStats().last_seq >= last_seq_, true);
}

TEST_F(RepairTest, ABatchThatIsNotWholeIsLeftOutAndTheRecordsBehindItAreKept) {
  {
    auto store = MustOpen(kDirectory, StoreIn(vfs_));
    ASSERT_TRUE(store->Put("before", "1").ok());
    WriteBatch batch;
    batch.Put("a", "first of the batch");
    batch.Put("b", "second of the batch");
    ASSERT_TRUE(store->Write(batch).ok());
    ASSERT_TRUE(store->Put("behind", "1").ok());
  }
  std::string contents = vfs_->Contents(PathOf(1));
  contents[contents.find("second of")] ^= 1;
  vfs_->SetContents(PathOf(1), contents);
  EXPECT_FALSE(Store::Open(kDirectory, StoreIn(vfs_)).ok());
  const Verification verified = MustVerify(vfs_);
  ASSERT_EQ(verified.damaged.size(), 3U);
  EXPECT_THAT(verified.damaged[0].what, HasSubstr("a part of a batch"));
  EXPECT_THAT(verified.damaged[1].what, HasSubstr("the record is damaged"));
  EXPECT_THAT(verified.damaged[2].what, HasSubstr("the end of a batch"));
  const RepairReport report = MustRepair(vfs_);
  EXPECT_EQ(report.keys, 2U);
  EXPECT_EQ(Contents(*MustOpen(kRepaired, StoreIn(vfs_))),
            (Model{{"before", "1"}, {"behind", "1"}}));
}

TEST_F(RepairTest, KeepsExpiryLargeValuesAndAnIdOrTakesANewOne) {
  const std::uint64_t expiry_ms = 99'000'000'000'000;
  const std::string large(3'000'000, 'x');
  {
    auto store = MustOpen(kDirectory, StoreIn(vfs_));
    WriteBatch batch;
    batch.PutUntil("expires", "1", expiry_ms);
    batch.Put("large", large);
    batch.Put("", "");
    ASSERT_TRUE(store->Write(batch).ok());
    id_ = store->id();
  }
  EXPECT_NE(MustRepair(vfs_, {.new_id = true}).store_id, id_);
  auto repaired = MustOpen(kRepaired, StoreIn(vfs_));
  EXPECT_NE(repaired->id(), id_);
  EXPECT_EQ(repaired->GetEntry("expires")->expiry_ms, expiry_ms);
  EXPECT_EQ(*repaired->Get("large"), large);
  EXPECT_EQ(*repaired->Get(""), "");
}

TEST_F(RepairTest, RefusesWhatIsOpenWhatIsNoStoreAndATargetThatIsThere) {
  EXPECT_EQ(Repair("/nothing", kRepaired, {.vfs = vfs_}).status().code(), StatusCode::kNotFound);
  auto store = MustOpen(kDirectory, StoreIn(vfs_));
  ASSERT_TRUE(store->Put("a", "1").ok());
  const auto open = Repair(kDirectory, kRepaired, {.vfs = vfs_});
  EXPECT_EQ(open.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(open.status().message()), AllOf(HasSubstr("LOCK"), HasSubstr("stop")));
  EXPECT_EQ(VerifyDirectory(kDirectory, {.vfs = vfs_}).status().code(),
            StatusCode::kFailedPrecondition);
  store.reset();
  const auto onto_itself = Repair(kDirectory, kDirectory, {.vfs = vfs_});
  EXPECT_EQ(onto_itself.status().code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(*MustOpen(kDirectory, StoreIn(vfs_))->Get("a"), "1");
}

TEST_F(RepairTest, H30_InterruptedAtAnyCallTheSourceIsUntouchedAndTheTargetAbsentOrWhole) {
  MakeStore();
  const auto before = Files(*vfs_);
  std::uint64_t points = 0;
  for (bool finished = false; !finished && !HasFailure(); ++points) {
    std::shared_ptr<FaultVfs> run = vfs_->Clone();
    run->KillAt(run->calls() + points);
    finished = Repair(kDirectory, kRepaired, {.vfs = run}).ok();
    std::shared_ptr<FaultVfs> crashed = run->CrashImage(FaultVfs::Unsynced::kDropped, random_);
    ASSERT_EQ(Files(*crashed), before);
    if (!crashed->List(kRepaired).ok()) {
      ASSERT_FALSE(finished);
      MustRepair(crashed);
    }
    ASSERT_EQ(Contents(*MustOpen(kRepaired, StoreIn(crashed))), contents_);
  }
  EXPECT_GT(points, 8U);
}

}  // namespace
}  // namespace weir::kv
