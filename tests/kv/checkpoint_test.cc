// Checkpoints: consistent copies of a store that goes on.
#include <gmock/gmock.h>

#include <atomic>
#include <random>
#include <thread>

#include "engine_fixture.h"

namespace weir::kv {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const std::string kCopy = "/copy";

Options Adopting(Options options) {
  options.adopt_copy = true;
  return options;
}

// Two keys per commit, always equal: a copy that has half a commit is seen.
WriteBatch Pair(std::uint64_t number) {
  WriteBatch batch;
  const std::string value = std::to_string(number);
  batch.Put("left" + std::to_string(number % 97), value);
  batch.Put("right" + std::to_string(number % 97), value);
  return batch;
}

void ExpectPairs(const Model& contents) {
  for (const auto& [key, value] : contents) {
    if (!key.starts_with("left")) continue;
    const auto right = contents.find("right" + key.substr(4));
    ASSERT_TRUE(right != contents.end());
    ASSERT_EQ(right->second, value);
  }
}

TEST(Checkpoint, IsTheStoreAsItWasAndTheStoreGoesOn) {
  const TempDirectory directory;
  Options options;
  options.segment_size = 4096;
  auto store = MustOpen(directory.path() + "/store", options);
  Model at_checkpoint;
  for (std::uint64_t i = 0; i < 300; ++i) ASSERT_TRUE(store->Write(Pair(i)).ok());
  at_checkpoint = Contents(*store);
  std::uint64_t last = 0;
  const std::string copy = directory.path() + "/copies/../copy/";
  std::filesystem::create_directory(directory.path() + "/copies");
  const Status made = store->Checkpoint(copy, &last);
  ASSERT_TRUE(made.ok()) << made.ToString();
  EXPECT_EQ(last, 300U);
  for (std::uint64_t i = 300; i < 600; ++i) ASSERT_TRUE(store->Write(Pair(i)).ok());

  const auto refused = Store::Open(copy, options);
  EXPECT_EQ(refused.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("adopt_copy"));
  auto adopted = MustOpen(copy, Adopting(options));
  EXPECT_EQ(adopted->id(), store->id());
  EXPECT_EQ(adopted->GetStats().last_seq, 300U);
  EXPECT_EQ(Contents(*adopted), at_checkpoint);
  // What happens in one does not show in the other.
  for (std::uint64_t i = 1000; i < 1300; ++i) ASSERT_TRUE(adopted->Write(Pair(i)).ok());
  const Model copy_goes_on = Contents(*adopted);
  const Model goes_on = Contents(*store);
  adopted.reset();
  store.reset();
  EXPECT_EQ(Contents(*MustOpen(copy, options)), copy_goes_on);
  EXPECT_EQ(Contents(*MustOpen(directory.path() + "/store", options)), goes_on);
}

TEST(Checkpoint, OfAnEmptyStoreIsEmpty) {
  auto vfs = std::make_shared<FaultVfs>();
  auto store = MustOpen(kDirectory, InMemory(vfs));
  ASSERT_TRUE(store->Checkpoint(kCopy).ok());
  ASSERT_TRUE(store->Put("a", "1").ok());
  EXPECT_TRUE(Contents(*MustOpen(kCopy, Adopting(InMemory(vfs)))).empty());
}

TEST(Checkpoint, HoldsWholeCommitsWhileWritersWriteAndMergesRun) {
  const TempDirectory directory;
  Options options;
  options.segment_size = 16 * 1024;
  options.sync.mode = SyncMode::kNone;
  auto store = MustOpen(directory.path() + "/store", options);
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> next = 0;
  std::vector<std::thread> writers;
  for (int i = 0; i < 2; ++i) {
    writers.emplace_back([&] {
      while (!stop) EXPECT_TRUE(store->Write(Pair(next++)).ok());
    });
  }
  writers.emplace_back([&] {
    while (!stop) EXPECT_TRUE(store->Merge().ok());
  });
  const QuietLog quiet;
  const std::uint64_t rounds = Scaled(20, 8);
  for (std::uint64_t round = 0; round < rounds && !::testing::Test::HasFailure(); ++round) {
    const std::uint64_t before = store->GetStats().last_seq;
    const std::string copy = directory.path() + "/copy" + std::to_string(round);
    std::uint64_t last = 0;
    const Status made = store->Checkpoint(copy, &last);
    ASSERT_TRUE(made.ok()) << made.ToString();
    EXPECT_GE(last, before);
    auto adopted = MustOpen(copy, Adopting(options));
    EXPECT_EQ(adopted->GetStats().last_seq, last);
    ExpectPairs(Contents(*adopted));
  }
  stop = true;
  for (auto& writer : writers) writer.join();
}

TEST(Checkpoint, RefusesADirectoryThatHoldsSomething) {
  auto vfs = std::make_shared<FaultVfs>();
  auto store = MustOpen(kDirectory, InMemory(vfs));
  ASSERT_TRUE(vfs->CreateDirectory(kCopy).ok());
  vfs->SetContents(kCopy + "/mine", "data");
  const Status refused = store->Checkpoint(kCopy);
  EXPECT_EQ(refused.code(), StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(refused.message()), AllOf(HasSubstr(kCopy), HasSubstr("not empty")));
  ASSERT_TRUE(vfs->Remove(kCopy + "/mine").ok());
  EXPECT_TRUE(store->Checkpoint(kCopy).ok());
}

TEST(Checkpoint, RemovesWhatAnInterruptedOneHasLeftAndNothingElse) {
  auto vfs = std::make_shared<FaultVfs>();
  auto store = MustOpen(kDirectory, InMemory(vfs));
  ASSERT_TRUE(vfs->CreateDirectory(kCopy + ".partial").ok());
  vfs->SetContents(kCopy + ".partial/000007.data", "left over");
  vfs->SetContents(kCopy + ".partial/notes", "somebody's");
  const Status refused = store->Checkpoint(kCopy);
  EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("/copy.partial/notes"));
  EXPECT_EQ(vfs->Contents(kCopy + ".partial/notes"), "somebody's");
  ASSERT_TRUE(vfs->Remove(kCopy + ".partial/notes").ok());
  ASSERT_TRUE(store->Checkpoint(kCopy).ok());
  EXPECT_FALSE(vfs->Exists(kCopy + "/000007.data"));
}

// A Vfs whose files cannot be linked, as when the copy is on another file system.
class NoLinks final : public Vfs {
 public:
  explicit NoLinks(std::shared_ptr<Vfs> files) : files_(std::move(files)) {}
  Status Link(const std::string&, const std::string& to) override {
    return Internal(to + ": link failed: Invalid cross-device link");
  }
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    return files_->Open(path, mode);
  }
  Result<std::unique_ptr<Mapping>> Map(const std::string& path) override {
    return files_->Map(path);
  }
  Result<std::vector<std::string>> List(const std::string& directory) override {
    return files_->List(directory);
  }
  Status CreateDirectory(const std::string& path) override { return files_->CreateDirectory(path); }
  Status RemoveDirectory(const std::string& path) override { return files_->RemoveDirectory(path); }
  Status Remove(const std::string& path) override { return files_->Remove(path); }
  Status Rename(const std::string& from, const std::string& to) override {
    return files_->Rename(from, to);
  }
  Status SyncDirectory(const std::string& path) override { return files_->SyncDirectory(path); }
  Result<std::uint64_t> Inode(const std::string& path) override { return files_->Inode(path); }
  Result<std::uint64_t> FreeSpace(const std::string& path) override {
    return files_->FreeSpace(path);
  }
  std::uint64_t MaxOpenFiles() override { return files_->MaxOpenFiles(); }
  Result<std::unique_ptr<FileLock>> Lock(const std::string& path, std::string_view text,
                                         LockMode mode) override {
    return files_->Lock(path, text, mode);
  }

 private:
  const std::shared_ptr<Vfs> files_;
};

TEST(Checkpoint, CopiesWhereItCannotLinkAndCopiesNoDamage) {
  auto vfs = std::make_shared<FaultVfs>();
  Options options = InMemory(vfs);
  options.vfs = std::make_shared<NoLinks>(vfs);
  auto store = MustOpen(kDirectory, options);
  for (std::uint64_t i = 0; i < 20; ++i) ASSERT_TRUE(store->Write(Pair(i)).ok());
  ASSERT_TRUE(store->Checkpoint(kCopy).ok());
  EXPECT_EQ(Contents(*MustOpen(kCopy, Adopting(InMemory(vfs)))), Contents(*store));

  const std::string path = kDirectory + "/000001.data";
  std::string contents = vfs->Contents(path);
  contents[contents.size() / 2] ^= 1;
  vfs->SetContents(path, contents);
  const Status damaged = store->Checkpoint("/other");
  EXPECT_EQ(damaged.code(), StatusCode::kDataLoss);
  EXPECT_THAT(std::string(damaged.message()), AllOf(HasSubstr(path), HasSubstr("at offset")));
  EXPECT_FALSE(vfs->List("/other").ok());
  EXPECT_FALSE(vfs->List("/other.partial").ok());
}

TEST(Checkpoint, InterruptedAtAnyCallIsAbsentOrWholeAndTheStoreIsUnharmed) {
  const QuietLog quiet;
  std::mt19937_64 random(7);
  FaultVfs before;
  {
    std::shared_ptr<FaultVfs> vfs = before.Clone();
    Options options = InMemory(vfs);
    options.segment_size = 4096;
    auto store = MustOpen(kDirectory, options);
    for (std::uint64_t i = 0; i < 150; ++i) ASSERT_TRUE(store->Write(Pair(i)).ok());
    const Model expected = Contents(*store);
    store.reset();
    const std::shared_ptr<FaultVfs> start = vfs->Clone();
    std::uint64_t points = 0;
    for (bool finished = false; !finished && !HasFailure(); ++points) {
      for (const auto unsynced : {FaultVfs::Unsynced::kDropped, FaultVfs::Unsynced::kPartlyKept,
                                  FaultVfs::Unsynced::kKept}) {
        std::shared_ptr<FaultVfs> run = start->Clone();
        options.vfs = run;
        auto going = MustOpen(kDirectory, options);
        run->KillAt(run->calls() + points);
        finished = going->Checkpoint(kCopy).ok();
        std::shared_ptr<FaultVfs> crashed = run->CrashImage(unsynced, random);
        going.reset();
        options.vfs = crashed;
        going = MustOpen(kDirectory, options);
        ASSERT_EQ(Contents(*going), expected);
        if (crashed->List(kCopy).ok()) {
          ASSERT_EQ(Contents(*MustOpen(kCopy, Adopting(options))), expected) << points;
        } else {
          ASSERT_FALSE(finished) << "acknowledged and gone";
        }
        // And another one is not in the way of the first.
        const Status again = going->Checkpoint("/again");
        ASSERT_TRUE(again.ok()) << again.ToString();
        if (!crashed->List(kCopy).ok()) {
          const Status same = going->Checkpoint(kCopy);
          ASSERT_TRUE(same.ok()) << same.ToString();
        }
        ASSERT_EQ(Contents(*MustOpen(kCopy, Adopting(options))), expected);
      }
    }
    std::cout << points << " points" << std::endl;
    EXPECT_GT(points, 15U);
  }
}

}  // namespace
}  // namespace weir::kv
