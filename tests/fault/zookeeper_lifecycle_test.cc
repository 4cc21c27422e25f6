// What consumers see of providers that come and go in good order, and of a start without ZooKeeper.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <mutex>

#include "fault/steady_load.h"
#include "fault/zookeeper_faults.h"
#include "support/temp_dir.h"
#include "support/zookeeper_server.h"
#include "weir/log.h"
#include "weir/metrics.h"

namespace weir::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ZooKeeperLifecycle : public ::testing::Test {
 protected:
  void StartProviders(int count) {
    for (int i = 0; i < count; ++i) {
      providers_.push_back(std::make_unique<ProviderProcess>(url_));
    }
    EXPECT_TRUE(AwaitStanding(zookeeper_, providers_));
  }

  weir::testing::ZooKeeperServer zookeeper_;
  const std::string url_ = zookeeper_.Url("/rpc", 4000);
  Providers providers_;
};

TEST_F(ZooKeeperLifecycle, ReplacedOneAfterTheOtherInGoodOrderProvidersFailNoCall) {
  StartProviders(3);
  SteadyLoad load(url_);
  for (std::size_t i = 0; i < providers_.size(); ++i) {
    ASSERT_TRUE(load.AwaitAnswersFrom(AddressesOf(providers_), kPatience));
    auto successor = std::make_unique<ProviderProcess>(url_);
    providers_[i]->process().Signal(SIGTERM);
    EXPECT_EQ(providers_[i]->process().Wait(kPatience), 0);
    providers_[i] = std::move(successor);
    ASSERT_TRUE(AwaitStanding(zookeeper_, providers_));
  }
  ASSERT_TRUE(load.AwaitAnswersFrom(AddressesOf(providers_), kPatience));
  const LoadTally tally = load.Stop();
  EXPECT_TRUE(tally.failures.empty()) << tally.ToString();
}

TEST_F(ZooKeeperLifecycle, AConsumerThatStartsWithoutZooKeeperUsesTheListOnDisk) {
  weir::testing::TempDir directory;
  const ChannelOptions options{.provider_cache = directory.Path("cache")};
  StartProviders(2);
  {
    SteadyLoad load(url_, {}, options);
    ASSERT_TRUE(load.AwaitAnswersFrom(AddressesOf(providers_), kPatience));
  }
  zookeeper_.Kill();
  SteadyLoad load(url_, {}, options);
  EXPECT_TRUE(load.AwaitAnswersFrom(AddressesOf(providers_), kPatience));
  zookeeper_.Restart();
  StartProviders(1);
  EXPECT_TRUE(load.AwaitAnswersFrom(AddressesOf(providers_), kPatience)) << "it watches again";
  const LoadTally tally = load.Stop();
  EXPECT_TRUE(tally.failures.empty()) << tally.ToString();
}

TEST_F(ZooKeeperLifecycle, WithoutAListOnDiskCallsFailSoonOrWaitAsTheyAsk) {
  StartProviders(1);
  zookeeper_.Kill();
  Channel channel(url_, {.timeout = 20s, .registry_patience = 500ms});
  Echo::Stub echo(channel);
  const Result<EchoReply> reply = echo.Plain({});
  EXPECT_EQ(reply.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(std::string(reply.status().message()), HasSubstr(zookeeper_.address()));
  zookeeper_.Restart();
  const Result<EchoReply> waited =
      echo.Plain({}, CallOptions().WaitForReady().WithTimeout(kPatience));
  EXPECT_TRUE(waited.ok()) << waited.status().ToString();
}

TEST_F(ZooKeeperLifecycle, NoPasswordIsInMetricsMessagesOrTheLog) {
  std::mutex mutex;
  std::string log;
  SetLogSink([&](LogLevel, std::string_view line) {
    const std::lock_guard lock(mutex);
    log += std::string(line) + "\n";
  });
  SetLogLevel(LogLevel::kDebug);
  const std::string url = "zk://user:geheim@" + url_.substr(5);
  {
    const auto server = StartEcho(url, "a");
    EXPECT_TRUE(server->WaitUntilRegistered(kPatience).ok());
    Channel channel(url);
    EXPECT_TRUE(Echo::Stub(channel).Plain({}).ok());
    EXPECT_THAT(MetricsText(), HasSubstr(zookeeper_.address()));
    EXPECT_THAT(MetricsText(), Not(HasSubstr("geheim")));
    zookeeper_.Kill();
    EXPECT_TRUE(WaitUntil(
        [&] {
          const std::lock_guard lock(mutex);
          return log.find("lost the connection") != std::string::npos;
        },
        kPatience));
    EXPECT_THAT(MetricsText(), ::testing::ContainsRegex("weir_registry_connected\\{registry=.* 0"));
    Channel late(url, {.registry_patience = 100ms});
    EXPECT_THAT(Echo::Stub(late).Plain({}).status().ToString(), Not(HasSubstr("geheim")));
  }
  SetLogLevel(LogLevel::kInfo);
  SetLogSink({});
  EXPECT_THAT(log, HasSubstr("ZooKeeper client:")) << "also what the client library says";
  EXPECT_THAT(log, Not(HasSubstr("geheim")));
}

}  // namespace
}  // namespace weir::test
