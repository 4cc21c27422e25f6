// What zk:// makes of trees that are not as they should be and of servers that refuse.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "registry/auth_refuser.h"
#include "registry/watched.h"
#include "registry/zk_operator.h"
#include "support/process.h"
#include "support/zookeeper_server.h"

namespace weir::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

class ZooKeeperBadInputTest : public ::testing::Test {
 protected:
  ZooKeeperServer server_;
};

TEST_F(ZooKeeperBadInputTest, JunkNamesAndContentsAreLeftOutAndNamedOnce) {
  LogLines log;
  ZkOperator meddler(server_);
  meddler.CreateAll("/rpc/a.A");
  for (const char* name : {"README", "h", "h:", ":1", "h:0", "h:99999", "h:01", "h:1 ",
                           "\x01\xff:1", "[::1]", "[::1:1", "a@b:1:2"}) {
    meddler.Create("/rpc/a.A/" + std::string(name), "1");
  }
  meddler.Create("/rpc/a.A/h:1", std::string("1\0junk", 6));
  meddler.Create("/rpc/a.A/h:2", "\xff\xfe\n\x1b[31m");
  meddler.Create("/rpc/a.A/h:3", "5");
  const auto registry = OpenOrDie(server_.Url());
  Watched watched(*registry, "a.A");
  EXPECT_TRUE(watched.Becomes({{"h:1", 100}, {"h:2", 100}, {"h:3", 5}}));
  EXPECT_GE(registry->counters().ignored_names, 10u);
  EXPECT_EQ(registry->counters().rejected_weights, 2u);
  EXPECT_EQ(log.Count("'README' that is no host:port; ignored"), 1u) << log.All();
  EXPECT_THAT(log.All(), Not(HasSubstr("\x1b")));
}

TEST_F(ZooKeeperBadInputTest, AMebibyteOfDataIsAJunkWeightOfOneLine) {
  LogLines log;
  const auto provider = OpenOrDie(server_.Url());
  const auto registration = provider->Register({.service = "a.A", .address = "h:1", .weight = 3});
  Watched watched(*provider, "a.A");
  ASSERT_TRUE(watched.Becomes({{"h:1", 3}}));
  ZkOperator meddler(server_);
  // As much as the server takes: its jute.maxbuffer is a mebibyte, with some bytes of a header.
  ASSERT_EQ(meddler.Set("/rpc/a.A/h:1", std::string((1 << 20) - 200, '7')), ZOK);
  EXPECT_TRUE(watched.Becomes({{"h:1", 100}}));
  const auto entries = provider->Inspect("a.A");
  ASSERT_TRUE(entries.ok()) << entries.status().ToString();
  EXPECT_EQ(entries->at(0).weight_text, std::string(64, '7'));
  EXPECT_LT(log.All().size(), 4000u);
  ASSERT_EQ(meddler.Set("/rpc/a.A/h:1", "4"), ZOK);
  EXPECT_TRUE(watched.Becomes({{"h:1", 4}}));
  EXPECT_EQ(provider->counters().disconnections, 0u) << log.All();
}

TEST_F(ZooKeeperBadInputTest, TenThousandChildrenAreOneSnapshot) {
  constexpr int kProviders = 10'000;
  ZkOperator meddler(server_);
  meddler.CreateAll("/rpc/a.A");
  std::vector<std::string> paths;
  for (int i = 1; i <= kProviders; ++i) paths.push_back("/rpc/a.A/h:" + std::to_string(i));
  ASSERT_EQ(meddler.CreateMany(paths, "2"), ZOK);
  const auto registry = OpenOrDie(server_.Url());
  Watched watched(*registry, "a.A");
  EXPECT_TRUE(WaitUntil([&] { return !watched.All().empty(); }, seconds(60)));
  ASSERT_EQ(watched.All().size(), 1u);
  EXPECT_EQ(watched.All()[0]->size(), static_cast<std::size_t>(kProviders));
  // So many may take longer than operators are made to wait.
  const auto entries = registry->Inspect("a.A");
  if (entries.ok()) {
    EXPECT_EQ(entries->size(), static_cast<std::size_t>(kProviders));
  } else {
    EXPECT_EQ(entries.status().code(), StatusCode::kUnavailable);
  }
}

TEST_F(ZooKeeperBadInputTest, TenThousandJunkNamesDoNotFillTheLog) {
  LogLines log;
  ZkOperator meddler(server_);
  meddler.CreateAll("/rpc/a.A");
  std::vector<std::string> paths{"/rpc/a.A/h:1"};
  for (int i = 1; i <= 10'000; ++i) paths.push_back("/rpc/a.A/junk" + std::to_string(i));
  ASSERT_EQ(meddler.CreateMany(paths, "2"), ZOK);
  const auto registry = OpenOrDie(server_.Url());
  Watched watched(*registry, "a.A");
  EXPECT_TRUE(watched.Becomes({{"h:1", 2}}));
  EXPECT_LE(log.Count("that is no host:port"), 1000u);
}

TEST_F(ZooKeeperBadInputTest, AServiceThatVanishesWhileItIsReadIsAnEmptyListAndComesBack) {
  ZkOperator meddler(server_);
  const auto registry = OpenOrDie(server_.Url());
  Watched watched(*registry, "a.A");
  ASSERT_TRUE(watched.Becomes({}));
  std::vector<std::string> paths;
  for (int i = 1; i <= 500; ++i) paths.push_back("/rpc/a.A/h:" + std::to_string(i));
  for (int round = 0; round < 5; ++round) {
    meddler.CreateAll("/rpc/a.A");
    ASSERT_EQ(meddler.CreateMany(paths, "2"), ZOK);
    // Into the midst of the reading, which begins 100 to 200 ms after the change.
    std::this_thread::sleep_for(milliseconds(100 + 20 * round));
    EXPECT_TRUE(meddler.DeleteAll("/rpc/a.A"));
  }
  EXPECT_TRUE(watched.Becomes({}));
  meddler.CreateAll("/rpc/a.A");
  meddler.Create("/rpc/a.A/h:1", "7");
  EXPECT_TRUE(watched.Becomes({{"h:1", 7}}));
}

TEST_F(ZooKeeperBadInputTest, AServiceThatMayNotBeReadIsOneLineAndKeepsTheList) {
  LogLines log;
  ZkOperator meddler(server_);
  meddler.CreateAll("/rpc/a.A");
  meddler.Create("/rpc/a.A/h:1", "7");
  const auto registry = OpenOrDie(server_.Url());
  Watched watched(*registry, "a.A");
  ASSERT_TRUE(watched.Becomes({{"h:1", 7}}));
  ASSERT_EQ(meddler.Create("/rpc/a.A/h:2", "7"), ZOK);
  ASSERT_EQ(meddler.Lock("/rpc/a.A"), ZOK);
  EXPECT_TRUE(
      WaitUntil([&] { return log.Count("cannot read /rpc/a.A: not authorised") == 1; }, kPatience))
      << log.All();
  EXPECT_TRUE(watched.Becomes({{"h:1", 7}}));
  EXPECT_EQ(registry->counters().refusals, 1u) << "no spin";
}

TEST_F(ZooKeeperBadInputTest, ANodeThatMayNotBeReadIsAProviderOfTheDefaultWeight) {
  LogLines log;
  ZkOperator meddler(server_);
  meddler.CreateAll("/rpc/a.A");
  meddler.Create("/rpc/a.A/h:1", "7");
  meddler.Create("/rpc/a.A/h:2", "8");
  ASSERT_EQ(meddler.Lock("/rpc/a.A/h:1"), ZOK);
  const auto registry = OpenOrDie(server_.Url());
  Watched watched(*registry, "a.A");
  EXPECT_TRUE(watched.Becomes({{"h:1", 100}, {"h:2", 8}}));
  meddler.Set("/rpc/a.A/h:2", "9");
  EXPECT_TRUE(watched.Becomes({{"h:1", 100}, {"h:2", 9}}));
  EXPECT_EQ(log.Count("not authorised to read the weight of h:1"), 1u) << log.All();
  EXPECT_EQ(registry->counters().refusals, 1u);
}

TEST_F(ZooKeeperBadInputTest, R13_AWrongDigestIsAClearErrorThatDoesNotSpin) {
  LogLines log;
  SetLogLevel(LogLevel::kDebug);
  const std::string at = server_.Url().substr(5);
  const auto owner = OpenOrDie("zk://user:right-secret@" + at);
  const auto first = owner->Register({.service = "a.A", .address = "h:1", .weight = 3});
  ASSERT_TRUE(owner->WaitUntilRegistered(20'000).ok());
  const auto wrong = OpenOrDie("zk://user:wrong-secret@" + at);
  const auto second = wrong->Register({.service = "a.A", .address = "h:2"});
  Watched watched(*wrong, "a.A");
  EXPECT_TRUE(WaitUntil([&] { return log.Count("cannot register h:2 for a.A") > 0; }, kPatience));
  const Status status = wrong->WaitUntilRegistered(300);
  EXPECT_EQ(status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(status.ToString(), HasSubstr("NOAUTH"));
  EXPECT_THAT(status.ToString(), HasSubstr("credentials"));
  // What it may do goes on, and what it may not is not tried again and again.
  EXPECT_TRUE(watched.Becomes({{"h:1", 3}}));
  EXPECT_TRUE(wrong->health().connected);
  const std::uint64_t refusals = wrong->counters().refusals;
  std::this_thread::sleep_for(seconds(2));
  EXPECT_EQ(wrong->counters().refusals, refusals);
  EXPECT_LE(refusals, 2u) << "the weight and the facts";
  EXPECT_EQ(log.Count("cannot register h:2"), 1u) << log.All();
  EXPECT_EQ(log.Count("secret"), 0u) << log.All();
  SetLogLevel(LogLevel::kInfo);
}

TEST(ZooKeeperCredentials, RefusedOnesAreOneLineWithoutThePassword) {
  AuthRefuser server;
  LogLines log;
  SetLogLevel(LogLevel::kDebug);
  const auto registry = OpenOrDie("zk://user:secret@" + server.address() + "/rpc");
  const auto registration = registry->Register({.service = "a.A", .address = "h:1"});
  EXPECT_TRUE(WaitUntil(
      [&] {
        return registry->health().trouble.find("refused the credentials") != std::string::npos;
      },
      kPatience));
  EXPECT_FALSE(registry->health().connected);
  EXPECT_THAT(registry->WaitUntilRegistered(2000).ToString(), HasSubstr("refused the credentials"));
  EXPECT_EQ(server.sessions(), 1u) << "no spin";
  EXPECT_EQ(registry->counters().refusals, 1u);
  EXPECT_EQ(log.Count("refused the credentials; give the URL"), 1u) << log.All();
  EXPECT_EQ(log.Count("cannot register"), 0u) << log.All();
  EXPECT_EQ(log.Count("secret"), 0u) << log.All();
  const Status reweigh = registry->Reweigh("a.A", "h:1", 1);
  EXPECT_EQ(reweigh.code(), StatusCode::kUnavailable);
  EXPECT_THAT(reweigh.ToString(), HasSubstr("refused the credentials"));
  SetLogLevel(LogLevel::kInfo);
}

}  // namespace
}  // namespace weir::testing
