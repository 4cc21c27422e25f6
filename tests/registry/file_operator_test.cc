// What operators do to a file:// registry: facts, Inspect, Reweigh, health.
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

class FileOperatorTest : public ::testing::Test {
 protected:
  std::string Root() const { return directory_.Path("registry"); }
  std::string Url() const { return "file://" + Root(); }
  std::string NodePath(const std::string& address) const { return Root() + "/a.A/" + address; }
  std::string FactsPath(const std::string& address) const {
    return Root() + "/.meta/a.A/" + address;
  }
  std::unique_ptr<Process> StartProvider(const std::string& address, int weight) const {
    return std::make_unique<Process>(std::vector<std::string>{WEIR_TEST_PROVIDER, Url(), "a.A",
                                                              address, std::to_string(weight)});
  }
  static std::string Content(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static std::vector<ProviderEntry> Inspect(Registry& registry) {
    auto entries = registry.Inspect("a.A");
    EXPECT_TRUE(entries.ok()) << entries.status().ToString();
    return entries.ok() ? *std::move(entries) : std::vector<ProviderEntry>();
  }

  TempDir directory_;
};

TEST_F(FileOperatorTest, FactsComeAndGoWithTheNode) {
  const auto registry = OpenOrDie(Url());
  auto registration = registry->Register(
      {.service = "a.A", .address = "h:1", .weight = 3, .facts = {{"version", "1.2"}}});
  ASSERT_TRUE(registry->WaitUntilRegistered(20'000).ok());
  const auto before = std::chrono::system_clock::now();
  auto entries = Inspect(*OpenOrDie(Url()));
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].address, "h:1");
  EXPECT_EQ(entries[0].weight_text, "3");
  EXPECT_EQ(entries[0].weight, 3);
  EXPECT_EQ(entries[0].facts.at("version"), "1.2");
  EXPECT_GT(std::stoll(entries[0].facts.at("started")), 1'500'000'000'000);
  ASSERT_TRUE(entries[0].since);
  EXPECT_LE(*entries[0].since, before);
  EXPECT_GT(*entries[0].since, before - std::chrono::minutes(1));
  // Those who read only the tree see what they always saw.
  EXPECT_EQ(Content(NodePath("h:1")), "3\n");
  EXPECT_EQ(*registry->Services(), std::vector<std::string>{"a.A"});
  registration->reset();
  EXPECT_TRUE(WaitUntil([&] { return !std::filesystem::exists(NodePath("h:1")); }, kPatience));
  EXPECT_FALSE(std::filesystem::exists(FactsPath("h:1")));
  EXPECT_TRUE(Inspect(*registry).empty());
}

TEST_F(FileOperatorTest, FactsOfAKilledProviderAreSweptAndNeverTakenForItsSuccessors) {
  const auto registry = OpenOrDie(Url());
  {
    const auto provider = StartProvider("h:1", 3);
    ASSERT_TRUE(provider->WaitForLine("registered", kPatience)) << provider->Output();
    EXPECT_TRUE(std::filesystem::exists(FactsPath("h:1")));
    provider->Kill();
  }
  std::ofstream(FactsPath("h:1")) << R"({"version":"of the dead"})";
  EXPECT_TRUE(Inspect(*registry).empty());
  const auto heir = StartProvider("h:1", 4);
  ASSERT_TRUE(heir->WaitForLine("registered", kPatience)) << heir->Output();
  auto entries = Inspect(*registry);
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].facts.count("version"), 0u);
  Watched watched(*registry, "a.A");
  heir->Kill();
  EXPECT_TRUE(WaitUntil([&] { return !std::filesystem::exists(NodePath("h:1")); }, kPatience));
  EXPECT_FALSE(std::filesystem::exists(FactsPath("h:1")));
}

TEST_F(FileOperatorTest, JunkInTheFactsHarmsNobody) {
  const auto registry = OpenOrDie(Url());
  const auto provider = StartProvider("h:1", 3);
  ASSERT_TRUE(provider->WaitForLine("registered", kPatience));
  for (const std::string& junk :
       {std::string("abc"), std::string("[[["), std::string(1 << 20, '{'), std::string()}) {
    std::ofstream(FactsPath("h:1")) << junk;
    const auto entries = Inspect(*registry);
    ASSERT_EQ(entries.size(), 1u);
    EXPECT_TRUE(entries[0].facts.empty());
  }
  std::filesystem::remove(FactsPath("h:1"));
  std::filesystem::create_directory(FactsPath("h:1"));
  EXPECT_EQ(Inspect(*registry).size(), 1u);
}

TEST_F(FileOperatorTest, ReweighChangesAnotherProcessesProviderAndOutlivesItsNode) {
  const auto provider = StartProvider("h:1", 100);
  const auto registry = OpenOrDie(Url());
  Watched watched(*registry, "a.A");
  ASSERT_TRUE(watched.Becomes({{"h:1", 100}}));
  EXPECT_TRUE(registry->Reweigh("a.A", "h:1", 7).ok());
  EXPECT_TRUE(watched.Becomes({{"h:1", 7}}));
  EXPECT_EQ(Content(NodePath("h:1")), "7\n");
  // The provider has taken it over: the node made anew holds it.
  std::filesystem::remove(NodePath("h:1"));
  EXPECT_TRUE(WaitUntil([&] { return Content(NodePath("h:1")) == "7\n"; }, kPatience));
  EXPECT_TRUE(watched.Becomes({{"h:1", 7}}));
  // So it has when both happen at once.
  for (const int weight : {8, 9, 10}) {
    EXPECT_TRUE(registry->Reweigh("a.A", "h:1", weight).ok());
    std::error_code ignored;  // the provider may already be at work again
    std::filesystem::remove_all(Root() + "/a.A", ignored);
    EXPECT_TRUE(watched.Becomes({{"h:1", weight}}));
    EXPECT_TRUE(WaitUntil([&] { return Content(NodePath("h:1")) == std::to_string(weight) + "\n"; },
                          kPatience));
  }
  // A provider's own change comes last.
  provider->Write("weight 3\n");
  EXPECT_TRUE(watched.Becomes({{"h:1", 3}}));
  std::filesystem::remove(NodePath("h:1"));
  EXPECT_TRUE(WaitUntil([&] { return Content(NodePath("h:1")) == "3\n"; }, kPatience));
  // What is no weight is nothing to keep.
  std::ofstream(NodePath("h:1")) << "abc\n";
  EXPECT_TRUE(watched.Becomes({{"h:1", 100}}));
  EXPECT_EQ(Inspect(*registry).at(0).weight_text, "abc");
  std::filesystem::remove(NodePath("h:1"));
  EXPECT_TRUE(watched.Becomes({{"h:1", 3}}));
}

TEST_F(FileOperatorTest, ReweighSaysWhatIsWrong) {
  const auto registry = OpenOrDie(Url());
  const auto provider = StartProvider("h:1", 100);
  ASSERT_TRUE(provider->WaitForLine("registered", kPatience));
  EXPECT_EQ(registry->Reweigh("a.A", "h:1", -2).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(registry->Reweigh("a.A", "h:1", 10'001).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(registry->Reweigh("a/A", "h:1", 1).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(registry->Reweigh("a.A", "h", 1).code(), StatusCode::kInvalidArgument);
  for (const Status& status :
       {registry->Reweigh("a.A", "h:2", 1), registry->Reweigh("b.B", "h:1", 1)}) {
    EXPECT_EQ(status.code(), StatusCode::kNotFound);
    EXPECT_THAT(status.ToString(), HasSubstr(Root()));
  }
  provider->Kill();
  const Status ended = registry->Reweigh("a.A", "h:1", 1);
  EXPECT_EQ(ended.code(), StatusCode::kNotFound);
  EXPECT_THAT(ended.ToString(), HasSubstr(NodePath("h:1") + " has ended"));
  // Nothing is made or written by an attempt in vain.
  EXPECT_EQ(Content(NodePath("h:1")), "100\n");
  EXPECT_FALSE(std::filesystem::exists(NodePath("h:2")));
}

TEST_F(FileOperatorTest, AMillionBytesInANodeAreJunkOfWhichLittleIsRead) {
  const auto registry = OpenOrDie(Url());
  const auto provider = StartProvider("h:1", 5);
  Watched watched(*registry, "a.A");
  ASSERT_TRUE(watched.Becomes({{"h:1", 5}}));
  std::ofstream(NodePath("h:1")) << std::string(1 << 20, '7');
  EXPECT_TRUE(watched.Becomes({{"h:1", 100}}));
  EXPECT_LE(Inspect(*registry).at(0).weight_text.size(), 64u);
  EXPECT_TRUE(registry->Reweigh("a.A", "h:1", 6).ok());
  EXPECT_TRUE(watched.Becomes({{"h:1", 6}}));
  EXPECT_EQ(Content(NodePath("h:1")), "6\n");
}

}  // namespace
}  // namespace weir::testing
