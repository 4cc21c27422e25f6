// What consumers go through that are stopped or lose ZooKeeper. Numbers are those of the table of
// cases in docs/registry.md. Failed calls are counted by the consumer that makes them.
#include <gtest/gtest.h>

#include <csignal>
#include <iostream>
#include <sstream>

#include "fault/steady_load.h"
#include "fault/zookeeper_faults.h"
#include "support/tcp_proxy.h"
#include "support/zookeeper_server.h"

namespace weir::test {
namespace {

using weir::testing::TcpProxy;

constexpr int kTimeoutMs = 1500;

class ZooKeeperConsumerFault : public ::testing::Test {
 protected:
  ZooKeeperConsumerFault() {
    for (int i = 0; i < 3; ++i) providers_.push_back(std::make_unique<ProviderProcess>(Url()));
    EXPECT_TRUE(AwaitStanding(zookeeper_, providers_));
  }
  std::string Url() const { return zookeeper_.Url("/rpc", kTimeoutMs); }
  // The sessions of those who hold no node.
  std::set<std::uint64_t> ConsumerSessions() const {
    std::set<std::uint64_t> sessions = zookeeper_.Sessions();
    for (const auto& [path, owner] : zookeeper_.Ephemerals()) sessions.erase(owner);
    return sessions;
  }
  // One provider dies and another comes.
  void ChangeProviders() {
    providers_[1]->process().Kill();
    const std::string dead = providers_[1]->node();
    providers_[1] = std::make_unique<ProviderProcess>(Url());
    EXPECT_TRUE(WaitUntil([&] { return OwnerOf(zookeeper_, dead) == 0; }, kPatience));
    EXPECT_TRUE(AwaitStanding(zookeeper_, providers_));
  }

  weir::testing::ZooKeeperServer zookeeper_;
  Providers providers_;
};

// As fault_consumer prints it.
std::string ListLine(const Providers& providers) {
  std::set<std::string> sorted;
  for (const auto& provider : providers) sorted.insert(provider->address());
  std::string line = "list";
  for (const std::string& address : sorted) line += " " + address + "*100";
  return line;
}

std::string LastList(const Process& consumer) {
  std::string last;
  for (const std::string& line : consumer.Lines()) {
    if (line.starts_with("list")) last = line;
  }
  return last;
}

TEST_F(ZooKeeperConsumerFault, R4_StoppedPastItsTimeoutItHasTheExactListAgain) {
  Process consumer({WEIR_FAULT_CONSUMER, Url()});
  ASSERT_TRUE(consumer.WaitForLine("calling", kPatience)) << consumer.Errors();
  ASSERT_TRUE(WaitUntil([&] { return LastList(consumer) == ListLine(providers_); }, kPatience));
  ASSERT_EQ(ConsumerSessions().size(), 2u);  // its channel's, and the one that it prints

  consumer.Signal(SIGSTOP);
  const auto stopped = Clock::now();
  ChangeProviders();
  EXPECT_TRUE(WaitUntil([&] { return ConsumerSessions().empty(); }, kPatience));
  consumer.Signal(SIGCONT);
  const auto continued = Clock::now();
  EXPECT_TRUE(WaitUntil([&] { return LastList(consumer) == ListLine(providers_); }, 3000ms))
      << consumer.Output();
  const auto exact = MillisecondsSince(continued);
  EXPECT_TRUE(WaitUntil([&] { return ConsumerSessions().size() == 2; }, kPatience));

  consumer.CloseInput();
  EXPECT_EQ(consumer.Wait(kPatience), 0) << consumer.Errors();
  EXPECT_EQ(LastList(consumer), ListLine(providers_));
  // Calls that were under way when it was stopped may have missed their deadlines.
  for (const std::string& line : consumer.Lines()) {
    if (!line.starts_with("failed ")) continue;
    const Clock::time_point started{std::chrono::milliseconds(std::stoll(line.substr(7)))};
    EXPECT_LT(started, stopped + 20ms) << line;
  }
  std::cout << "exact list after " << exact << " ms; " << consumer.Lines().back() << "\n";
}

TEST_F(ZooKeeperConsumerFault, R5_ItsSessionExpiredByForceItWatchesAgainAndFailsNoCall) {
  SteadyLoad load(Url());
  ASSERT_TRUE(load.AwaitAnswersFrom(AddressesOf(providers_), kPatience));
  for (int round = 0; round < 3; ++round) {
    const auto former = ConsumerSessions();
    ASSERT_EQ(former.size(), 1u);
    zookeeper_.ExpireSession(*former.begin());
    ASSERT_TRUE(WaitUntil(
        [&] {
          const auto sessions = ConsumerSessions();
          return sessions.size() == 1 && sessions != former;
        },
        kPatience));
    // Only the new session can tell of a new provider.
    providers_.push_back(std::make_unique<ProviderProcess>(Url()));
    EXPECT_TRUE(load.AwaitAnswersFrom(AddressesOf(providers_), kPatience));
  }
  const LoadTally tally = load.Stop();
  EXPECT_TRUE(tally.failures.empty()) << tally.ToString();
}

TEST_F(ZooKeeperConsumerFault, R7_CutOffItFailsNoCallAndSeesTheChangesAfterHealing) {
  TcpProxy proxy(zookeeper_.port());
  SteadyLoad load(
      "zk://" + proxy.address() + "/rpc?session_timeout_ms=" + std::to_string(kTimeoutMs),
      {.idempotent = true});
  ASSERT_TRUE(load.AwaitAnswersFrom(AddressesOf(providers_), kPatience));
  ASSERT_EQ(ConsumerSessions().size(), 1u);

  proxy.Cut();
  ChangeProviders();
  EXPECT_TRUE(WaitUntil([&] { return ConsumerSessions().empty(); }, kPatience));
  const std::string newcomer = providers_[1]->address();
  EXPECT_TRUE(load.AwaitAnswersFrom({providers_[0]->address()}, kPatience, 200));
  EXPECT_EQ(load.AnsweredBy(newcomer), 0) << "it is not cut off";
  proxy.Heal();
  const auto healed = Clock::now();
  EXPECT_TRUE(load.AwaitAnswersFrom({newcomer}, 3000ms, 1));
  const auto seen = MillisecondsSince(healed);
  EXPECT_LE(seen, 3000);
  EXPECT_TRUE(load.AwaitAnswersFrom(AddressesOf(providers_), kPatience));
  const LoadTally tally = load.Stop();
  EXPECT_TRUE(tally.failures.empty()) << tally.ToString();
  std::cout << "the newcomer was called " << seen << " ms after healing\n";
}

}  // namespace
}  // namespace weir::test
