// zk:// against a real server: nodes, weights, documents, rights.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "registry/document_store_suite.h"
#include "registry/watched.h"
#include "registry/zk_operator.h"
#include "support/process.h"
#include "support/zookeeper_server.h"

namespace weir::testing {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

class ZooKeeperRegistryTest : public ::testing::Test {
 protected:
  ZooKeeperServer server_;
};

TEST_F(ZooKeeperRegistryTest, RegistersWatchesAndFollowsWeights) {
  const auto provider = OpenOrDie(server_.Url());
  const auto consumer = OpenOrDie(server_.Url());
  Watched watched(*consumer, "a.A");
  EXPECT_TRUE(watched.Becomes({}));
  ZkOperator observer(server_);
  EXPECT_EQ(observer.Get("/rpc"), std::nullopt) << "consumers create nothing";
  auto one = provider->Register({.service = "a.A", .address = "h:1", .weight = 3});
  auto two = provider->Register({.service = "a.A", .address = "[::1]:2"});
  ASSERT_TRUE(provider->WaitUntilRegistered(20'000).ok());
  EXPECT_EQ(observer.Get("/rpc/a.A/h:1"), "3");
  EXPECT_EQ(observer.Get("/rpc/a.A/[::1]:2"), "-1");
  EXPECT_NE(observer.Owner("/rpc/a.A/h:1"), 0u);
  EXPECT_TRUE(watched.Becomes({{"[::1]:2", 100}, {"h:1", 3}}));
  (*one)->SetWeight(0);
  EXPECT_TRUE(watched.Becomes({{"[::1]:2", 100}, {"h:1", 0}}));
  (*one)->SetWeight(10'000);
  EXPECT_TRUE(watched.Becomes({{"[::1]:2", 100}, {"h:1", 10'000}}));
  two->reset();
  EXPECT_TRUE(watched.Becomes({{"h:1", 10'000}}));
  EXPECT_EQ(*consumer->Services(), std::vector<std::string>{"a.A"});
  // A second watch is told at once, and one that is closed no more.
  Watched second(*consumer, "a.A");
  EXPECT_TRUE(second.Becomes({{"h:1", 10'000}}, milliseconds(2000)));
  second.Close();
  one->reset();
  EXPECT_TRUE(watched.Becomes({}));
  EXPECT_EQ(second.All().size(), 1u);
}

TEST_F(ZooKeeperRegistryTest, JunkIsIgnoredCountedAndReportedOnce) {
  LogLines log;
  ZkOperator meddler(server_);
  meddler.Create("/rpc", "");
  meddler.Create("/rpc/a.A", "");
  meddler.Create("/rpc/a.A/README", "");
  meddler.Create("/rpc/a.A/h:0080", "1");
  meddler.Create("/rpc/a.A/h:1", "abc");
  const auto registry = OpenOrDie(server_.Url());
  Watched watched(*registry, "a.A");
  EXPECT_TRUE(watched.Becomes({{"h:1", 100}}));
  const std::pair<const char*, int> cases[] = {
      {"0", 0},          {"100000", 100}, {"7", 7},   {"-1", 100}, {"8", 8}, {"", 100},
      {"10000", 10'000}, {"-2", 100},     {"10", 10}, {" 9", 100}, {"9 ", 9}};
  for (const auto& [text, weight] : cases) {
    meddler.Set("/rpc/a.A/h:1", text);
    EXPECT_TRUE(watched.Becomes({{"h:1", weight}})) << text;
  }
  EXPECT_EQ(registry->counters().ignored_names, 2u);
  EXPECT_EQ(registry->counters().rejected_weights, 5u);
  EXPECT_EQ(log.Count("'README' that is no host:port"), 1u) << log.All();
  EXPECT_EQ(log.Count("weight 'abc' of h:1"), 1u) << log.All();
}

TEST_F(ZooKeeperRegistryTest, ManyProvidersArriveInOneSnapshot) {
  constexpr int kProviders = 200;
  ZkOperator meddler(server_);
  meddler.Create("/rpc", "");
  meddler.Create("/rpc/a.A", "");
  for (int i = 1; i <= kProviders; ++i) {
    meddler.Create("/rpc/a.A/h:" + std::to_string(i), std::to_string(i));
  }
  const auto registry = OpenOrDie(server_.Url());
  Watched watched(*registry, "a.A");
  EXPECT_TRUE(WaitUntil([&] { return !watched.All().empty(); }, kPatience));
  ASSERT_EQ(watched.All().size(), 1u);
  EXPECT_EQ(watched.All()[0]->size(), static_cast<std::size_t>(kProviders));
}

TEST_F(ZooKeeperRegistryTest, ANodeOrATreeTheOperatorDeletedComesBack) {
  LogLines log;
  const auto registry = OpenOrDie(server_.Url());
  const auto registration = registry->Register({.service = "a.A", .address = "h:1", .weight = 3});
  ASSERT_TRUE(registry->WaitUntilRegistered(20'000).ok());
  ZkOperator meddler(server_);
  const auto back = [&] { return meddler.Get("/rpc/a.A/h:1") == "3"; };
  EXPECT_EQ(meddler.Delete("/rpc/a.A/h:1"), ZOK);
  EXPECT_TRUE(WaitUntil(back, kPatience));
  // The provider learns that its node is back a moment after everybody else can see it; one that
  // goes before that has not been restored yet.
  EXPECT_TRUE(WaitUntil([&] { return log.Count("registered h:1") == 2; }, kPatience));
  for (const char* path : {"/rpc/a.A/h:1", "/rpc/a.A", "/rpc"})
    EXPECT_EQ(meddler.Delete(path), ZOK);
  EXPECT_TRUE(WaitUntil(back, kPatience));
  EXPECT_EQ(registry->counters().restorations, 2u);
  Watched watched(*registry, "a.A");
  EXPECT_TRUE(watched.Becomes({{"h:1", 3}}));
}

TEST_F(ZooKeeperRegistryTest, AnAnnouncementRenewedWithinTheProcessKeepsItsNode) {
  const auto registry = OpenOrDie(server_.Url());
  Watched watched(*registry, "a.A");
  auto former = registry->Register({.service = "a.A", .address = "h:1", .weight = 3});
  ASSERT_TRUE(watched.Becomes({{"h:1", 3}}));
  auto latter = registry->Register({.service = "a.A", .address = "h:1", .weight = 4});
  former->reset();
  ASSERT_TRUE(registry->WaitUntilRegistered(20'000).ok());
  EXPECT_TRUE(watched.Becomes({{"h:1", 4}}));
  EXPECT_EQ(registry->counters().restorations, 0u);
  latter->reset();
  EXPECT_TRUE(watched.Becomes({}));
  EXPECT_TRUE(server_.Ephemerals().empty());
}

TEST_F(ZooKeeperRegistryTest, WhoIsNotAuthorisedIsToldSoAndDoesNotSpin) {
  LogLines log;
  const std::string url = "zk://user:secret@" + server_.Url().substr(5);
  const auto owner = OpenOrDie(url);
  const auto registration = owner->Register({.service = "a.A", .address = "h:1", .weight = 3});
  ASSERT_TRUE(owner->WaitUntilRegistered(20'000).ok());
  ZkOperator stranger(server_);
  EXPECT_EQ(stranger.Get("/rpc/a.A/h:1"), "3") << "everybody may read";
  EXPECT_EQ(stranger.Set("/rpc/a.A/h:1", "4"), ZNOAUTH);
  const auto registry = OpenOrDie(server_.Url());
  const auto refused = registry->Register({.service = "a.A", .address = "h:2"});
  EXPECT_TRUE(WaitUntil([&] { return log.Count("cannot register h:2") > 0; }, kPatience));
  EXPECT_THAT(registry->WaitUntilRegistered(300).ToString(), HasSubstr("NOAUTH"));
  EXPECT_EQ(registry->documents()->Write("kv/x", "", -1).ok(), true) << "another tree";
  EXPECT_EQ(log.Count("cannot register h:2"), 1u) << log.All();
  EXPECT_EQ(log.Count("secret"), 0u);
  Watched watched(*registry, "a.A");
  EXPECT_TRUE(watched.Becomes({{"h:1", 3}}));
}

TEST_F(ZooKeeperRegistryTest, DocumentsLieBesideTheTree) {
  const auto registry = OpenOrDie(server_.Url());
  ASSERT_TRUE(registry->documents()->Write("kv/main/members", "one\n", -1).ok());
  ZkOperator observer(server_);
  EXPECT_EQ(observer.Get("/rpc-kv/main/members"), "one\n");
  EXPECT_EQ(observer.Owner("/rpc-kv/main/members"), 0u);
  server_.Restart();
  EXPECT_EQ(registry->documents()->Read("kv/main/members")->content, "one\n");
}

// One server for all tests of the suite; every test gets a tree of its own.
std::string FreshZooKeeperUrl() {
  static ZooKeeperServer server;
  static int count = 0;
  return server.Url("/rpc-" + std::to_string(++count));
}

INSTANTIATE_TEST_SUITE_P(Schemes, DocumentStoreTest,
                         ::testing::Values(DocumentScheme{"zk", FreshZooKeeperUrl}),
                         [](const auto& scheme) { return scheme.param.name; });

}  // namespace
}  // namespace weir::testing
