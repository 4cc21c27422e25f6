// The greeter of examples/ with a real ZooKeeper server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <string>

#include "e2e/examples.h"
#include "support/process.h"
#include "support/zookeeper_server.h"

namespace weir::testing {
namespace {

using ::testing::HasSubstr;

TEST(GreeterAtZooKeeper, ProvidersAreFoundServeTheirShareAndLeave) {
  const ZooKeeperServer zookeeper;
  const std::string registry = zookeeper.Url();
  Process strong({WEIR_GREETER_PROVIDER, "--registry", registry, "--weight", "300"});
  Process weak({WEIR_GREETER_PROVIDER, "--registry", registry});
  const std::string here = AwaitServing(strong);
  const std::string there = AwaitServing(weak);
  AwaitGreeters(registry, {here, there});

  Process consumer({WEIR_GREETER_CONSUMER, "--registry", registry, "--calls", "40"});
  EXPECT_EQ(consumer.Wait(kPatience), 0) << consumer.Errors();
  EXPECT_THAT(consumer.Output(), HasSubstr(here + " served 30 of 40 calls\n"));
  EXPECT_THAT(consumer.Output(), HasSubstr(there + " served 10 of 40 calls\n"));

  for (Process* provider : {&strong, &weak}) {
    provider->Signal(SIGTERM);
    EXPECT_EQ(provider->Wait(kPatience), 0) << provider->Errors();
  }
  EXPECT_TRUE(zookeeper.Ephemerals().empty());
}

TEST(GreeterAtZooKeeper, ConsumerSaysThatNobodyAnswers) {
  ZooKeeperServer zookeeper;
  const std::string registry = zookeeper.Url();
  zookeeper.Kill();
  Process consumer({WEIR_GREETER_CONSUMER, "--registry", registry, "--wait", "0.5"});
  EXPECT_EQ(consumer.Wait(kPatience), 1);
  EXPECT_THAT(consumer.Errors(), HasSubstr("error: registry zk://" + zookeeper.address()));
  EXPECT_THAT(consumer.Errors(), HasSubstr("has not answered"));
}

}  // namespace
}  // namespace weir::testing
