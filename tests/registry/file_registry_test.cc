#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <system_error>

#include "registry/watched.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace weir::testing {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

class FileRegistryTest : public ::testing::Test {
 protected:
  std::string Url() const { return "file://" + directory_.Path("registry"); }
  std::string NodePath(const std::string& address) const {
    return directory_.Path("registry/a.A/" + address);
  }
  std::unique_ptr<Process> StartProvider(const std::string& address, int weight) const {
    return std::make_unique<Process>(std::vector<std::string>{WEIR_TEST_PROVIDER, Url(), "a.A",
                                                              address, std::to_string(weight)});
  }
  static std::string Content(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  TempDir directory_;
};

TEST_F(FileRegistryTest, MakesItsDirectoryAndFollowsProvidersOfOtherProcesses) {
  const auto registry = OpenOrDie(Url());
  Watched watched(*registry, "a.A");
  EXPECT_TRUE(watched.Becomes({}));
  const auto one = StartProvider("h:1", 3);
  EXPECT_TRUE(watched.Becomes({{"h:1", 3}}));
  const auto two = StartProvider("[::1]:2", -1);
  EXPECT_TRUE(watched.Becomes({{"[::1]:2", 100}, {"h:1", 3}}));
  EXPECT_EQ(Content(NodePath("h:1")), "3\n");
  EXPECT_EQ(Content(NodePath("[::1]:2")), "-1\n");
  one->Write("weight 0\n");
  EXPECT_TRUE(watched.Becomes({{"[::1]:2", 100}, {"h:1", 0}}));
  one->Write("weight 10000\n");
  EXPECT_TRUE(watched.Becomes({{"[::1]:2", 100}, {"h:1", 10000}}));
  two->Write("quit\n");
  EXPECT_TRUE(watched.Becomes({{"h:1", 10000}}));
  EXPECT_EQ(*registry->Services(), std::vector<std::string>{"a.A"});
  EXPECT_EQ(two->Wait(kPatience), 0);
}

TEST_F(FileRegistryTest, HoldsUnixSocketsUnderNamesThatFilesMayHave) {
  const auto registry = OpenOrDie(Url());
  Watched watched(*registry, "a.A");
  auto one =
      registry->Register({.service = "a.A", .address = "unix:/run/weir/a.sock", .weight = 3});
  ASSERT_TRUE(one.ok()) << one.status().ToString();
  const auto two = registry->Register({.service = "a.A", .address = "unix:@name"});
  ASSERT_TRUE(two.ok()) << two.status().ToString();
  EXPECT_TRUE(watched.Becomes({{"unix:/run/weir/a.sock", 3}, {"unix:@name", 100}}));
  EXPECT_EQ(Content(NodePath("unix:%2Frun%2Fweir%2Fa.sock")), "3\n");
  EXPECT_TRUE(registry->Reweigh("a.A", "unix:/run/weir/a.sock", 7).ok());
  EXPECT_TRUE(watched.Becomes({{"unix:/run/weir/a.sock", 7}, {"unix:@name", 100}}));
  const auto entries = registry->Inspect("a.A");
  ASSERT_TRUE(entries.ok());
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ(entries->front().address, "unix:/run/weir/a.sock");
  one->reset();
  EXPECT_TRUE(watched.Becomes({{"unix:@name", 100}}));
}

TEST_F(FileRegistryTest, AConsumerThatComesLaterSeesWhoIsThere) {
  const auto provider = StartProvider("h:1", 3);
  ASSERT_TRUE(provider->WaitForLine("registered", kPatience));
  const auto registry = OpenOrDie(Url());
  Watched watched(*registry, "a.A");
  EXPECT_TRUE(watched.Becomes({{"h:1", 3}}));
  EXPECT_EQ(watched.All().size(), 1u);
}

TEST_F(FileRegistryTest, KillMinusNineRemovesTheProviderAtOnce) {
  const auto registry = OpenOrDie(Url());
  Watched watched(*registry, "a.A");
  const auto provider = StartProvider("h:1", 3);
  ASSERT_TRUE(watched.Becomes({{"h:1", 3}}));
  provider->Kill();
  // Far below the reconciliation's 30 s: it is the death itself that was seen.
  EXPECT_TRUE(watched.Becomes({}, milliseconds(2000)));
  EXPECT_TRUE(WaitUntil([&] { return !std::filesystem::exists(NodePath("h:1")); }, kPatience));
}

TEST_F(FileRegistryTest, ARestartOnTheSamePortTakesOver) {
  const auto registry = OpenOrDie(Url());
  Watched watched(*registry, "a.A");
  for (int weight = 1; weight <= 5; ++weight) {
    const auto provider = StartProvider("h:1", weight);
    ASSERT_TRUE(provider->WaitForLine("registered", kPatience)) << provider->Output();
    ASSERT_TRUE(watched.Becomes({{"h:1", weight}}));
    provider->Kill();
  }
  EXPECT_TRUE(watched.Becomes({}));
}

TEST_F(FileRegistryTest, ARestartTakesOverAStaleFileThatNobodySwept) {
  {
    const auto provider = StartProvider("h:1", 1);
    ASSERT_TRUE(provider->WaitForLine("registered", kPatience));
    provider->Kill();
  }
  ASSERT_TRUE(std::filesystem::exists(NodePath("h:1")));
  const auto provider = StartProvider("h:1", 2);
  ASSERT_TRUE(provider->WaitForLine("registered", kPatience)) << provider->Output();
  EXPECT_EQ(Content(NodePath("h:1")), "2\n");
}

TEST_F(FileRegistryTest, TwoLivingProcessesCannotHoldOneAddress) {
  LogLines log;
  const auto first = StartProvider("h:1", 3);
  ASSERT_TRUE(first->WaitForLine("registered", kPatience));
  const auto registry = OpenOrDie(Url());
  Watched watched(*registry, "a.A");
  const auto second = registry->Register({.service = "a.A", .address = "h:1", .weight = 7});
  ASSERT_TRUE(second.ok());
  const Status status = registry->WaitUntilRegistered(100);
  EXPECT_EQ(status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(status.ToString(), HasSubstr("two processes claim h:1 for a.A"));
  EXPECT_TRUE(WaitUntil([&] { return log.Count("two processes claim h:1") == 1; }, kPatience));
  EXPECT_TRUE(watched.Becomes({{"h:1", 3}}));
  // The one that waits takes over when the other is gone.
  first->Kill();
  EXPECT_TRUE(registry->WaitUntilRegistered(20'000).ok());
  EXPECT_TRUE(watched.Becomes({{"h:1", 7}}));
  EXPECT_EQ(log.Count("two processes claim h:1"), 1u) << log.All();
}

TEST_F(FileRegistryTest, AFileTheOperatorRemovedComesBack) {
  const auto registry = OpenOrDie(Url());
  const auto registration = registry->Register({.service = "a.A", .address = "h:1", .weight = 3});
  ASSERT_TRUE(registry->WaitUntilRegistered(20'000).ok());
  Watched watched(*registry, "a.A");
  ASSERT_TRUE(watched.Becomes({{"h:1", 3}}));
  std::filesystem::remove(NodePath("h:1"));
  EXPECT_TRUE(WaitUntil([&] { return registry->counters().restorations == 1; }, kPatience));
  std::error_code ignored;  // the registry may already be at work again
  std::filesystem::remove_all(directory_.Path("registry"), ignored);
  EXPECT_TRUE(WaitUntil([&] { return Content(NodePath("h:1")) == "3\n"; }, kPatience));
  EXPECT_TRUE(watched.Becomes({{"h:1", 3}}));
}

TEST_F(FileRegistryTest, JunkIsIgnoredCountedAndReportedOnce) {
  LogLines log;
  std::filesystem::create_directories(directory_.Path("registry/a.A/folder:1"));
  std::ofstream(NodePath("README")) << "hello";
  std::ofstream(NodePath("h:00080")) << "1";
  std::ofstream(NodePath("dead:1")) << "5";
  const auto registry = OpenOrDie(Url());
  const auto provider = StartProvider("h:1", 3);
  Watched watched(*registry, "a.A");
  ASSERT_TRUE(watched.Becomes({{"h:1", 3}}));
  EXPECT_EQ(registry->counters().ignored_names, 2u);
  // The operator writes nonsense into the living provider's file, then a weight.
  std::ofstream(NodePath("h:1")) << "abc\n";
  EXPECT_TRUE(watched.Becomes({{"h:1", 100}}));
  std::ofstream(NodePath("h:1")) << "100000\n";
  EXPECT_TRUE(WaitUntil([&] { return registry->counters().rejected_weights == 2; }, kPatience));
  std::ofstream(NodePath("h:1")) << "";
  EXPECT_TRUE(WaitUntil([&] { return registry->counters().rejected_weights == 3; }, kPatience));
  std::ofstream(NodePath("h:1")) << "42\n";
  EXPECT_TRUE(watched.Becomes({{"h:1", 42}}));
  EXPECT_EQ(log.Count("'README' that is no host:port"), 1u) << log.All();
  EXPECT_EQ(log.Count("weight 'abc' of h:1"), 1u) << log.All();
  EXPECT_EQ(log.Count("folder:1"), 0u) << log.All();
  for (const ProviderList& list : watched.All()) EXPECT_LE(list->size(), 1u);
  EXPECT_TRUE(WaitUntil([&] { return !std::filesystem::exists(NodePath("dead:1")); }, kPatience));
}

TEST_F(FileRegistryTest, ADirectoryThatCannotBeMadeIsAClearError) {
  std::ofstream(directory_.Path("registry")) << "a file";
  const auto registry = Registries().Open(Url());
  EXPECT_EQ(registry.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(registry.status().ToString(), HasSubstr(directory_.Path("registry")));
}

}  // namespace
}  // namespace weir::testing
