// What operators see of a zk:// registry and what they do to it, through weir and past it. Numbers
// are those of the registry's table of cases (docs/registry.md).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "registry/watched.h"
#include "registry/zk_operator.h"
#include "support/process.h"
#include "support/zookeeper_server.h"

namespace weir::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr const char* kNode = "/rpc/a.A/h:1";
constexpr const char* kFactsNode = "/rpc-meta/a.A/h:1";
constexpr int kTimeoutMs = 1500;
// Within so long everything is as it should be, whatever operators did.
constexpr seconds kReconciled{35};

class ZooKeeperOperatorTest : public ::testing::Test {
 protected:
  std::string Url() const { return server_.Url("/rpc", kTimeoutMs); }
  std::uint64_t Owner(const std::string& path) const {
    const auto nodes = server_.Ephemerals();
    const auto node = nodes.find(path);
    return node != nodes.end() ? node->second : 0;
  }
  // Ends the session that owns the provider's node and waits until another has it.
  void Expire(Registry& provider) {
    const std::uint64_t victim = Owner(kNode);
    ASSERT_NE(victim, 0u);
    server_.ExpireSession(victim);
    EXPECT_TRUE(WaitUntil([&] { return Owner(kNode) != 0 && Owner(kNode) != victim; }, kPatience));
    EXPECT_TRUE(provider.WaitUntilRegistered(20'000).ok());
  }

  ZooKeeperServer server_;
};

TEST_F(ZooKeeperOperatorTest, R10_DeletedNodesAndParentsComeBack) {
  LogLines log;
  const auto provider = OpenOrDie(Url());
  const auto consumer = OpenOrDie(Url());
  const auto registration = provider->Register({.service = "a.A", .address = "h:1", .weight = 3});
  Watched watched(*consumer, "a.A");
  ASSERT_TRUE(watched.Becomes({{"h:1", 3}}));
  ZkOperator meddler(server_);
  const auto back = [&] { return meddler.Get(kNode) == "3" && meddler.Get(kFactsNode); };
  for (const char* victim : {kNode, "/rpc/a.A", "/rpc", kFactsNode, "/rpc-meta"}) {
    EXPECT_TRUE(meddler.DeleteAll(victim)) << victim;
    EXPECT_TRUE(WaitUntil(back, kReconciled)) << victim;
    EXPECT_TRUE(provider->WaitUntilRegistered(20'000).ok());
    EXPECT_TRUE(watched.Becomes({{"h:1", 3}}, kReconciled)) << victim;
  }
  EXPECT_GE(provider->counters().restorations, 3u);
  EXPECT_GE(log.Count("somebody deleted the node of h:1 for a.A"), 3u) << log.All();
}

TEST_F(ZooKeeperOperatorTest, R10_WeightsWrittenByOperatorsAreUsedOrCountAsTheDefault) {
  LogLines log;
  const auto provider = OpenOrDie(Url());
  const auto consumer = OpenOrDie(Url());
  const auto registration = provider->Register({.service = "a.A", .address = "h:1", .weight = 3});
  Watched watched(*consumer, "a.A");
  ASSERT_TRUE(watched.Becomes({{"h:1", 3}}));
  ZkOperator meddler(server_);
  const std::pair<const char*, int> cases[] = {{"abc", 100}, {"0", 0},        {"-1", 100},
                                               {"7", 7},     {"100000", 100}, {"9", 9}};
  for (const auto& [text, weight] : cases) {
    EXPECT_EQ(meddler.Set(kNode, text), ZOK);
    EXPECT_TRUE(watched.Becomes({{"h:1", weight}}, kReconciled)) << text;
    EXPECT_EQ(meddler.Get(kNode), text) << "nobody fights the operator";
  }
  EXPECT_TRUE(WaitUntil([&] { return log.Count("from 7 to 9; it stands") == 1; }, kPatience));
  EXPECT_EQ(log.Count("somebody wrote 'abc' as the weight of h:1 for a.A"), 1u) << log.All();
  EXPECT_EQ(log.Count("somebody wrote '100000'"), 1u) << log.All();
  EXPECT_EQ(consumer->counters().rejected_weights, 2u);
  EXPECT_EQ(provider->counters().rejected_weights, 2u);
}

TEST_F(ZooKeeperOperatorTest, AnOperatorsWeightOutlivesSessionsAndDeletions) {
  LogLines log;
  const auto provider = OpenOrDie(Url());
  const auto registration = provider->Register({.service = "a.A", .address = "h:1", .weight = 3});
  ASSERT_TRUE(provider->WaitUntilRegistered(20'000).ok());
  ZkOperator meddler(server_);
  EXPECT_EQ(meddler.Set(kNode, "0\n"), ZOK);
  ASSERT_TRUE(WaitUntil([&] { return log.Count("from 3 to 0; it stands") == 1; }, kPatience));
  Expire(*provider);
  EXPECT_EQ(meddler.Get(kNode), "0") << "a drained provider came back undrained";
  EXPECT_TRUE(meddler.DeleteAll(kNode));
  EXPECT_TRUE(WaitUntil([&] { return meddler.Get(kNode) == "0"; }, kPatience));
  // What the provider says later wins, and stands as well.
  EXPECT_TRUE(provider->WaitUntilRegistered(20'000).ok());
  (*registration)->SetWeight(5);
  EXPECT_TRUE(WaitUntil([&] { return meddler.Get(kNode) == "5"; }, kPatience));
  Expire(*provider);
  EXPECT_EQ(meddler.Get(kNode), "5");
}

TEST_F(ZooKeeperOperatorTest, JunkWrittenByAnOperatorIsNotKeptForANewNode) {
  LogLines log;
  const auto provider = OpenOrDie(Url());
  const auto registration = provider->Register({.service = "a.A", .address = "h:1", .weight = 3});
  ASSERT_TRUE(provider->WaitUntilRegistered(20'000).ok());
  ZkOperator meddler(server_);
  EXPECT_EQ(meddler.Set(kNode, "lots"), ZOK);
  ASSERT_TRUE(WaitUntil([&] { return log.Count("somebody wrote 'lots'") == 1; }, kPatience));
  Expire(*provider);
  EXPECT_EQ(meddler.Get(kNode), "3");
  EXPECT_EQ(log.Count("somebody wrote 'lots'"), 1u) << log.All();
}

TEST_F(ZooKeeperOperatorTest, FactsLieBesideTheTreeAndLiveAndDieWithTheProvider) {
  const auto provider = OpenOrDie(Url());
  auto registration = provider->Register({.service = "a.A",
                                          .address = "h:1",
                                          .weight = 3,
                                          .facts = {{"version", "1.2"}, {"zone", "\"east\""}}});
  ASSERT_TRUE(provider->WaitUntilRegistered(20'000).ok());
  ZkOperator observer(server_);
  const std::string text = observer.Get(kFactsNode).value_or("");
  EXPECT_THAT(text, HasSubstr(R"("version":"1.2")"));
  EXPECT_THAT(text, HasSubstr(R"("zone":"\"east\"")"));
  EXPECT_THAT(text, HasSubstr(R"("started":")"));
  EXPECT_EQ(observer.Owner(kFactsNode), observer.Owner(kNode));
  Expire(*provider);
  EXPECT_TRUE(WaitUntil([&] { return observer.Get(kFactsNode) == text; }, kPatience))
      << "made again, with the same start";
  EXPECT_EQ(observer.Owner(kFactsNode), observer.Owner(kNode));
  registration->reset();
  EXPECT_TRUE(WaitUntil([&] { return server_.Ephemerals().empty(); }, kPatience));
}

TEST_F(ZooKeeperOperatorTest, APredecessorsFactsAreReplacedWithItsNode) {
  Process former({WEIR_TEST_PROVIDER, server_.Url("/rpc", 20'000), "a.A", "h:1", "3"});
  ASSERT_TRUE(former.WaitForLine("registered", kPatience)) << former.Output();
  const std::uint64_t owner = Owner(kFactsNode);
  ASSERT_NE(owner, 0u);
  former.Kill();
  const auto provider = OpenOrDie(Url());
  const auto registration =
      provider->Register({.service = "a.A", .address = "h:1", .facts = {{"version", "2"}}});
  ASSERT_TRUE(provider->WaitUntilRegistered(20'000).ok());
  EXPECT_NE(Owner(kFactsNode), owner);
  EXPECT_EQ(Owner(kFactsNode), Owner(kNode));
  EXPECT_THAT(ZkOperator(server_).Get(kFactsNode).value_or(""), HasSubstr(R"("version":"2")"));
}

TEST_F(ZooKeeperOperatorTest, WhoMayNotWriteFactsRegistersAllTheSame) {
  LogLines log;
  ZkOperator meddler(server_);
  meddler.CreateAll("/rpc-meta/a.A");
  ASSERT_EQ(meddler.Lock("/rpc-meta/a.A"), ZOK);
  const auto provider = OpenOrDie(Url());
  const auto registration = provider->Register({.service = "a.A", .address = "h:1", .weight = 3});
  EXPECT_TRUE(provider->WaitUntilRegistered(20'000).ok());
  EXPECT_EQ(meddler.Get(kNode), "3");
  EXPECT_EQ(log.Count("cannot write the facts at /rpc-meta/a.A/h:1"), 1u) << log.All();
  EXPECT_GE(provider->counters().refusals, 1u);
  const auto entries = provider->Inspect("a.A");
  ASSERT_TRUE(entries.ok()) << entries.status().ToString();
  ASSERT_EQ(entries->size(), 1u);
  EXPECT_TRUE((*entries)[0].facts.empty());
}

TEST_F(ZooKeeperOperatorTest, InspectShowsWhatStandsThere) {
  const auto before = std::chrono::system_clock::now() - seconds(1);
  const auto provider = OpenOrDie(Url());
  const auto one = provider->Register(
      {.service = "a.A", .address = "h:2", .weight = 3, .facts = {{"version", "1"}}});
  const auto two = provider->Register({.service = "a.A", .address = "[::1]:1"});
  ASSERT_TRUE(provider->WaitUntilRegistered(20'000).ok());
  ZkOperator meddler(server_);
  meddler.Create("/rpc/a.A/README", "");
  meddler.Create("/rpc/a.A/h:3", std::string(1000, 'x'));
  meddler.Create("/rpc-meta/a.A/h:3", "no json");
  meddler.Create("/rpc-meta/a.A/h:4", R"({"version":"9"})");
  const auto registry = OpenOrDie(Url());
  const auto entries = registry->Inspect("a.A");
  ASSERT_TRUE(entries.ok()) << entries.status().ToString();
  ASSERT_EQ(entries->size(), 3u);
  EXPECT_EQ((*entries)[0].address, "[::1]:1");
  EXPECT_EQ((*entries)[0].weight_text, "-1");
  EXPECT_EQ((*entries)[0].weight, 100);
  const ProviderEntry& full = (*entries)[1];
  EXPECT_EQ(full.address, "h:2");
  EXPECT_EQ(full.weight, 3);
  EXPECT_EQ(full.facts.at("version"), "1");
  EXPECT_TRUE(full.facts.contains("started"));
  ASSERT_TRUE(full.since.has_value());
  EXPECT_GE(*full.since, before);
  EXPECT_LE(*full.since, std::chrono::system_clock::now() + seconds(1));
  EXPECT_EQ((*entries)[2].weight_text, std::string(64, 'x'));
  EXPECT_EQ((*entries)[2].weight, 100);
  EXPECT_TRUE((*entries)[2].facts.empty());
  EXPECT_TRUE(registry->Inspect("no.Such")->empty());
  EXPECT_EQ(registry->Inspect("../x").status().code(), StatusCode::kInvalidArgument);
  ASSERT_EQ(meddler.Lock("/rpc/a.A"), ZOK);
  EXPECT_EQ(registry->Inspect("a.A").status().code(), StatusCode::kPermissionDenied);
}

TEST_F(ZooKeeperOperatorTest, ReweighChangesAProvidersWeight) {
  LogLines log;
  const auto provider = OpenOrDie(Url());
  const auto registration = provider->Register({.service = "a.A", .address = "h:1", .weight = 3});
  const auto tool = OpenOrDie(Url());
  Watched watched(*tool, "a.A");
  ASSERT_TRUE(watched.Becomes({{"h:1", 3}}));
  EXPECT_TRUE(tool->Reweigh("a.A", "h:1", 0).ok());
  EXPECT_TRUE(watched.Becomes({{"h:1", 0}}));
  ASSERT_TRUE(WaitUntil([&] { return log.Count("from 3 to 0; it stands") == 1; }, kPatience));
  Expire(*provider);
  EXPECT_EQ(tool->Inspect("a.A")->at(0).weight, 0);
  EXPECT_TRUE(tool->Reweigh("a.A", "h:1", kWeightUnset).ok());
  EXPECT_TRUE(watched.Becomes({{"h:1", 100}}));
  const Status absent = tool->Reweigh("a.A", "h:9", 1);
  EXPECT_EQ(absent.code(), StatusCode::kNotFound);
  EXPECT_THAT(absent.ToString(), HasSubstr("h:9 for a.A"));
  for (const int weight : {-2, 10'001}) {
    EXPECT_EQ(tool->Reweigh("a.A", "h:1", weight).code(), StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(tool->Reweigh("a.A", "nonsense", 1).code(), StatusCode::kInvalidArgument);
}

TEST_F(ZooKeeperOperatorTest, ReweighNeedsTheProvidersCredentials) {
  const std::string secret = "zk://user:secret@" + Url().substr(5);
  const auto provider = OpenOrDie(secret);
  const auto registration = provider->Register({.service = "a.A", .address = "h:1", .weight = 3});
  ASSERT_TRUE(provider->WaitUntilRegistered(20'000).ok());
  const auto stranger = OpenOrDie(Url());
  const Status refused = stranger->Reweigh("a.A", "h:1", 0);
  EXPECT_EQ(refused.code(), StatusCode::kPermissionDenied);
  EXPECT_THAT(refused.ToString(), HasSubstr("credentials"));
  EXPECT_EQ(stranger->counters().refusals, 1u);
  EXPECT_TRUE(OpenOrDie(secret)->Reweigh("a.A", "h:1", 0).ok());
  EXPECT_EQ(stranger->Inspect("a.A")->at(0).weight, 0) << "everybody may look";
}

TEST_F(ZooKeeperOperatorTest, HealthFollowsTheConnection) {
  const auto registry = OpenOrDie(Url());
  const auto opened = std::chrono::steady_clock::now();
  EXPECT_TRUE(WaitUntil([&] { return registry->health().connected; }, kPatience));
  EXPECT_EQ(registry->health().trouble, "");
  EXPECT_EQ(registry->counters().disconnections, 0u);
  server_.Kill();
  EXPECT_TRUE(WaitUntil([&] { return !registry->health().connected; }, kPatience));
  const RegistryHealth ill = registry->health();
  EXPECT_THAT(ill.trouble, HasSubstr("no ZooKeeper answers at " + server_.address()));
  EXPECT_GE(ill.since, opened);
  EXPECT_EQ(registry->counters().disconnections, 1u);
  // A new session changes nothing as long as nobody answers.
  EXPECT_TRUE(WaitUntil([&] { return registry->counters().lost_sessions == 1; }, kPatience));
  EXPECT_EQ(registry->health().since, ill.since);
  const auto entries = registry->Inspect("a.A");
  EXPECT_EQ(entries.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(entries.status().ToString(), HasSubstr("no ZooKeeper answers at"));
  EXPECT_EQ(registry->Reweigh("a.A", "h:1", 1).code(), StatusCode::kUnavailable);
  server_.Restart();
  EXPECT_TRUE(WaitUntil([&] { return registry->health().connected; }, kPatience));
  EXPECT_GT(registry->health().since, ill.since);
}

}  // namespace
}  // namespace weir::testing
