// Starting: from hints as from segments, on any number of threads; and what is cleared away.
#include "recovery.h"

#include <gmock/gmock.h>

#include <random>

#include "coding.h"
#include "engine_fixture.h"
#include "hint_file.h"
#include "index_loading.h"
#include "record.h"
#include "segment_run.h"

namespace weir::kv {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string PathOf(const std::string& name) {
  return kDirectory + "/" + name;
}

class NoUsage final : public SegmentUsage {
 public:
  void AddLive(std::uint32_t, std::int64_t) override {}
};

std::map<std::string, Location> AllIn(const Index& index, const Epochs::Pin& pin) {
  std::map<std::string, Location> all;
  IndexPortion portion;
  index.Collect(pin, {}, kNewest, 1'000'000, portion);
  for (std::size_t i = 0; i < portion.size(); ++i) {
    all.emplace(portion.key(i), portion.location(i));
  }
  return all;
}

struct Newest {
  std::uint64_t seq = 0;
  std::uint64_t fid = 0;
  Location location;
  bool deleted = false;
};

// Hints of made-up segments, and what they mean together.
class MadeUpHints {
 public:
  MadeUpHints(std::size_t count, std::size_t keys, std::uint64_t seed) : random_(seed) {
    for (std::size_t i = 0; i < count; ++i) {
      // Fids neither in the order of slots nor in that of seqs.
      Add(i * 7919 % 101 + 1, static_cast<std::uint32_t>(i), keys);
    }
  }

  std::map<std::string, Location> Expected() const {
    std::map<std::string, Location> expected;
    for (const auto& [key, newest] : newest_) {
      if (!newest.deleted) expected.emplace(key, newest.location);
    }
    return expected;
  }
  std::vector<SegmentToLoad> loads;

 private:
  void Add(std::uint64_t fid, std::uint32_t slot, std::size_t keys) {
    std::map<std::string, RunEntry> entries;
    const std::string shared = random_() % 2 == 0 ? "a prefix that all have in common/" : "";
    while (entries.size() < keys) {
      const std::string key = shared + std::to_string(random_() % (keys * 6)) +
                              (random_() % 9 == 0 ? std::string(1, '\0') : std::string());
      entries[key] = {.key = {},
                      .seq = 1 + random_() % 1000,
                      .offset = 64 + random_() % 100'000,
                      .size = 20,
                      .deleted = random_() % 6 == 0,
                      .expires = random_() % 6 == 0};
    }
    HintBuilder builder;
    for (auto& [key, entry] : entries) {
      entry.key = key;
      builder.Add(entry);
      auto [at, added] = newest_.try_emplace(key);
      Newest& newest = at->second;
      if (!added && std::pair(newest.seq, newest.fid) > std::pair(entry.seq, fid)) continue;
      newest = {.seq = entry.seq,
                .fid = fid,
                .location = {.slot = slot,
                             .size = entry.size,
                             .offset = entry.offset,
                             .expires = entry.expires},
                .deleted = entry.deleted};
    }
    builder.Finish({}, {.fid = fid, .length = 1 << 20, .min_seq = 1, .max_seq = 1000});
    auto bytes = std::make_shared<const std::string>(builder.bytes());
    const std::string_view view = *bytes;
    auto [hint, error] = Hint::Parse(view, bytes);
    EXPECT_EQ(error, "");
    loads.push_back({std::move(hint), slot});
  }

  std::mt19937_64 random_;
  std::map<std::string, Newest> newest_;
};

TEST(IndexLoading, TheHighestSeqWinsInWhateverOrderTheFilesCome) {
  for (std::uint64_t seed = 1; seed <= Scaled(200, 30); ++seed) {
    const MadeUpHints hints(1 + seed % 9, 10 + seed * 3, seed);
    std::vector<SegmentToLoad> loads = hints.loads;
    std::mt19937_64 random(seed);
    std::shuffle(loads.begin(), loads.end(), random);
    Epochs epochs;
    NoUsage usage;
    Index index(epochs, usage);
    ASSERT_EQ(LoadIndex(loads, 1, index), std::nullopt);
    ASSERT_EQ(AllIn(index, epochs.Enter()), hints.Expected()) << "seed " << seed;
  }
}

TEST(IndexLoading, OnSeveralThreadsGivesTheSameAsOnOne) {
  const MadeUpHints hints(6, Scaled(60'000, 12'000), 77);
  const auto expected = hints.Expected();
  for (const std::size_t threads : {1U, 2U, 3U, 8U}) {
    Epochs epochs;
    NoUsage usage;
    Index index(epochs, usage);
    ASSERT_EQ(LoadIndex(hints.loads, threads, index), std::nullopt);
    ASSERT_EQ(index.keys(), expected.size());
    ASSERT_TRUE(AllIn(index, epochs.Enter()) == expected) << threads << " threads";
  }
}

TEST(IndexLoading, OfNothingIsEmpty) {
  Epochs epochs;
  NoUsage usage;
  Index index(epochs, usage);
  EXPECT_EQ(LoadIndex({}, 4, index), std::nullopt);
  EXPECT_EQ(index.keys(), 0U);
}

// Stores of small segments, with a model of their contents.
class StartTest : public ::testing::Test {
 protected:
  StartTest() {
    options_.segment_size = 4096;
    options_.merge.automatic = false;
  }

  void Fill(Store& store, int commits) {
    for (int i = 0; i < commits; ++i) {
      const std::string key = "key" + std::to_string(random_() % 60);
      if (random_() % 4 == 0) {
        ASSERT_TRUE(store.Delete(key).ok());
        model_.erase(key);
      } else {
        model_[key] = std::string(random_() % 300, static_cast<char>('a' + random_() % 26));
        ASSERT_TRUE(store.Put(key, model_[key]).ok());
      }
    }
  }
  void MakeStore() {
    auto store = MustOpen(kDirectory, options_);
    Fill(*store, 200);
  }
  ManifestState Manifest(FaultVfs& vfs) {
    return ParseManifest(vfs.Contents(PathOf("MANIFEST"))).state;
  }
  ManifestState Manifest() { return Manifest(*vfs_); }
  // Adds frames to MANIFEST.
  void Append(const ManifestEdit& edit) {
    std::string bytes = vfs_->Contents(PathOf("MANIFEST"));
    bytes += EncodeManifestFrame(bytes.size(), edit);
    vfs_->SetContents(PathOf("MANIFEST"), bytes);
  }
  std::string RefusalOf() {
    const auto store = Store::Open(kDirectory, options_);
    EXPECT_FALSE(store.ok());
    return store.ok() ? "" : std::string(store.status().message());
  }
  // A segment that a merge wrote, with one record, whose file is all there is of it.
  std::string MergedSegment(std::uint64_t fid, std::uint64_t seq, std::string_view value) {
    SegmentHeader header;
    header.store_id = Manifest().store_id;
    header.fid = fid;
    header.kind = SegmentKind::kMerged;
    const std::string bytes = EncodeSegmentHeader(header);
    return bytes + EncodeRecord(fid, bytes.size(), 1, seq, "merged", value);
  }

  QuietLog quiet_;
  std::mt19937_64 random_{6};
  std::shared_ptr<FaultVfs> vfs_ = std::make_shared<FaultVfs>();
  Options options_ = InMemory(vfs_);
  Model model_;
};

TEST_F(StartTest, FromHintsAndFromSegmentsIsTheSame) {
  MakeStore();
  std::uint64_t hints = 0;
  for (const auto& [fid, live] : Manifest().segments) {
    EXPECT_EQ(vfs_->Exists(PathOf(HintName(fid))), live.sealed) << fid;
    hints += live.sealed ? 1 : 0;
  }
  ASSERT_GT(hints, 5U);
  for (const std::uint32_t threads : {1U, 4U}) {
    options_.open_threads = threads;
    for (std::uint64_t without = 0; without <= hints; ++without) {
      std::shared_ptr<FaultVfs> image = vfs_->Clone();
      std::uint64_t left = without;
      for (const auto& [fid, live] : Manifest().segments) {
        if (left > 0 && left-- > 0) (void)image->Remove(PathOf(HintName(fid)));
      }
      Options options = options_;
      options.vfs = image;
      auto store = MustOpen(kDirectory, options);
      ASSERT_EQ(Contents(*store), model_);
      ASSERT_EQ(store->GetStats().last_seq, 200U);
      // The next start has them all again.
      store.reset();
      for (const auto& [fid, live] : Manifest(*image).segments) {
        ASSERT_EQ(image->Exists(PathOf(HintName(fid))), live.sealed) << fid;
      }
    }
  }
}

TEST_F(StartTest, ReadsNoRecordsOfSegmentsThatHaveHints) {
  MakeStore();
  const ManifestState manifest = Manifest();
  for (const auto& [fid, live] : manifest.segments) {
    if (!live.sealed) continue;
    const std::string path = PathOf(SegmentName(fid));
    const std::string bytes = vfs_->Contents(path);
    vfs_->SetContents(path, bytes.substr(0, 64) + std::string(bytes.size() - 64, 'x'));
  }
  EXPECT_EQ(MustOpen(kDirectory, options_)->GetStats().keys, model_.size());
  for (const auto& [fid, live] : manifest.segments) (void)vfs_->Remove(PathOf(HintName(fid)));
  EXPECT_THAT(RefusalOf(), HasSubstr("damaged"));
}

TEST_F(StartTest, H13_AnyDamagedHintIsBuiltAgain) {
  MakeStore();
  const std::string path = PathOf(HintName(2));
  const std::string good = vfs_->Contents(path);
  ASSERT_GT(good.size(), 200U);
  for (std::size_t at = 0; at < good.size(); at += Scaled(1, 11)) {
    std::string damaged = good;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
    vfs_->SetContents(path, damaged);
    {
      auto store = MustOpen(kDirectory, options_);
      ASSERT_EQ(Contents(*store), model_) << at;
    }
    // Damage does not stay; what is built again is the same.
    ASSERT_EQ(vfs_->Contents(path), good) << at;
  }
}

TEST_F(StartTest, H13_AHintWithEntriesThatCannotBeIsFoundOutWhileLoading) {
  MakeStore();
  const ManifestState manifest = Manifest();
  const LiveSegment live = manifest.segments.at(2);
  HintBuilder builder;
  // A whole block is read when the hint is opened; what is wrong stands before that.
  for (int i = 0; i < 1000; ++i) {
    const std::string key = "key" + std::to_string(1000 + i);
    builder.Add({.key = key, .seq = 50, .offset = i == 3 ? live.length : 64, .size = 20});
  }
  builder.Finish(manifest.store_id, {.fid = 2,
                                     .kind = live.kind,
                                     .length = live.length,
                                     .crc = live.crc,
                                     .min_seq = 1,
                                     .max_seq = 100});
  vfs_->SetContents(PathOf(HintName(2)), builder.bytes());
  ASSERT_TRUE(OpenHint(*vfs_, kDirectory, manifest.store_id, 2, live).ok());
  EXPECT_EQ(Contents(*MustOpen(kDirectory, options_)), model_);
}

TEST_F(StartTest, ACleanCloseSealsWhatIsLargeSoThatOnlyHintsAreRead) {
  options_.segment_size = 64 << 20;
  {
    auto store = MustOpen(kDirectory, options_);
    for (int i = 0; i < 50; ++i) {
      ASSERT_TRUE(store->Put("k" + std::to_string(i), std::string(100'000, 'v')).ok());
    }
  }
  EXPECT_TRUE(Manifest().segments.at(1).sealed);
  EXPECT_TRUE(vfs_->Exists(PathOf(HintName(1))));
  for (int i = 0; i < 5; ++i) {
    auto store = MustOpen(kDirectory, options_);
    EXPECT_EQ(store->GetStats().keys, 50U);
    EXPECT_EQ(store->GetStats().last_seq, 50U + static_cast<std::uint64_t>(i));
    ASSERT_TRUE(store->Put("k1", "v").ok());
    // Small segments are gone on with, so that they do not collect.
    EXPECT_EQ(store->GetStats().segments, 2U);
  }
}

TEST_F(StartTest, H8_WhatAMergeLeftUnfinishedIsRemoved) {
  MakeStore();
  const std::uint64_t next = Manifest().next_fid;
  Append(ManifestEdit().NextFid(next + 2));
  vfs_->SetContents(PathOf(SegmentName(next)), MergedSegment(next, 1, "value"));
  vfs_->SetContents(PathOf(HintName(next)), "any");
  vfs_->SetContents(PathOf(HintName(next + 1) + ".tmp"), "any");
  vfs_->SetContents(PathOf("MANIFEST.tmp"), "any");
  EXPECT_EQ(Contents(*MustOpen(kDirectory, options_)), model_);
  for (const std::string& name : {SegmentName(next), HintName(next), HintName(next + 1) + ".tmp",
                                  std::string("MANIFEST.tmp")}) {
    EXPECT_FALSE(vfs_->Exists(PathOf(name))) << name;
  }
}

TEST_F(StartTest, H8_WhatAMergeHadDroppedIsRemoved) {
  MakeStore();
  // All that segment 1 holds is overwritten in a merged segment.
  const std::uint64_t next = Manifest().next_fid;
  const std::string merged = MergedSegment(next, 1, "value");
  const auto crc = Crc32c()
                       .Extend(std::string_view(merged).substr(0, 64))
                       .Extend(LoadFixed<std::uint32_t>(merged.data() + 64))
                       .Value();
  vfs_->SetContents(PathOf(SegmentName(next)), merged);
  const std::string first_name = SegmentName(1);
  const std::string first = vfs_->Contents(PathOf(first_name));
  Append(ManifestEdit()
             .NextFid(next + 1)
             .Add(next, SegmentKind::kMerged)
             .Seal(next, merged.size(), crc)
             .Drop(1)
             .ChangeFloor(1000));
  {
    auto store = MustOpen(kDirectory, options_);
    EXPECT_EQ(*store->Get("merged"), "value");
    // H4: numbers that were merged away do not come again.
    EXPECT_EQ(store->GetStats().last_seq, 999U);
  }
  EXPECT_FALSE(vfs_->Exists(PathOf(first_name)));
  EXPECT_FALSE(vfs_->Exists(PathOf(HintName(1))));
  // The others are still written behind it, and one that is missing is still seen.
  EXPECT_EQ(MustOpen(kDirectory, options_)->GetStats().last_seq, 999U);
  (void)vfs_->Remove(PathOf(SegmentName(next)));
  EXPECT_THAT(RefusalOf(), AllOf(HasSubstr(SegmentName(next)), HasSubstr("missing")));
}

TEST_F(StartTest, ALogWithCommitsThatManifestDoesNotNameIsRefused) {
  MakeStore();
  const std::uint64_t next = Manifest().next_fid;
  Append(ManifestEdit().NextFid(next + 1));
  SegmentHeader header;
  header.store_id = Manifest().store_id;
  header.fid = next;
  const std::string bytes = EncodeSegmentHeader(header);
  vfs_->SetContents(PathOf(SegmentName(next)),
                    bytes + EncodeRecord(next, bytes.size(), 1, 999, "k", "v"));
  EXPECT_THAT(RefusalOf(), AllOf(HasSubstr(SegmentName(next)), HasSubstr("MANIFEST")));
  EXPECT_TRUE(vfs_->Exists(PathOf(SegmentName(next))));
}

class LongManifestTest : public StartTest {
 protected:
  // A history of dropped segments and floors, so long that the next open shortens it.
  void SetUp() override {
    MakeStore();
    const std::uint64_t next = Manifest().next_fid;
    for (std::uint64_t i = 0; i < 2500; ++i) {
      ManifestEdit edit;
      edit.NextFid(next + i + 1).Add(next + i, SegmentKind::kMerged).Drop(next + i);
      Append(edit.TimeFloor(i + 1).ChangeFloor(i + 1));
    }
    ASSERT_GT(vfs_->Contents(PathOf("MANIFEST")).size(), 64U << 10);
  }

  void CheckSame(const ManifestState& now, const ManifestState& before) {
    EXPECT_EQ(now.store_id, before.store_id);
    EXPECT_GE(now.next_fid, before.next_fid);
    EXPECT_EQ(now.time_floor_ms, 2500U);
    EXPECT_EQ(now.change_floor, 2500U);
    for (const auto& [fid, live] : before.segments) {
      ASSERT_TRUE(now.segments.contains(fid));
      EXPECT_EQ(now.segments.at(fid).length, live.length);
      EXPECT_EQ(now.segments.at(fid).crc, live.crc);
    }
  }
};

TEST_F(LongManifestTest, IsWrittenAnewAtTheOpen) {
  const ManifestState before = Manifest();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Contents(*MustOpen(kDirectory, options_)), model_);
  EXPECT_LT(vfs_->Contents(PathOf("MANIFEST")).size(), 2000U);
  EXPECT_FALSE(vfs_->Exists(PathOf("MANIFEST.tmp")));
  CheckSame(Manifest(), before);
  // It names its own inode: a copy of it is still seen as one.
  vfs_->SetContents(PathOf("copy"), vfs_->Contents(PathOf("MANIFEST")));
  ASSERT_TRUE(vfs_->Rename(PathOf("copy"), PathOf("MANIFEST")).ok());
  EXPECT_THAT(RefusalOf(), HasSubstr("is a copy"));
}

TEST_F(LongManifestTest, SurvivesACrashAtEveryCallOfTheOpenThatShortensIt) {
  const ManifestState before = Manifest();
  std::uint64_t points = 0;
  for (std::uint64_t kill_at = 0;; ++kill_at, ++points) {
    std::shared_ptr<FaultVfs> vfs = vfs_->Clone();
    vfs->KillAt(vfs->calls() + kill_at);
    Options options = options_;
    options.vfs = vfs;
    const bool opened = Store::Open(kDirectory, options).ok();
    for (const auto unsynced : {FaultVfs::Unsynced::kDropped, FaultVfs::Unsynced::kPartlyKept,
                                FaultVfs::Unsynced::kPartlyKept, FaultVfs::Unsynced::kKept}) {
      std::mt19937_64 random(kill_at * 4 + static_cast<std::uint64_t>(unsynced));
      options.vfs = vfs->CrashImage(unsynced, random);
      auto store = Store::Open(kDirectory, options);
      ASSERT_TRUE(store.ok()) << kill_at << ": " << store.status().ToString();
      ASSERT_EQ(Contents(**store), model_) << kill_at;
      CheckSame(Manifest(static_cast<FaultVfs&>(*options.vfs)), before);
      ASSERT_TRUE((*store)->Put("new", "value").ok());
    }
    if (opened) break;
  }
  EXPECT_GT(points, 5U);
}

}  // namespace
}  // namespace weir::kv
