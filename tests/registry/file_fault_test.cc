// A file:// registry under faults. The numbers are those of the faults of ZooKeeper in
// docs/registry.md.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <system_error>

#include "registry/watched.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace weir::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr seconds kHealing{3};

class FileFaultTest : public ::testing::Test {
 protected:
  std::string Root() const { return directory_.Path("registry"); }
  std::string Url() const { return "file://" + Root(); }
  std::string NodePath(const std::string& address) const { return Root() + "/a.A/" + address; }
  std::unique_ptr<Process> StartProvider(const std::string& address, int weight) const {
    return std::make_unique<Process>(std::vector<std::string>{WEIR_TEST_PROVIDER, Url(), "a.A",
                                                              address, std::to_string(weight)});
  }
  static ino_t Inode(const std::string& path) {
    struct stat status;
    return ::stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
  }

  TempDir directory_;
};

TEST_F(FileFaultTest, R2_ARestartedProviderIsNotSweptWithItsPredecessor) {
  const auto registry = OpenOrDie(Url());
  Watched watched(*registry, "a.A");
  auto provider = StartProvider("h:1", 1);
  ASSERT_TRUE(watched.Becomes({{"h:1", 1}}));
  provider->Kill();
  provider = StartProvider("h:1", 2);
  ASSERT_TRUE(watched.Becomes({{"h:1", 2}}, seconds(2)));
  const ino_t node = Inode(NodePath("h:1"));
  // Longer than every delayed probe of the predecessor's death.
  EXPECT_FALSE(WaitUntil([&] { return Inode(NodePath("h:1")) != node; }, milliseconds(500)));
  EXPECT_TRUE(watched.Becomes({{"h:1", 2}}));
}

TEST_F(FileFaultTest, R3_AProviderThatSleptPutsThingsRightWhenItWakes) {
  const auto registry = OpenOrDie(Url());
  Watched watched(*registry, "a.A");
  const auto provider = StartProvider("h:1", 1);
  ASSERT_TRUE(watched.Becomes({{"h:1", 1}}));
  provider->Signal(SIGSTOP);
  // It lives, and its connections tell who cannot answer.
  EXPECT_TRUE(registry->Reweigh("a.A", "h:1", 5).ok());
  EXPECT_TRUE(watched.Becomes({{"h:1", 5}}));
  std::filesystem::remove(NodePath("h:1"));
  EXPECT_TRUE(watched.Becomes({}));
  provider->Signal(SIGCONT);
  EXPECT_TRUE(watched.Becomes({{"h:1", 5}}, kHealing));
}

TEST_F(FileFaultTest, R9_AWipedDirectoryIsRebuiltByTheProviders) {
  const auto registry = OpenOrDie(Url());
  std::vector<std::unique_ptr<Process>> providers;
  std::vector<Provider> all;
  for (int i = 1; i <= 4; ++i) {
    providers.push_back(StartProvider("h:" + std::to_string(i), i));
    all.push_back({"h:" + std::to_string(i), i});
  }
  Watched watched(*registry, "a.A");
  ASSERT_TRUE(watched.Becomes(all));
  for (int round = 0; round < 10; ++round) {
    const ino_t node = Inode(NodePath("h:1"));
    std::ifstream held(NodePath("h:1"));  // so that no new file gets its number
    std::error_code ignored;              // the providers may already be at work again
    std::filesystem::remove_all(Root(), ignored);
    EXPECT_TRUE(WaitUntil(
        [&] { return Inode(NodePath("h:1")) != 0 && Inode(NodePath("h:1")) != node; }, kHealing));
    EXPECT_TRUE(watched.Becomes(all, kHealing));
    EXPECT_TRUE(WaitUntil([&] { return registry->Inspect("a.A")->size() == 4; }, kHealing));
  }
}

TEST_F(FileFaultTest, R9_AMovedDirectoryIsRebuiltAtItsPlace) {
  const auto registry = OpenOrDie(Url());
  const auto provider = StartProvider("h:1", 3);
  Watched watched(*registry, "a.A");
  ASSERT_TRUE(watched.Becomes({{"h:1", 3}}));
  std::filesystem::rename(Root(), directory_.Path("elsewhere"));
  EXPECT_TRUE(WaitUntil([&] { return std::filesystem::exists(NodePath("h:1")); }, kHealing));
  EXPECT_TRUE(registry->Reweigh("a.A", "h:1", 4).ok());
  EXPECT_TRUE(watched.Becomes({{"h:1", 4}}, kHealing));
}

TEST_F(FileFaultTest, WhatIsKnownStaysInUseWhileTheDirectoryIsGone) {
  LogLines log;
  const auto registry = OpenOrDie(Url());
  Watched watched(*registry, "a.A");
  const auto provider = StartProvider("h:1", 3);
  ASSERT_TRUE(watched.Becomes({{"h:1", 3}}));
  EXPECT_TRUE(registry->health().connected);
  const auto before = std::chrono::steady_clock::now();
  provider->Signal(SIGSTOP);  // it would make the directory again
  std::filesystem::rename(Root(), directory_.Path("elsewhere"));
  // The registry itself may have been faster.
  for (bool replaced = false; !replaced;) {
    std::error_code error;
    std::filesystem::remove_all(Root(), error);
    replaced = ::symlink("/nonexistent/place", Root().c_str()) == 0;
  }
  EXPECT_TRUE(WaitUntil([&] { return !registry->health().connected; }, kHealing));
  const RegistryHealth health = registry->health();
  EXPECT_THAT(health.trouble, HasSubstr(Root()));
  EXPECT_GE(health.since, before);
  EXPECT_EQ(registry->counters().disconnections, 1u);
  const auto entries = registry->Inspect("a.A");
  EXPECT_EQ(entries.status().code(), StatusCode::kUnavailable) << entries.status().ToString();
  EXPECT_THAT(entries.status().ToString(), HasSubstr(Root()));
  EXPECT_FALSE(registry->Services().ok());
  EXPECT_FALSE(WaitUntil([&] { return watched.All().back()->size() != 1; }, milliseconds(1500)));
  std::filesystem::remove(Root());
  provider->Signal(SIGCONT);
  EXPECT_TRUE(WaitUntil([&] { return registry->health().connected; }, kHealing));
  EXPECT_TRUE(registry->health().trouble.empty());
  EXPECT_TRUE(WaitUntil([&] { return registry->Inspect("a.A")->size() == 1; }, kHealing));
  EXPECT_TRUE(watched.Becomes({{"h:1", 3}}));
  EXPECT_EQ(log.Count("what is known stays in use"), 1u) << log.All();
  EXPECT_EQ(log.Count("can be read again"), 1u) << log.All();
}

TEST_F(FileFaultTest, WhatIsKnownStaysInUseWhileNoDescriptorIsLeft) {
  const auto registry = OpenOrDie(Url());
  Watched watched(*registry, "a.A");
  const auto provider = StartProvider("h:1", 3);
  ASSERT_TRUE(watched.Becomes({{"h:1", 3}}));
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  rlimit none = limit;
  none.rlim_cur = 3;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  provider->Write("weight 4\n");
  EXPECT_TRUE(WaitUntil([&] { return !registry->health().connected; }, kHealing));
  EXPECT_EQ(watched.All().back()->size(), 1u);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_TRUE(watched.Becomes({{"h:1", 4}}, kHealing));
  EXPECT_TRUE(registry->health().connected);
  // Never empty once the provider was known.
  bool known = false;
  for (const ProviderList& list : watched.All()) {
    EXPECT_TRUE(!known || !list->empty());
    known = !list->empty();
  }
}

TEST_F(FileFaultTest, R10_WhatOperatorsDoIsTakenOrPutRight) {
  const auto registry = OpenOrDie(Url());
  Watched watched(*registry, "a.A");
  const auto provider = StartProvider("h:1", 3);
  ASSERT_TRUE(watched.Becomes({{"h:1", 3}}));
  for (const auto& [text, weight] :
       {std::pair{"abc\n", 100}, {"0\n", 0}, {"100000\n", 100}, {"-1\n", 100}, {"9", 9}}) {
    std::ofstream(NodePath("h:1")) << text;
    EXPECT_TRUE(watched.Becomes({{"h:1", weight}})) << text;
  }
  std::filesystem::remove(NodePath("h:1"));
  EXPECT_TRUE(WaitUntil([&] { return std::filesystem::exists(NodePath("h:1")); }, kHealing));
  EXPECT_TRUE(watched.Becomes({{"h:1", 9}}, kHealing));
  std::error_code ignored;
  std::filesystem::remove_all(Root() + "/a.A", ignored);
  EXPECT_TRUE(WaitUntil([&] { return std::filesystem::exists(NodePath("h:1")); }, kHealing));
  EXPECT_TRUE(watched.Becomes({{"h:1", 9}}, kHealing));
}

TEST_F(FileFaultTest, R13_AProviderThatMayNotWriteSaysSoOnceAndRegistersWhenItMay) {
  LogLines log;
  std::filesystem::create_directories(Root());
  std::ofstream(Root() + "/a.A") << "in the way";
  const auto registry = OpenOrDie(Url());
  const auto registration = registry->Register({.service = "a.A", .address = "h:1", .weight = 3});
  const Status status = registry->WaitUntilRegistered(1500);
  EXPECT_EQ(status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(status.ToString(), HasSubstr("cannot create " + Root() + "/a.A"));
  EXPECT_EQ(log.Count("cannot create"), 1u) << log.All();
  std::filesystem::remove(Root() + "/a.A");
  EXPECT_TRUE(registry->WaitUntilRegistered(3000).ok());
}

TEST_F(FileFaultTest, AFullDiskIsNamedAndWaitedFor) {
  std::filesystem::create_directories(Root());
  if (::mount("tmpfs", Root().c_str(), "tmpfs", 0, "size=64k") != 0) {
    GTEST_SKIP() << "no right to mount a small file system";
  }
  {
    const auto registry = OpenOrDie(Url());
    Watched watched(*registry, "a.A");
    const auto standing = registry->Register({.service = "a.A", .address = "h:1", .weight = 3});
    EXPECT_TRUE(registry->WaitUntilRegistered(3000).ok());
    const std::string filler = Root() + "/filler";
    std::ofstream(filler) << std::string(1 << 17, 'x') << std::flush;
    const auto waiting = registry->Register({.service = "a.A", .address = "h:2", .weight = 4});
    const Status status = registry->WaitUntilRegistered(1000);
    EXPECT_EQ(status.code(), StatusCode::kDeadlineExceeded);
    EXPECT_THAT(status.ToString(), HasSubstr("No space left on device"));
    (*standing)->SetWeight(5);
    EXPECT_TRUE(watched.Becomes({{"h:1", 5}}));
    std::filesystem::remove(filler);
    EXPECT_TRUE(registry->WaitUntilRegistered(3000).ok());
    EXPECT_TRUE(watched.Becomes({{"h:1", 5}, {"h:2", 4}}));
  }
  EXPECT_EQ(::umount2(Root().c_str(), MNT_DETACH), 0);
}

// Nodes of ten thousand providers that are all this process.
class ManyNodes {
 public:
  ManyNodes(const std::string& directory, int count) {
    std::filesystem::create_directories(directory);
    for (int i = 0; i < count; ++i) {
      const std::string path = directory + "/h:" + std::to_string(i + 1);
      const int node = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
      if (node < 0) break;
      ::flock(node, LOCK_EX | LOCK_NB);
      nodes_.push_back(node);
      EXPECT_EQ(::pwrite(node, "5\n", 2, 0), 2);
    }
  }
  ~ManyNodes() {
    for (const int node : nodes_) ::close(node);
  }
  ManyNodes(const ManyNodes&) = delete;
  ManyNodes& operator=(const ManyNodes&) = delete;
  std::size_t size() const { return nodes_.size(); }

 private:
  std::vector<int> nodes_;
};

TEST_F(FileFaultTest, TenThousandProvidersAreReadAndChangesOfOneSeenSoon) {
  constexpr int kCount = 10'000;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, kCount + 1000);
  ::setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < kCount + 1000) GTEST_SKIP() << "too few descriptors are allowed";
  auto nodes = std::make_unique<ManyNodes>(Root() + "/a.A", kCount);
  ASSERT_EQ(nodes->size(), static_cast<std::size_t>(kCount));
  const auto registry = OpenOrDie(Url());
  Watched watched(*registry, "a.A");
  ASSERT_TRUE(WaitUntil(
      [&] { return !watched.All().empty() && watched.All().back()->size() == kCount; }, kPatience));
  EXPECT_TRUE(registry->Reweigh("a.A", "h:7", 6).ok());
  EXPECT_TRUE(WaitUntil(
      [&] {
        const ProviderList list = watched.All().back();
        return std::find(list->begin(), list->end(), Provider{"h:7", 6}) != list->end();
      },
      kPatience));
  EXPECT_EQ(registry->Inspect("a.A")->size(), static_cast<std::size_t>(kCount));
  nodes.reset();
  EXPECT_TRUE(WaitUntil([&] { return watched.All().back()->empty(); }, kPatience));
  // Far fewer lists than events: they were gathered.
  EXPECT_LT(watched.All().size(), 200u);
}

}  // namespace
}  // namespace weir::testing
