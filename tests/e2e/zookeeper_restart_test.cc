// What consumers see of a ZooKeeper that dies and comes back: nothing.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "core/echo_service.h"
#include "support/process.h"
#include "support/zookeeper_server.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;

// Calls all the time, and counts.
class Consumer {
 public:
  explicit Consumer(const std::string& registry) : channel_(registry), echo_(channel_) {
    thread_ = std::thread([this] {
      while (!stop_) {
        const Result<EchoReply> reply = echo_.Plain({});
        if (reply.ok()) {
          ++answered_;
        } else {
          ++failed_;
          ADD_FAILURE() << reply.status().ToString();
        }
      }
    });
  }
  ~Consumer() {
    stop_ = true;
    thread_.join();
  }
  int answered() const { return answered_; }
  int failed() const { return failed_; }

 private:
  Channel channel_;
  Echo::Stub echo_;
  std::atomic<bool> stop_{false};
  std::atomic<int> answered_{0};
  std::atomic<int> failed_{0};
  std::thread thread_;
};

TEST(ZooKeeperUnderLoad, KilledAndRestartedItFailsNoCall) {
  weir::testing::ZooKeeperServer zookeeper;
  const std::string registry = zookeeper.Url();
  const auto a = StartEcho(registry, "a");
  const auto b = StartEcho(registry, "b");
  {
    Channel probe(registry);
    ASSERT_TRUE(probe.WaitForProviders("weir.test.Echo", 20s).ok());
  }
  Consumer consumer(registry);
  const auto goes_on = [&] {
    const int before = consumer.answered();
    return weir::testing::WaitUntil([&] { return consumer.answered() > before + 100; }, 20s);
  };
  ASSERT_TRUE(goes_on());
  for (int round = 0; round < 2; ++round) {
    zookeeper.Kill();
    EXPECT_TRUE(goes_on()) << "without ZooKeeper";
    zookeeper.Restart();
    // Of each provider one with its weight, one with its facts.
    ASSERT_TRUE(weir::testing::WaitUntil([&] { return zookeeper.Ephemerals().size() == 4; }, 30s))
        << "both providers are registered again";
    EXPECT_TRUE(goes_on()) << "with ZooKeeper back";
  }
  EXPECT_EQ(consumer.failed(), 0);
}

}  // namespace
}  // namespace weir::test
