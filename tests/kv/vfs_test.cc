// What every Vfs promises, of the operating system's files and of those in memory.
#include "weir/kv/vfs.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine_fixture.h"
#include "weir/kv/testing/in_memory_vfs.h"
#include "weir/kv/testing/recording_vfs.h"

namespace weir::kv {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

struct VfsCase {
  const char* name;
  std::shared_ptr<Vfs> (*make)();
};

class VfsTest : public ::testing::TestWithParam<VfsCase> {
 protected:
  VfsTest() {
    if (std::string_view(GetParam().name) == "Posix") {
      directory_ = temporary_.path();
    } else {
      directory_ = "/directory";
      EXPECT_TRUE(vfs_->CreateDirectory(directory_).ok());
    }
  }

  std::string At(std::string_view name) const { return directory_ + "/" + std::string(name); }
  std::unique_ptr<File> Make(std::string_view name, std::string_view contents) {
    auto file = vfs_->Open(At(name), OpenMode::kCreateNew);
    EXPECT_TRUE(file.ok()) << file.status().ToString();
    EXPECT_TRUE((*file)->Write(0, {&contents, 1}).ok());
    return *std::move(file);
  }
  std::string ContentsOf(File& file) {
    std::string contents(*file.Size(), '?');
    EXPECT_EQ(*file.Read(0, contents.data(), contents.size()), contents.size());
    return contents;
  }

  const TempDirectory temporary_;
  const std::shared_ptr<Vfs> vfs_ = GetParam().make();
  std::string directory_;
};

TEST_P(VfsTest, AMappingShowsTheFileAndOutlivesIt) {
  const auto file = Make("file", "contents");
  auto mapping = vfs_->Map(At("file"));
  ASSERT_TRUE(mapping.ok()) << mapping.status().ToString();
  EXPECT_EQ((*mapping)->bytes(), "contents");
  ASSERT_TRUE(vfs_->Remove(At("file")).ok());
  EXPECT_EQ((*mapping)->bytes(), "contents");
  EXPECT_EQ(vfs_->Map(At("file")).status().code(), StatusCode::kNotFound);
}

TEST_P(VfsTest, AnEmptyFileIsMappedAsNoBytes) {
  const auto file = Make("file", "");
  auto mapping = vfs_->Map(At("file"));
  ASSERT_TRUE(mapping.ok()) << mapping.status().ToString();
  EXPECT_EQ((*mapping)->bytes(), "");
}

TEST_P(VfsTest, ALinkIsASecondNameOfOneFile) {
  const auto file = Make("file", "one");
  ASSERT_TRUE(vfs_->Link(At("file"), At("link")).ok());
  const std::string_view two = "two";
  ASSERT_TRUE(file->Write(0, {&two, 1}).ok());
  ASSERT_TRUE(vfs_->Remove(At("file")).ok());
  EXPECT_EQ(ContentsOf(**vfs_->Open(At("link"), OpenMode::kRead)), "two");
  EXPECT_THAT(*vfs_->List(directory_), UnorderedElementsAre("link"));
}

TEST_P(VfsTest, ALinkReplacesNothing) {
  const auto file = Make("file", "one");
  const auto other = Make("other", "two");
  EXPECT_EQ(vfs_->Link(At("file"), At("other")).code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(vfs_->Link(At("none"), At("new")).code(), StatusCode::kNotFound);
}

TEST_P(VfsTest, AllocatingMakesAFileLongerAndKeepsWhatIsInIt) {
  const auto file = Make("file", "abc");
  ASSERT_TRUE(file->Allocate(8).ok());
  EXPECT_EQ(ContentsOf(*file), std::string("abc\0\0\0\0\0", 8));
  ASSERT_TRUE(file->Allocate(2).ok());
  EXPECT_EQ(*file->Size(), 8U);
}

TEST_P(VfsTest, AnExclusiveLockExcludesAllOthersAndSharedOnesOnlyExclusiveOnes) {
  const std::string path = At("LOCK");
  {
    const auto held = vfs_->Lock(path, "pid 1");
    ASSERT_TRUE(held.ok()) << held.status().ToString();
    for (const LockMode mode : {LockMode::kExclusive, LockMode::kShared}) {
      const auto refused = vfs_->Lock(path, "pid 2", mode);
      ASSERT_EQ(refused.status().code(), StatusCode::kFailedPrecondition);
      EXPECT_THAT(std::string(refused.status().message()), HasSubstr("locked by pid 1"));
    }
  }
  {
    const auto one = vfs_->Lock(path, "pid 3", LockMode::kShared);
    ASSERT_TRUE(one.ok()) << one.status().ToString();
    const auto two = vfs_->Lock(path, "pid 4", LockMode::kShared);
    ASSERT_TRUE(two.ok()) << two.status().ToString();
    const auto refused = vfs_->Lock(path, "pid 5");
    ASSERT_EQ(refused.status().code(), StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr("a process that reads it"));
  }
  // Shared locks have left the text of the last exclusive one.
  EXPECT_EQ(ContentsOf(**vfs_->Open(path, OpenMode::kRead)), "pid 1");
  EXPECT_TRUE(vfs_->Lock(path, "pid 6").ok());
}

TEST_P(VfsTest, KnowsTheLimits) {
  EXPECT_GT(*vfs_->FreeSpace(directory_), 0U);
  EXPECT_EQ(vfs_->FreeSpace(At("none")).status().code(), StatusCode::kNotFound);
  EXPECT_GT(vfs_->MaxOpenFiles(), 2U);
}

TEST_P(VfsTest, ADirectoryIsRenamedWithWhatIsInIt) {
  ASSERT_TRUE(vfs_->CreateDirectory(At("old")).ok());
  Make("old/file", "contents");
  ASSERT_TRUE(vfs_->Rename(At("old"), At("new")).ok());
  EXPECT_EQ((*vfs_->Map(At("new/file")))->bytes(), "contents");
  EXPECT_FALSE(vfs_->RemoveDirectory(At("new")).ok());
  ASSERT_TRUE(vfs_->Remove(At("new/file")).ok());
  EXPECT_TRUE(vfs_->RemoveDirectory(At("new")).ok());
}

INSTANTIATE_TEST_SUITE_P(
    Implementations, VfsTest,
    ::testing::Values(
        VfsCase{"Posix", &PosixVfs},
        VfsCase{"InMemory",
                []() -> std::shared_ptr<Vfs> { return std::make_shared<InMemoryVfs>(); }},
        VfsCase{"Fault", []() -> std::shared_ptr<Vfs> { return std::make_shared<FaultVfs>(); }},
        VfsCase{"Recording",
                []() -> std::shared_ptr<Vfs> {
                  return std::make_shared<RecordingVfs>(std::make_shared<InMemoryVfs>());
                }}),
    [](const auto& tested) { return tested.param.name; });

TEST(PosixVfs, ASharedLockInAReadOnlyDirectoryCreatesNothing) {
  if (::geteuid() == 0) GTEST_SKIP() << "nothing is read-only to root";
  const TempDirectory directory;
  ASSERT_EQ(::chmod(directory.path().c_str(), 0555), 0);
  const std::string path = directory.path() + "/LOCK";
  EXPECT_TRUE(PosixVfs()->Lock(path, "pid 1", LockMode::kShared).ok());
  EXPECT_EQ(PosixVfs()->Lock(path, "pid 1").status().code(), StatusCode::kPermissionDenied);
  EXPECT_TRUE(PosixVfs()->List(directory.path())->empty());
  ASSERT_EQ(::chmod(directory.path().c_str(), 0755), 0);
}

TEST(PosixVfs, AMappingNeedsNoFileDescriptor) {
  const TempDirectory directory;
  auto file = *PosixVfs()->Open(directory.path() + "/file", OpenMode::kCreateNew);
  const std::string_view contents = "contents";
  ASSERT_TRUE(file->Write(0, {&contents, 1}).ok());
  const auto open_files = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  const auto before = open_files();
  const auto mapping = PosixVfs()->Map(directory.path() + "/file");
  ASSERT_TRUE(mapping.ok());
  EXPECT_EQ(open_files(), before);
}

}  // namespace
}  // namespace weir::kv
