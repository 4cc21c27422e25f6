// Zone and start of a provider on their way through ZooKeeper.
#include <gtest/gtest.h>

#include "registry/provider_facts_suite.h"
#include "registry/zk_operator.h"
#include "support/process.h"
#include "support/zookeeper_server.h"

namespace weir::testing {
namespace {

class ZooKeeperFactsTest : public ::testing::Test {
 protected:
  std::string Url() const { return server_.Url("/rpc", 1500); }
  std::unique_ptr<Process> Start(const std::string& zone) const {
    return std::make_unique<Process>(
        std::vector<std::string>{WEIR_TEST_PROVIDER, Url(), "a.A", "h:1", "3", "zone=" + zone});
  }

  ZooKeeperServer server_;
};

TEST_F(ZooKeeperFactsTest, ReachConsumers) {
  ConsumersLearnZoneAndStart(*OpenOrDie(Url()), *OpenOrDie(Url()));
}

TEST_F(ZooKeeperFactsTest, OfAProviderThatIsReplacedAtOnceAreItsNewOnes) {
  const auto consumer = OpenOrDie(Url());
  Watched watched(*consumer, "a.A");
  auto provider = Start("eu-1");
  EXPECT_TRUE(watched.Becomes({{"h:1", 3, "eu-1"}}));
  // The address is never off the list: the node is replaced in one step.
  provider->Signal(SIGKILL);
  provider = Start("eu-2");
  EXPECT_TRUE(watched.Becomes({{"h:1", 3, "eu-2"}}));
  for (const ProviderList& list : watched.All()) EXPECT_LE(list->size(), 1u);
}

TEST_F(ZooKeeperFactsTest, OutliveTheSessionsOfProviderAndConsumer) {
  const auto provider = OpenOrDie(Url());
  const auto consumer = OpenOrDie(Url());
  const auto registration =
      provider->Register({.service = "a.A",
                          .address = "h:1",
                          .weight = 3,
                          .facts = {{"zone", "eu-1"}, {"started", "1700000000123"}}});
  Watched watched(*consumer, "a.A");
  const Provider wanted{"h:1", 3, "eu-1", 1'700'000'000'123};
  ASSERT_TRUE(watched.Becomes({wanted}));
  const std::set<std::uint64_t> victims = server_.Sessions();
  for (const std::uint64_t victim : victims) server_.ExpireSession(victim);
  EXPECT_TRUE(WaitUntil(
      [&] { return provider->counters().sessions >= 2 && consumer->counters().sessions >= 2; },
      kPatience));
  EXPECT_TRUE(provider->WaitUntilRegistered(20'000).ok());
  ZkOperator meddler(server_);
  ASSERT_EQ(meddler.Set("/rpc/a.A/h:1", "5"), ZOK);
  EXPECT_TRUE(watched.Becomes({{"h:1", 5, "eu-1", 1'700'000'000'123}}));
  for (const ProviderList& list : watched.All()) {
    for (const Provider& one : *list) EXPECT_EQ(one.zone, "eu-1");
  }
}

TEST_F(ZooKeeperFactsTest, ThatAreMissingJunkOrNotReadableHinderNobody) {
  ZkOperator meddler(server_);
  meddler.CreateAll("/rpc/a.A");
  meddler.CreateAll("/rpc-meta/a.A");
  for (const char* name : {"none:1", "junk:1", "locked:1"}) {
    ASSERT_EQ(meddler.Create(std::string("/rpc/a.A/") + name, "7"), ZOK);
  }
  ASSERT_EQ(meddler.Create("/rpc-meta/a.A/junk:1", "[\"zone\"]"), ZOK);
  ASSERT_EQ(meddler.Create("/rpc-meta/a.A/locked:1", R"({"zone":"eu-1"})"), ZOK);
  ASSERT_EQ(meddler.Lock("/rpc-meta/a.A/locked:1"), ZOK);
  const auto consumer = OpenOrDie(Url());
  Watched watched(*consumer, "a.A");
  EXPECT_TRUE(watched.Becomes({{"junk:1", 7}, {"locked:1", 7}, {"none:1", 7}}));
  for (const Provider& one : *watched.All().back()) EXPECT_EQ(one.zone, "") << one.address;
  EXPECT_EQ(consumer->counters().refusals, 0u);
}

}  // namespace
}  // namespace weir::testing
