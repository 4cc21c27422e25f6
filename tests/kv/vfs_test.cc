// What every Vfs promises, of the operating system's files and of those in memory.
#include "weir/kv/vfs.h"

#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

TEST_P(VfsTest, PreparedAppendsAreInTheFileLikeAnyOthers) {
  const auto file = Make("file", "abc");
  const Status prepared = file->PrepareAppends(3, 10'000);
  if (prepared.code() == StatusCode::kUnimplemented) GTEST_SKIP() << prepared.message();
  ASSERT_TRUE(prepared.ok()) << prepared.ToString();
  EXPECT_EQ(ContentsOf(*file), "abc" + std::string(9'997, '\0'));
  std::string expected = "abc";
  while (expected.size() < 9'990) {
    const std::string_view pieces[] = {"one", "", "two"};
    ASSERT_TRUE(file->Write(expected.size(), pieces).ok());
    expected += "onetwo";
  }
  EXPECT_EQ(ContentsOf(*file), expected + std::string(10'000 - expected.size(), '\0'));
  // One that reaches beyond what was prepared, then again within.
  const std::string_view piece = "beyond the end";
  ASSERT_TRUE(file->Write(expected.size(), {&piece, 1}).ok());
  expected += piece;
  EXPECT_EQ(ContentsOf(*file), expected);
  ASSERT_TRUE(file->PrepareAppends(expected.size(), 300'000).ok());
  const std::string large(100'000, 'x');
  const std::string_view large_piece = large;
  ASSERT_TRUE(file->Write(expected.size(), {&large_piece, 1}).ok());
  expected += large;
  ASSERT_TRUE(file->Sync().ok());
  ASSERT_TRUE(file->Truncate(expected.size()).ok());
  ASSERT_TRUE(file->Write(expected.size(), {&piece, 1}).ok());
  expected += piece;
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_EQ(ContentsOf(**vfs_->Open(At("file"), OpenMode::kRead)), expected);
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

// What a child process does on a device of its own of 256 KiB: appends until it is full. Returns
// what is wrong, or nothing; kNoDevice if there is none to be had.
constexpr std::string_view kNoDevice = "no device";
std::string FillADevice(const std::string& directory) {
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("none", directory.c_str(), "tmpfs", 0, "size=256k") != 0) {
    return std::string(kNoDevice);
  }
  auto file = PosixVfs()->Open(directory + "/file", OpenMode::kCreateNew);
  if (!file.ok()) return file.status().ToString();
  std::string expected;
  const std::string record(1000, 'r');
  const std::string_view piece = record;
  Status status;
  for (std::uint64_t prepared = 0; status.ok();) {
    if (expected.size() + record.size() > prepared) {
      prepared = expected.size() + 64 * 1024;
      (void)(*file)->PrepareAppends(expected.size(), prepared);
    }
    status = (*file)->Write(expected.size(), {&piece, 1});
    if (status.ok()) expected += record;
  }
  if (status.code() != StatusCode::kResourceExhausted) return status.ToString();
  if (expected.size() < 200'000) return "full at " + std::to_string(expected.size());
  std::string contents(expected.size(), '?');
  const auto read = (*file)->Read(0, contents.data(), contents.size());
  return read.ok() && contents == expected ? "" : "what was written is not there";
}

TEST(PosixVfs, PreparedAppendsOnAFullDeviceFailAndDoNotKill) {
  const TempDirectory directory;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const std::string wrong = FillADevice(directory.path());
    std::cerr << wrong << std::endl;
    ::_exit(wrong.empty() ? 0 : wrong == kNoDevice ? 2 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << "killed by signal " << WTERMSIG(status);
  if (WEXITSTATUS(status) == 2) GTEST_SKIP() << "this process may not mount";
  EXPECT_EQ(WEXITSTATUS(status), 0);
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
