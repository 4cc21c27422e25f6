// The private ZooKeeper servers of the tests, tested.
#include "support/zookeeper_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "support/process.h"
#include "support/zookeeper_ensemble.h"

namespace weir::testing {
namespace {

TEST(ZooKeeperServer, StartsStopsAndRestartsOnTheSamePort) {
  ZooKeeperServer server;
  EXPECT_NE(server.Ask("srvr").find("Mode: standalone"), std::string::npos);
  const std::uint16_t port = server.port();
  server.Kill();
  EXPECT_FALSE(server.running());
  EXPECT_EQ(server.Ask("srvr"), "");
  server.Restart();
  EXPECT_EQ(server.port(), port);
  EXPECT_NE(server.Ask("srvr").find("Mode: standalone"), std::string::npos);
  EXPECT_TRUE(server.Ephemerals().empty());
  server.Stop();
  EXPECT_FALSE(server.running());
}

TEST(ZooKeeperEnsemble, ElectsAnotherLeaderAndSurvivesEveryFault) {
  ZooKeeperEnsemble ensemble(3);
  const auto first = ensemble.Leader();
  ASSERT_TRUE(first.has_value());
  ensemble.member(*first).Kill();
  ensemble.WaitForQuorum();
  const auto second = ensemble.Leader();
  ASSERT_TRUE(second.has_value());
  EXPECT_NE(second, first);
  ensemble.LaunchAll();
  ensemble.WaitForQuorum();
  EXPECT_TRUE(ensemble.member(*first).Serves());

  // Those who hear nothing from their leader choose another.
  ensemble.member(*second).Pause();
  ensemble.WaitForQuorum();
  EXPECT_NE(ensemble.Leader(), second);
  ensemble.member(*second).Resume();
  ensemble.WaitForQuorum();

  // One alone is no quorum.
  const auto third = ensemble.Leader();
  ASSERT_TRUE(third.has_value());
  for (std::size_t i = 0; i < ensemble.size(); ++i) {
    if (i != *third) ensemble.member(i).Kill();
  }
  EXPECT_TRUE(WaitUntil([&] { return !ensemble.Leader(); }, kZooKeeperStartTimeout));
  EXPECT_TRUE(ensemble.member(*third).running());
  ensemble.StopAll();
  ensemble.WipeAll();
  ensemble.LaunchAll();
  ensemble.WaitForQuorum();
  EXPECT_TRUE(ensemble.Ephemerals().empty());
  EXPECT_THAT(ensemble.Url("/rpc", 1500),
              ::testing::MatchesRegex("zk://127.0.0.1:[0-9]+,127.0.0.1:[0-9]+,127.0.0.1:[0-9]+/rpc"
                                      "[?]session_timeout_ms=1500"));
}

TEST(PrivateZooKeeper, PrintsItsUrlAndEndsWithItsInput) {
  Process program({WEIR_PRIVATE_ZOOKEEPER});
  const auto url = program.WaitForLine("zk://127.0.0.1:", kZooKeeperStartTimeout);
  ASSERT_TRUE(url.has_value()) << program.Errors();
  const auto port = static_cast<std::uint16_t>(std::stoi(url->substr(url->rfind(':') + 1)));
  EXPECT_TRUE(ZooKeeperServes(port));
  program.CloseInput();
  EXPECT_EQ(program.Wait(std::chrono::seconds(20)), 0);
  EXPECT_FALSE(ZooKeeperServes(port));
}

TEST(PrivateZooKeeper, StartsAnEnsembleAndEndsWithSigterm) {
  Process program({WEIR_PRIVATE_ZOOKEEPER, "--nodes", "3", "--session-timeout", "2000"});
  EXPECT_THAT(program.WaitForLine("zk://", kZooKeeperStartTimeout).value_or(program.Errors()),
              ::testing::ContainsRegex("(127.0.0.1:[0-9]+,){2}127.0.0.1:[0-9]+"
                                       "/rpc[?]session_timeout_ms=2000"));
  program.Signal(SIGTERM);
  EXPECT_EQ(program.Wait(std::chrono::seconds(20)), 0);
}

}  // namespace
}  // namespace weir::testing
