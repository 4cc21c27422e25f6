// The file systems made for tests: what a crash leaves in memory, small devices, injected failures,
// records and their replay.
#include <gmock/gmock.h>

#include <set>
#include <sstream>

#include "engine_fixture.h"
#include "weir/kv/testing/in_memory_vfs.h"
#include "weir/kv/testing/recording_vfs.h"

namespace weir::kv {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::size_t kPage = 4096;

std::unique_ptr<File> MakeFile(Vfs& vfs, const std::string& path) {
  auto file = vfs.Open(path, OpenMode::kCreateNew);
  EXPECT_TRUE(file.ok()) << file.status().ToString();
  return *std::move(file);
}

Status WriteTo(File& file, std::uint64_t offset, std::string_view bytes) {
  return file.Write(offset, {&bytes, 1});
}

TEST(InMemoryVfs, APowerCutTakesWhatWasNotSyncedDataAndNames) {
  InMemoryVfs vfs;
  auto file = MakeFile(vfs, "/kept");
  ASSERT_TRUE(WriteTo(*file, 0, "synced").ok());
  ASSERT_TRUE(file->Sync().ok());
  ASSERT_TRUE(vfs.SyncDirectory("/").ok());
  ASSERT_TRUE(WriteTo(*file, 6, " and more").ok());
  MakeFile(vfs, "/nameless");
  ASSERT_TRUE(vfs.Link("/kept", "/link").ok());
  std::mt19937_64 random(1);
  const auto image = vfs.CrashImage(Unsynced::kDropped, random);
  EXPECT_EQ(image->Contents("/kept"), "synced");
  EXPECT_THAT(*image->List("/"), ElementsAre("kept"));
  EXPECT_EQ(vfs.CrashImage(Unsynced::kKept, random)->Contents("/link"), "synced and more");
}

TEST(InMemoryVfs, AReorderedCrashKeepsAnySubsetOfTheUnsyncedPages) {
  InMemoryVfs vfs;
  auto file = MakeFile(vfs, "/file");
  ASSERT_TRUE(WriteTo(*file, 0, std::string(kPage, 'a')).ok());
  ASSERT_TRUE(file->Sync().ok());
  ASSERT_TRUE(vfs.SyncDirectory("/").ok());
  ASSERT_TRUE(WriteTo(*file, kPage, std::string(3 * kPage, 'b')).ok());
  std::mt19937_64 random(1);
  std::set<std::string> outcomes;
  for (int i = 0; i < 1000; ++i) {
    const std::string contents = vfs.CrashImage(Unsynced::kReordered, random)->Contents("/file");
    std::string pages;
    for (std::size_t at = 0; at + kPage <= contents.size(); at += kPage) {
      ASSERT_EQ(contents.substr(at, kPage), std::string(kPage, contents[at]));
      pages.push_back(contents[at] == '\0' ? '0' : contents[at]);
    }
    ASSERT_EQ(pages[0], 'a') << "what was synced stays";
    outcomes.insert(pages);
  }
  for (const char* pages : {"a", "ab", "a0", "a0b", "abbb", "a00b", "ab0b"}) {
    EXPECT_TRUE(outcomes.contains(pages)) << pages;
  }
}

TEST(InMemoryVfs, DataWhoseSyncFailedIsGoneForLaterSyncs) {
  InMemoryVfs vfs;
  auto file = MakeFile(vfs, "/file");
  ASSERT_TRUE(vfs.SyncDirectory("/").ok());
  ASSERT_TRUE(WriteTo(*file, 0, "data").ok());
  InMemoryVfs::LoseUnsynced(*file);
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_EQ(vfs.Contents("/file"), "data");
  std::mt19937_64 random(1);
  EXPECT_EQ(vfs.CrashImage(Unsynced::kDropped, random)->Contents("/file"), "");
  file->DropCache();
  EXPECT_EQ(vfs.Contents("/file"), "");
}

TEST(InMemoryVfs, AFullDeviceTakesWhatFitsAndTakesMoreOnceThereIsRoom) {
  InMemoryVfs vfs;
  vfs.SetCapacity(100);
  auto file = MakeFile(vfs, "/file");
  auto other = MakeFile(vfs, "/other");
  ASSERT_TRUE(WriteTo(*other, 0, std::string(40, 'o')).ok());
  EXPECT_EQ(WriteTo(*file, 0, std::string(70, 'f')).code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(vfs.Contents("/file"), std::string(60, 'f'));
  EXPECT_EQ(*vfs.FreeSpace("/"), 0U);
  // Writing over what is there needs no room.
  EXPECT_TRUE(WriteTo(*file, 0, std::string(60, 'g')).ok());
  ASSERT_TRUE(vfs.Remove("/other").ok());
  EXPECT_EQ(*vfs.FreeSpace("/"), 0U) << "somebody still has it open";
  other.reset();
  EXPECT_EQ(*vfs.FreeSpace("/"), 40U);
  EXPECT_EQ(file->Allocate(101).code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(file->Allocate(100).ok());
  EXPECT_TRUE(WriteTo(*file, 60, std::string(40, 'h')).ok());
  ASSERT_TRUE(file->Truncate(10).ok());
  EXPECT_EQ(vfs.used(), 10U);
}

TEST(InMemoryVfs, OpensOnlySoManyFiles) {
  InMemoryVfs vfs;
  vfs.SetMaxOpenFiles(2);
  const auto one = MakeFile(vfs, "/one");
  auto two = MakeFile(vfs, "/two");
  EXPECT_EQ(vfs.Open("/one", OpenMode::kRead).status().code(), StatusCode::kUnavailable);
  two.reset();
  EXPECT_TRUE(vfs.Open("/one", OpenMode::kRead).ok());
}

TEST(FaultVfs, FailsTheNthCallOfAKindOnAPathOnceOrFromThenOn) {
  FaultVfs vfs;
  auto data = MakeFile(vfs, "/a.data");
  auto hint = MakeFile(vfs, "/a.hint");
  vfs.Fail({.call = Call::kSync, .path = ".data", .nth = 1});
  EXPECT_TRUE(data->Sync().ok());
  EXPECT_TRUE(hint->Sync().ok());
  EXPECT_EQ(data->Sync().code(), StatusCode::kInternal);
  EXPECT_TRUE(data->Sync().ok());
  vfs.Fail({.call = Call::kRead, .from_then_on = true});
  char byte = 0;
  EXPECT_FALSE(data->Read(0, &byte, 1).ok());
  EXPECT_FALSE(hint->Read(0, &byte, 1).ok());
  vfs.Fail({.path = "/b", .fault = {StatusCode::kUnavailable}});
  EXPECT_EQ(vfs.Open("/b", OpenMode::kCreateNew).status().code(), StatusCode::kUnavailable);
  EXPECT_TRUE(vfs.Open("/b", OpenMode::kCreateNew).ok());
  vfs.Heal();
  EXPECT_TRUE(data->Read(0, &byte, 1).ok());
}

TEST(FaultVfs, AFailingWriteMayEndInTheMiddle) {
  FaultVfs vfs;
  auto file = MakeFile(vfs, "/file");
  vfs.Fail({.call = Call::kWrite, .fault = {StatusCode::kResourceExhausted, 0.5}});
  const std::string_view pieces[] = {"abc", "def"};
  EXPECT_EQ(file->Write(0, pieces).code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(vfs.Contents("/file"), "abc");
}

TEST(FaultVfs, ADeadProcessChangesNothing) {
  FaultVfs vfs;
  auto file = MakeFile(vfs, "/file");
  vfs.KillAt(2);
  EXPECT_TRUE(WriteTo(*file, 0, "abc").ok());
  EXPECT_FALSE(WriteTo(*file, 3, "def").ok());
  EXPECT_FALSE(vfs.Remove("/file").ok());
  EXPECT_EQ(vfs.Contents("/file"), "abc");
  EXPECT_EQ(vfs.calls(), 4U);
}

TEST(RecordingVfs, KeepsWhatWasAskedAndAnswered) {
  RecordingVfs vfs(std::make_shared<InMemoryVfs>());
  {
    auto file = MakeFile(vfs, "/file");
    ASSERT_TRUE(WriteTo(*file, 2, "abc").ok());
    char buffer[5];
    ASSERT_TRUE(file->Read(0, buffer, sizeof buffer).ok());
    ASSERT_TRUE(file->Truncate(3).ok());
  }
  ASSERT_TRUE(vfs.Rename("/file", "/new").ok());
  EXPECT_FALSE(vfs.Remove("/file").ok());
  std::ostringstream lines;
  vfs.Print(lines);
  EXPECT_EQ(lines.str(),
            "create /file: OK\n"
            "write /file at 2, 3 bytes: OK\n"
            "read /file at 0, 5 bytes: OK\n"
            "truncate /file to 3 bytes: OK\n"
            "rename /file to /new: OK\n"
            "remove /file: NOT_FOUND\n");
}

// The history of a store on real files, and what a power cut would have left after every call.
TEST(RecordingVfs, T6_ReplaysAHistoryOfRealFilesToACrashAtEveryPoint) {
  const QuietLog quiet;
  const TempDirectory directory;
  const std::string path = directory.path() + "/store";
  auto recording = std::make_shared<RecordingVfs>(PosixVfs());
  std::vector<std::pair<std::size_t, Model>> acknowledged;  // calls made before, state
  {
    Options options;
    options.vfs = recording;
    options.segment_size = 4096;
    auto store = MustOpen(path, options);
    Model model;
    for (int i = 0; i < 30; ++i) {
      acknowledged.emplace_back(recording->calls().size(), model);
      const std::string key = "k" + std::to_string(i % 7);
      model[key] = std::string(500, static_cast<char>('a' + i % 26));
      ASSERT_TRUE(store->Put(key, model[key]).ok());
    }
    acknowledged.emplace_back(recording->calls().size(), model);
    // From here on nothing may change any more.
    acknowledged.emplace_back(std::size_t{1} << 40, model);
  }
  std::mt19937_64 random(6);
  std::uint64_t images = 0;
  Replay replay(recording->calls());
  do {
    if (replay.next() != nullptr && !Changes(replay.next()->call)) continue;
    std::size_t state = 0;
    while (acknowledged[state + 1].first <= replay.done()) ++state;
    for (const auto unsynced : {Unsynced::kDropped, Unsynced::kPartlyKept, Unsynced::kKept}) {
      Options options;
      options.vfs = replay.files().CrashImage(unsynced, random);
      options.segment_size = 4096;
      auto store = Store::Open(path, options);
      if (!store.ok() && state == 0) continue;  // before the directory of the store was there
      ASSERT_TRUE(store.ok()) << replay.done() << ": " << store.status().ToString();
      const Model contents = Contents(**store);
      const std::size_t next = std::min(state + 1, acknowledged.size() - 1);
      ASSERT_TRUE(contents == acknowledged[state].second || contents == acknowledged[next].second)
          << "after call " << replay.done();
      ++images;
    }
  } while (replay.Step());
  std::cout << images << " images" << std::endl;
  EXPECT_GT(images, 200U);
}

}  // namespace
}  // namespace weir::kv
