// The private ZooKeeper server of the tests, tested.
#include "support/zookeeper_server.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace weir::testing
