// Reading without changing anything.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine_fixture.h"
#include "hint_file.h"
#include "record.h"

namespace weir::kv {
namespace {

using ::testing::HasSubstr;

std::map<std::string, std::string> AllFiles(const FaultVfs& vfs) {
  std::map<std::string, std::string> files;
  auto& mutable_vfs = const_cast<FaultVfs&>(vfs);
  const auto names = mutable_vfs.List(kDirectory);
  for (const std::string& name : *names) files[name] = vfs.Contents(kDirectory + "/" + name);
  return files;
}

class ReadOnlyTest : public ::testing::Test {
 protected:
  ReadOnlyTest() {
    options_.segment_size = 4096;
    options_.merge.automatic = false;
    auto store = MustOpen(kDirectory, options_);
    for (int i = 0; i < 60; ++i) {
      const std::string key = "key" + std::to_string(i % 25);
      model_[key] = std::string(200, static_cast<char>('a' + i % 26));
      EXPECT_TRUE(store->Put(key, model_[key]).ok());
    }
    store.reset();
    read_only_ = options_;
    read_only_.read_only = true;
  }

  QuietLog quiet_;
  std::shared_ptr<FaultVfs> vfs_ = std::make_shared<FaultVfs>();
  Options options_ = InMemory(vfs_);
  Options read_only_;
  Model model_;
};

TEST_F(ReadOnlyTest, ReadsAllAndTakesNoWrites) {
  auto store = MustOpen(kDirectory, read_only_);
  EXPECT_EQ(Contents(*store), model_);
  EXPECT_EQ(*store->Get("key1"), model_["key1"]);
  EXPECT_EQ(store->Get("none").status().code(), StatusCode::kNotFound);
  const Stats stats = store->GetStats();
  EXPECT_EQ(stats.keys, 25U);
  EXPECT_EQ(stats.last_seq, 60U);
  EXPECT_GT(stats.data_bytes, stats.live_bytes);
  EXPECT_EQ(store->Put("k", "v").code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(store->Delete("key1").message()), HasSubstr("read-only"));
  EXPECT_EQ(store->Flush().code(), StatusCode::kFailedPrecondition);
  WriteBatch batch;
  batch.Put("k", "v");
  EXPECT_EQ(store->Write(batch).code(), StatusCode::kFailedPrecondition);
  Status told;
  store->Write(std::move(batch), {},
               [&told](const Status& status, const Commit&) { told = status; });
  EXPECT_EQ(told.code(), StatusCode::kFailedPrecondition);
  EXPECT_TRUE(store->Close().ok());
  EXPECT_EQ(store->Get("key1").status().code(), StatusCode::kFailedPrecondition);
}

TEST_F(ReadOnlyTest, ChangesNothingWhateverThereIsToMend) {
  // A torn tail, a torn MANIFEST, leftovers, missing and damaged hints.
  const auto append = [this](const std::string& name, const std::string& more) {
    const std::string path = kDirectory + "/" + name;
    vfs_->SetContents(path, vfs_->Contents(path) + more);
  };
  std::uint64_t last = 1;
  while (vfs_->Exists(kDirectory + "/" + SegmentName(last + 1))) ++last;
  ASSERT_GT(last, 3U);
  append(SegmentName(last), EncodeRecord(last, 1, 1, 61, "key1", "torn"));
  append("MANIFEST", "torn");
  append(HintName(1), "damage");
  append(HintName(99), "of no segment");
  append(HintName(98) + ".tmp", "unfinished");
  (void)vfs_->Remove(kDirectory + "/" + HintName(2));
  const auto before = AllFiles(*vfs_);
  const std::uint64_t calls = vfs_->calls();
  {
    auto store = MustOpen(kDirectory, read_only_);
    EXPECT_EQ(Contents(*store), model_);
  }
  EXPECT_EQ(AllFiles(*vfs_), before);
  EXPECT_EQ(vfs_->calls(), calls) << "calls that change something";
  EXPECT_EQ(Contents(*MustOpen(kDirectory, options_)), model_);
  EXPECT_NE(AllFiles(*vfs_), before);
}

TEST_F(ReadOnlyTest, SeveralReadAtATimeAndNoneBesideAWriter) {
  {
    auto first = MustOpen(kDirectory, read_only_);
    auto second = MustOpen(kDirectory, read_only_);
    const auto writer = Store::Open(kDirectory, options_);
    ASSERT_FALSE(writer.ok());
    EXPECT_EQ(writer.status().code(), StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(writer.status().message()), HasSubstr("LOCK"));
    EXPECT_EQ(Contents(*first), Contents(*second));
  }
  auto writer = MustOpen(kDirectory, options_);
  const auto reader = Store::Open(kDirectory, read_only_);
  ASSERT_FALSE(reader.ok());
  EXPECT_EQ(reader.status().code(), StatusCode::kFailedPrecondition);
}

TEST_F(ReadOnlyTest, NeedsAStoreThatIsThere) {
  Options options = InMemory(std::make_shared<FaultVfs>());
  options.read_only = true;
  EXPECT_EQ(Store::Open(kDirectory, options).status().code(), StatusCode::kNotFound);
  EXPECT_FALSE(static_cast<FaultVfs&>(*options.vfs).Exists(kDirectory));
}

TEST_F(ReadOnlyTest, RefusesDamageAsAWriterDoes) {
  ASSERT_TRUE(vfs_->Remove(kDirectory + "/" + SegmentName(2)).ok());
  const auto store = Store::Open(kDirectory, read_only_);
  ASSERT_FALSE(store.ok());
  EXPECT_THAT(std::string(store.status().message()), HasSubstr("missing"));
}

TEST(ReadOnlyDirectory, CanBeRead) {
  const TempDirectory directory;
  const std::string path = directory.path() + "/store";
  Options options;
  options.segment_size = 4096;
  options.merge.automatic = false;
  Model model;
  {
    auto store = MustOpen(path, options);
    for (int i = 0; i < 40; ++i) {
      model["key" + std::to_string(i)] = std::string(300, 'v');
      ASSERT_TRUE(store->Put("key" + std::to_string(i), std::string(300, 'v')).ok());
    }
  }
  // Root may write anyway: then this only shows that nothing needs to be written.
  ASSERT_EQ(::chmod(path.c_str(), 0555), 0);
  options.read_only = true;
  {
    auto store = MustOpen(path, options);
    EXPECT_EQ(Contents(*store), model);
  }
  ASSERT_EQ(::unlink((path + "/LOCK").c_str()) == 0 || errno == EACCES, true);
  {
    auto store = MustOpen(path, options);
    EXPECT_EQ(Contents(*store), model);
  }
  ASSERT_EQ(::chmod(path.c_str(), 0755), 0);
}

}  // namespace
}  // namespace weir::kv
