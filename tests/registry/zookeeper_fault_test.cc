// zk:// when things die: servers, sessions, providers. Numbers are those of the registry's table of
// cases (docs/registry.md).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "registry/watched.h"
#include "registry/zk_operator.h"
#include "support/process.h"
#include "support/zookeeper_server.h"

namespace weir::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;

constexpr int kTimeoutMs = 1500;
constexpr const char* kNode = "/rpc/a.A/h:1";

class ZooKeeperFaultTest : public ::testing::Test {
 protected:
  std::string Url() const { return server_.Url("/rpc", kTimeoutMs); }
  std::unique_ptr<Process> StartProvider(const std::string& address, int weight) const {
    return std::make_unique<Process>(std::vector<std::string>{WEIR_TEST_PROVIDER, Url(), "a.A",
                                                              address, std::to_string(weight)});
  }
  // The session that owns the node, as the server itself says; 0 when it is not there.
  std::uint64_t Owner(const std::string& path) const {
    const auto nodes = server_.Ephemerals();
    const auto node = nodes.find(path);
    return node != nodes.end() ? node->second : 0;
  }

  ZooKeeperServer server_;
};

TEST_F(ZooKeeperFaultTest, AWatchBeginsToTellWhenTheServerComes) {
  server_.Kill();
  const auto registry = OpenOrDie(Url());
  const auto registration = registry->Register({.service = "a.A", .address = "h:1", .weight = 3});
  Watched watched(*registry, "a.A");
  EXPECT_FALSE(registry->WaitUntilRegistered(100).ok());
  server_.Restart();
  EXPECT_TRUE(registry->WaitUntilRegistered(20'000).ok());
  EXPECT_TRUE(watched.Becomes({{"h:1", 3}}));
}

TEST_F(ZooKeeperFaultTest, AServerKilledAndRestartedCostsNothing) {
  LogLines log;
  const auto registry = OpenOrDie(server_.Url("/rpc", 20'000));
  const auto registration = registry->Register({.service = "a.A", .address = "h:1", .weight = 3});
  Watched watched(*registry, "a.A");
  ASSERT_TRUE(watched.Becomes({{"h:1", 3}}));
  const std::size_t told = watched.All().size();
  const std::uint64_t owner = Owner(kNode);
  ASSERT_NE(owner, 0u);
  server_.Kill();
  EXPECT_TRUE(WaitUntil([&] { return log.Count("lost the connection") == 1; }, kPatience));
  (*registration)->SetWeight(4);
  server_.Restart();
  EXPECT_TRUE(watched.Becomes({{"h:1", 4}}));
  EXPECT_EQ(watched.All().size(), told + 1) << "nothing but the new weight was told";
  EXPECT_EQ(Owner(kNode), owner);
  EXPECT_EQ(registry->counters().lost_sessions, 0u);
  EXPECT_EQ(log.Count("lost the connection"), 1u) << log.All();
}

TEST_F(ZooKeeperFaultTest, AnOutageLongerThanTheSessionKeepsTheSnapshotAndHeals) {
  LogLines log;
  const auto registry = OpenOrDie(Url());
  const auto registration = registry->Register({.service = "a.A", .address = "h:1", .weight = 3});
  Watched watched(*registry, "a.A");
  ASSERT_TRUE(watched.Becomes({{"h:1", 3}}));
  server_.Kill();
  EXPECT_TRUE(WaitUntil([&] { return registry->counters().lost_sessions == 1; }, kPatience));
  EXPECT_TRUE(WaitUntil([&] { return !registry->WaitUntilRegistered(0).ok(); }, kPatience));
  EXPECT_THAT(registry->WaitUntilRegistered(0).ToString(), HasSubstr(server_.address()));
  server_.Restart();
  EXPECT_TRUE(registry->WaitUntilRegistered(20'000).ok());
  (*registration)->SetWeight(5);
  EXPECT_TRUE(watched.Becomes({{"h:1", 5}}));
  for (const ProviderList& list : watched.All()) EXPECT_LE(list->size(), 1u);
  EXPECT_EQ(registry->counters().lost_sessions, 1u) << log.All();
  // The node is the new session's, and stays when the old one expires on the server.
  const std::uint64_t owner = Owner(kNode);
  std::this_thread::sleep_for(milliseconds(2 * kTimeoutMs));
  EXPECT_EQ(Owner(kNode), owner);
}

TEST_F(ZooKeeperFaultTest, R2_AProviderKilledAndRestartedOwnsItsNodeAndKeepsIt) {
  auto provider = StartProvider("h:1", 3);
  ASSERT_TRUE(provider->WaitForLine("registered", kPatience)) << provider->Output();
  const auto consumer = OpenOrDie(Url());
  Watched watched(*consumer, "a.A");
  ASSERT_TRUE(watched.Becomes({{"h:1", 3}}));
  const std::uint64_t former = Owner(kNode);
  ASSERT_NE(former, 0u);
  provider->Kill();
  provider = StartProvider("h:1", 4);
  EXPECT_TRUE(
      WaitUntil([&] { return Owner(kNode) != former && Owner(kNode) != 0; }, milliseconds(2000)));
  const std::uint64_t owner = Owner(kNode);
  ASSERT_TRUE(provider->WaitForLine("registered", kPatience)) << provider->Output();
  EXPECT_TRUE(watched.Becomes({{"h:1", 4}}));
  // The moment that matters is the former session's expiry: look all the way past it.
  const auto end = steady_clock::now() + milliseconds(2 * kTimeoutMs + 500);
  while (steady_clock::now() < end) {
    ASSERT_EQ(Owner(kNode), owner);
    std::this_thread::sleep_for(milliseconds(50));
  }
  EXPECT_TRUE(watched.Becomes({{"h:1", 4}}));
  for (const ProviderList& list : watched.All()) EXPECT_EQ(list->size(), 1u);
}

TEST_F(ZooKeeperFaultTest, AProviderThatIsKilledIsGoneWithItsSession) {
  const auto provider = StartProvider("h:1", 3);
  const auto consumer = OpenOrDie(Url());
  Watched watched(*consumer, "a.A");
  ASSERT_TRUE(watched.Becomes({{"h:1", 3}}));
  provider->Kill();
  EXPECT_TRUE(watched.Becomes({}, milliseconds(3 * kTimeoutMs)));
}

TEST_F(ZooKeeperFaultTest, R5_AProvidersSessionExpiredByForceIsReplaced) {
  const auto provider = OpenOrDie(Url());
  const auto registration = provider->Register({.service = "a.A", .address = "h:1", .weight = 3});
  const auto consumer = OpenOrDie(Url());
  Watched watched(*consumer, "a.A");
  ASSERT_TRUE(watched.Becomes({{"h:1", 3}}));
  for (std::uint64_t round = 1; round <= 3; ++round) {
    const std::uint64_t victim = Owner(kNode);
    ASSERT_NE(victim, 0u);
    server_.ExpireSession(victim);
    EXPECT_TRUE(WaitUntil([&] { return provider->counters().lost_sessions == round; }, kPatience));
    EXPECT_TRUE(WaitUntil([&] { return Owner(kNode) != 0 && Owner(kNode) != victim; }, kPatience));
    EXPECT_TRUE(provider->WaitUntilRegistered(20'000).ok());
  }
  (*registration)->SetWeight(8);
  EXPECT_TRUE(watched.Becomes({{"h:1", 8}}));
  EXPECT_EQ(consumer->counters().lost_sessions, 0u);
}

TEST_F(ZooKeeperFaultTest, R5_AConsumersSessionExpiredByForceWatchesAgainAndNeverEmptiesItsList) {
  const auto provider = OpenOrDie(Url());
  const auto registration = provider->Register({.service = "a.A", .address = "h:1", .weight = 3});
  const auto consumer = OpenOrDie(Url());
  // What the consumer announces itself tells the test which session is the consumer's.
  const auto mark = consumer->Register({.service = "mark.M", .address = "h:2"});
  ASSERT_TRUE(consumer->WaitUntilRegistered(20'000).ok());
  Watched watched(*consumer, "a.A");
  Told<Document> document;
  const auto subscription = consumer->documents()->Watch("kv/main", document.Listener());
  ASSERT_TRUE(watched.Becomes({{"h:1", 3}}));
  const std::uint64_t victim = Owner("/rpc/mark.M/h:2");
  ASSERT_NE(victim, 0u);
  server_.ExpireSession(victim);
  EXPECT_TRUE(WaitUntil([&] { return consumer->counters().sessions == 2; }, kPatience));
  (*registration)->SetWeight(4);
  EXPECT_TRUE(watched.Becomes({{"h:1", 4}}));
  const auto second = provider->Register({.service = "a.A", .address = "h:3", .weight = 5});
  EXPECT_TRUE(watched.Becomes({{"h:1", 4}, {"h:3", 5}}));
  ASSERT_TRUE(provider->documents()->Write("kv/main", "new", -1).ok());
  EXPECT_TRUE(document.Wait([](const Document& one) { return one.content == "new"; }));
  bool seen = false;
  for (const ProviderList& list : watched.All()) {
    seen = seen || !list->empty();
    EXPECT_EQ(list->empty(), !seen) << "the list was emptied";
  }
}

TEST_F(ZooKeeperFaultTest, TwoLivingProcessesWithOneAddressAreReported) {
  LogLines log;
  const auto one = OpenOrDie(Url());
  const auto two = OpenOrDie(Url());
  const auto first = one->Register({.service = "a.A", .address = "h:1", .weight = 3});
  ASSERT_TRUE(one->WaitUntilRegistered(20'000).ok());
  const auto second = two->Register({.service = "a.A", .address = "h:1", .weight = 4});
  EXPECT_TRUE(
      WaitUntil([&] { return log.Count("two processes claim h:1 for a.A") > 0; }, kPatience));
  EXPECT_GE(one->counters().takeovers + two->counters().takeovers, 3u);
  // Then it rests: the node stays with one of them.
  const std::uint64_t owner = Owner(kNode);
  EXPECT_NE(owner, 0u);
  std::this_thread::sleep_for(milliseconds(1000));
  EXPECT_EQ(Owner(kNode), owner);
}

TEST_F(ZooKeeperFaultTest, ARegistryIsClosedCleanlyWhileTheServerIsGone) {
  auto registry = OpenOrDie(Url());
  auto registration = registry->Register({.service = "a.A", .address = "h:1"});
  ASSERT_TRUE(registry->WaitUntilRegistered(20'000).ok());
  server_.Kill();
  registration->reset();
  registry.reset();
}

}  // namespace
}  // namespace weir::testing
