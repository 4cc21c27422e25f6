// Damaged, missing and foreign files: refused with a line that names them, never believed.
#include <gmock/gmock.h>

#include "coding.h"
#include "engine_fixture.h"
#include "record.h"

namespace weir::kv {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const std::string kFirst = kDirectory + "/000001.data";
const std::string kSecond = kDirectory + "/000002.data";
const std::string kManifest = kDirectory + "/MANIFEST";

class DamageTest : public ::testing::Test {
 protected:
  DamageTest() { options_.segment_size = 4096; }

  // Two sealed segments and an active one, closed cleanly.
  void MakeStore() {
    auto store = MustOpen(kDirectory, options_);
    for (int i = 0; i < 24; ++i) {
      WriteBatch batch;
      const std::string key = "key" + std::to_string(i % 10);
      batch.Put(key, std::string(400, static_cast<char>('a' + i)));
      model_[key] = std::string(400, static_cast<char>('a' + i));
      if (i % 5 == 0) {
        batch.Put("extra" + std::to_string(i), "batched");
        model_["extra" + std::to_string(i)] = "batched";
      }
      ASSERT_TRUE(store->Write(batch).ok());
    }
    ASSERT_TRUE(store->Delete("key3").ok());
    model_.erase("key3");
    ASSERT_GE(store->GetStats().segments, 3U);
  }

  std::string RefusalOf(FaultVfs& vfs) {
    Options options = options_;
    options.vfs = vfs.Clone();
    const auto store = Store::Open(kDirectory, options);
    EXPECT_FALSE(store.ok());
    if (store.ok()) return "";
    // H29: refusing has changed nothing.
    auto& after = static_cast<FaultVfs&>(*options.vfs);
    const auto before_names = vfs.List(kDirectory);
    const auto after_names = after.List(kDirectory);
    EXPECT_EQ(*before_names, *after_names);
    for (const std::string& name : *before_names) {
      if (name == "LOCK") continue;
      EXPECT_EQ(vfs.Contents(kDirectory + "/" + name), after.Contents(kDirectory + "/" + name));
    }
    return std::string(store.status().message());
  }

  QuietLog quiet_;
  std::shared_ptr<FaultVfs> vfs_ = std::make_shared<FaultVfs>();
  Options options_ = InMemory(vfs_);
  Model model_;
};

TEST_F(DamageTest, T5_AnyChangedByteIsRefusedOrHarmless) {
  MakeStore();
  const auto names = vfs_->List(kDirectory);
  std::uint64_t refused = 0;
  std::uint64_t harmless = 0;
  for (const std::string& name : *names) {
    const std::string path = kDirectory + "/" + name;
    const std::string whole = vfs_->Contents(path);
    for (std::size_t at = 0; at < whole.size(); at += Scaled(1, 7)) {
      for (const char change : {'\x01', '\x80', '\xff'}) {
        std::shared_ptr<FaultVfs> image = vfs_->Clone();
        std::string damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ change);
        image->SetContents(path, damaged);
        Options options = options_;
        options.vfs = image;
        auto store = Store::Open(kDirectory, options);
        if (!store.ok()) {
          ++refused;
          ASSERT_THAT(std::string(store.status().message()), HasSubstr(kDirectory));
          continue;
        }
        // What is read from a hint at the start is checked when it is asked for.
        bool all_right = true;
        for (const auto& [key, value] : model_) {
          const auto read = (*store)->Get(key);
          all_right = all_right && read.ok();
          if (read.ok()) {
            ASSERT_EQ(*read, value) << name << " at " << at;
          } else {
            ASSERT_EQ(read.status().code(), StatusCode::kDataLoss) << name << " at " << at;
            ASSERT_THAT(std::string(read.status().message()), HasSubstr(path));
          }
        }
        ASSERT_EQ((*store)->GetStats().keys, model_.size()) << name << " at " << at;
        if (all_right) {
          ASSERT_EQ(Contents(**store), model_) << name << " at " << at;
        }
        ++(all_right ? harmless : refused);
      }
    }
  }
  std::cout << refused << " refused, " << harmless << " harmless" << std::endl;
  EXPECT_GT(refused, Scaled(5000, 700));
  EXPECT_GT(harmless, 0U);
}

TEST_F(DamageTest, T5_AByteChangedUnderAnOpenStoreIsNeverServed) {
  MakeStore();
  for (const std::string& path : {kFirst, kSecond}) {
    const std::string whole = vfs_->Contents(path);
    for (std::size_t at = 64; at < whole.size(); at += Scaled(3, 31)) {
      Options options = options_;
      std::shared_ptr<FaultVfs> image = vfs_->Clone();
      options.vfs = image;
      auto store = MustOpen(kDirectory, options);
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
      image->SetContents(path, damaged);
      for (const auto& [key, value] : model_) {
        const auto read = store->Get(key);
        if (read.ok()) {
          ASSERT_EQ(*read, value);
        } else {
          ASSERT_EQ(read.status().code(), StatusCode::kDataLoss);
          ASSERT_THAT(std::string(read.status().message()),
                      AllOf(HasSubstr(path), HasSubstr("at offset")));
        }
      }
    }
  }
}

TEST_F(DamageTest, H1_ADamagedRecordWithAnIntactOneBehindItIsNoTornTail) {
  auto store = MustOpen(kDirectory, options_);
  ASSERT_TRUE(store->Put("a", "1").ok());
  const std::size_t at = WithoutPrepared(vfs_->Contents(kFirst)).size();
  ASSERT_TRUE(store->Put("b", "2").ok());
  ASSERT_TRUE(store->Put("c", "3").ok());
  std::string damaged = WithoutPrepared(vfs_->Contents(kFirst));
  const auto image = vfs_->Clone();
  damaged[at + 9] ^= 1;
  image->SetContents(kFirst, damaged);
  EXPECT_THAT(RefusalOf(*image),
              AllOf(HasSubstr(kFirst), HasSubstr("at offset " + std::to_string(at)),
                    HasSubstr("an intact record follows"), HasSubstr("restore")));
}

TEST_F(DamageTest, H1_ADamagedLastRecordOfACleanlyClosedStoreIsNoTornTail) {
  auto store = MustOpen(kDirectory, options_);
  ASSERT_TRUE(store->Put("a", "1").ok());
  ASSERT_TRUE(store->Put("b", "2").ok());
  const std::size_t end = WithoutPrepared(vfs_->Contents(kFirst)).size();
  store.reset();
  std::string damaged = WithoutPrepared(vfs_->Contents(kFirst));
  ASSERT_GT(damaged.size(), end);  // the durable mark
  damaged[end - 1] ^= 1;
  vfs_->SetContents(kFirst, damaged);
  EXPECT_THAT(RefusalOf(*vfs_), HasSubstr("an intact record follows"));
}

TEST_F(DamageTest, H1_NothingIsTornBeforeWhatADurableMarkVouchesFor) {
  auto store = MustOpen(kDirectory, options_);
  ASSERT_TRUE(store->Put("a", "1").ok());
  store.reset();
  // A mark that vouches for more than lies before it cannot be right.
  const std::string contents = WithoutPrepared(vfs_->Contents(kFirst));
  vfs_->SetContents(kFirst, contents + EncodeRecord(1, contents.size(), 4, 1, "", "\x7f\x7f"));
  EXPECT_THAT(RefusalOf(*vfs_), AllOf(HasSubstr(kFirst), HasSubstr("durable mark")));
}

TEST_F(DamageTest, H1_ATailThatEndsInZeroesOrNoiseIsTorn) {
  std::string good;
  {
    auto store = MustOpen(kDirectory, options_);
    ASSERT_TRUE(store->Put("a", "1").ok());
    good = WithoutPrepared(vfs_->Contents(kFirst));
    vfs_ = vfs_->Clone();
  }
  std::mt19937_64 random(5);
  for (std::size_t size = 1; size < 3000; size += 37) {
    std::string noise(size, '\0');
    for (int round = 0; round < 2; ++round) {
      std::shared_ptr<FaultVfs> image = vfs_->Clone();
      image->SetContents(kFirst, good + noise);
      EXPECT_EQ(Contents(*MustOpen(kDirectory, InMemory(image))), (Model{{"a", "1"}}));
      for (char& c : noise) c = static_cast<char>(random());
    }
  }
}

TEST_F(DamageTest, H20_ASizeThatIsTooLargeAsksForNoMemory) {
  auto store = MustOpen(kDirectory, options_);
  ASSERT_TRUE(store->Put("a", "1").ok());
  const std::string good = WithoutPrepared(vfs_->Contents(kFirst));
  std::string head(kMaxRecordHead, '\0');
  EncodeRecordHead(head.data(), 1, 2, kMaxKeySize, kMaxValueSize);
  std::shared_ptr<FaultVfs> image = vfs_->Clone();
  image->SetContents(kFirst, good + head);
  EXPECT_EQ(Contents(*MustOpen(kDirectory, InMemory(image))), (Model{{"a", "1"}}));
}

TEST_F(DamageTest, ASealedSegmentMayNeitherShrinkNorGrow) {
  MakeStore();
  const std::string whole = WithoutPrepared(vfs_->Contents(kFirst));
  vfs_->SetContents(kFirst, whole.substr(0, whole.size() - 1));
  EXPECT_THAT(RefusalOf(*vfs_), AllOf(HasSubstr(kFirst), HasSubstr("MANIFEST has sealed")));
  vfs_->SetContents(kFirst, whole + "x");
  EXPECT_THAT(RefusalOf(*vfs_), AllOf(HasSubstr(kFirst), HasSubstr("MANIFEST has sealed")));
}

TEST_F(DamageTest, AMissingSegmentIsNamed) {
  MakeStore();
  ASSERT_TRUE(vfs_->Remove(kSecond).ok());
  EXPECT_THAT(RefusalOf(*vfs_), AllOf(HasSubstr(kSecond), HasSubstr("missing")));
}

TEST_F(DamageTest, ASegmentOfAnotherStoreIsRefused) {
  MakeStore();
  auto other = std::make_shared<FaultVfs>();
  {
    Options options = options_;
    options.vfs = other;
    auto store = MustOpen(kDirectory, options);
    for (int i = 0; i < 24; ++i) ASSERT_TRUE(store->Put("key", std::string(400, 'x')).ok());
  }
  const std::string foreign = WithoutPrepared(other->Contents(kFirst));
  std::string resized = WithoutPrepared(vfs_->Contents(kFirst));
  resized.replace(0, 64, foreign, 0, 64);
  vfs_->SetContents(kFirst, resized);
  EXPECT_THAT(RefusalOf(*vfs_), AllOf(HasSubstr(kFirst), HasSubstr("belongs to store")));
}

TEST_F(DamageTest, AnOlderManifestIsRefusedBecauseItDoesNotNameAllData) {
  std::string older;
  {
    auto store = MustOpen(kDirectory, options_);
    ASSERT_TRUE(store->Put("a", "1").ok());
    older = vfs_->Contents(kManifest);
  }
  MakeStore();
  vfs_->SetContents(kManifest, older);
  EXPECT_THAT(RefusalOf(*vfs_), HasSubstr("MANIFEST does not name this segment"));
}

TEST_F(DamageTest, AMissingManifestIsRefused) {
  MakeStore();
  ASSERT_TRUE(vfs_->Remove(kManifest).ok());
  EXPECT_THAT(RefusalOf(*vfs_), HasSubstr("no MANIFEST"));
}

TEST_F(DamageTest, AFileLeftByACrashBeforeItWasNamedIsSetAside) {
  options_.segment_size = 1 << 20;
  MustOpen(kDirectory, options_).reset();
  vfs_->SetContents(kDirectory + "/000002.data",
                    WithoutPrepared(vfs_->Contents(kFirst)).substr(0, 40));
  // Its id was given out: MANIFEST's next_fid is above it.
  auto store = MustOpen(kDirectory, options_);
  EXPECT_FALSE(vfs_->Exists(kDirectory + "/000002.data"));
  EXPECT_TRUE(vfs_->Exists(kDirectory + "/quarantine/000002.data"));
}

TEST_F(DamageTest, ABatchThatOthersFollowUnfinishedIsDamage) {
  MustOpen(kDirectory, options_).reset();
  std::string contents = WithoutPrepared(vfs_->Contents(kFirst));
  contents += EncodeRecord(1, contents.size(), 0x81, 1, "k", "v");
  contents += EncodeRecord(1, contents.size(), 0x01, 2, "k", "v");
  vfs_->SetContents(kFirst, contents);
  EXPECT_THAT(RefusalOf(*vfs_), AllOf(HasSubstr(kFirst), HasSubstr("batch is not finished")));
}

TEST_F(DamageTest, LaterSeqsWinWhateverTheOrderInTheFile) {
  MustOpen(kDirectory, options_).reset();
  std::string contents = WithoutPrepared(vfs_->Contents(kFirst));
  contents += EncodeRecord(1, contents.size(), 1, 7, "k", "newer");
  contents += EncodeRecord(1, contents.size(), 1, 5, "k", "older");
  contents += EncodeRecord(1, contents.size(), 2, 9, "gone", "");
  contents += EncodeRecord(1, contents.size(), 1, 8, "gone", "older");
  vfs_->SetContents(kFirst, contents);
  EXPECT_EQ(Contents(*MustOpen(kDirectory, options_)), (Model{{"k", "newer"}}));
}

}  // namespace
}  // namespace weir::kv
