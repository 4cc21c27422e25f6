// `weir` on a real ZooKeeper.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/weir_tool_suite.h"
#include "support/zookeeper_server.h"

namespace weir::testing {
namespace {

class ZooKeeperPlace final : public RegistryPlace {
 public:
  std::string url() const override { return server_.Url(); }

 private:
  ZooKeeperServer server_;
};

INSTANTIATE_TEST_SUITE_P(ZooKeeper, OperatorTest,
                         ::testing::Values(RegistryKind{"zk", MakePlace<ZooKeeperPlace>}),
                         [](const auto& kind) { return std::string(kind.param.name); });

TEST(WeirZooKeeper, WatchTellsThatTheRegistryIsLostAndBack) {
  ZooKeeperServer server;
  Process watch({WEIR_PROGRAM, "watch", server.Url()});
  const auto provider = StartProvider(server.Url(), "a.A", "127.0.0.1:7001", 3);
  ASSERT_TRUE(provider);
  ASSERT_TRUE(watch.WaitForLine("127.0.0.1:7001", std::chrono::seconds(30))) << watch.Errors();
  server.Kill();
  EXPECT_TRUE(watch.WaitForLine("  lost: ", std::chrono::seconds(30)));
  server.Restart();
  EXPECT_TRUE(watch.WaitForLine("  back", std::chrono::seconds(30)));
  // A server that is away is no provider that left.
  EXPECT_EQ(watch.Output().find("left"), std::string::npos) << watch.Output();
  watch.Signal(SIGTERM);
  EXPECT_EQ(watch.Wait(std::chrono::seconds(30)), 0);
}

TEST(WeirZooKeeper, NoPasswordIsPrinted) {
  const std::string dead = "127.0.0.1:" + std::to_string(FreePort());
  for (const std::string& url : {"zk://user:sesame@" + dead + "/rpc", "zk://user:sesame@" + dead,
                                 "zoo://user:sesame@" + dead + "/rpc", "user:sesame@" + dead}) {
    for (const auto& words : {std::vector<std::string>{"list"},
                              {"watch"},
                              {"drain", "h:1"},
                              {"weight", "a.A", "h:1", "5"}}) {
      std::vector<std::string> arguments = words;
      arguments.insert(arguments.end(), {"--timeout-ms", "300"});
      const Ended ended = RunWeir(arguments, url);
      EXPECT_NE(ended.code, 0) << words.front();
      EXPECT_EQ((ended.output + ended.errors).find("sesame"), std::string::npos) << ended.errors;
      EXPECT_THAT(ended.errors, ::testing::StartsWith("error: "));
    }
  }
}

TEST(WeirZooKeeper, AServerThatDoesNotAnswerIsNamedInTime) {
  const std::string url = "zk://127.0.0.1:" + std::to_string(FreePort()) + "/rpc";
  for (const char* command : {"list", "watch"}) {
    const auto start = std::chrono::steady_clock::now();
    const Ended ended = RunWeir({command, url, "--timeout-ms", "500"});
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
    EXPECT_EQ(ended.code, 1);
    EXPECT_THAT(ended.errors, ::testing::HasSubstr(url));
  }
}

}  // namespace
}  // namespace weir::testing
