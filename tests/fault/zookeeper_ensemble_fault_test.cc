// What consumers see of an ensemble that loses its leader, is restarted, or is wiped: nothing.
// Numbers are those of the table of cases in docs/registry.md.
#include <gtest/gtest.h>

#include <iostream>

#include "fault/steady_load.h"
#include "fault/zookeeper_faults.h"
#include "support/tcp_proxy.h"
#include "support/zookeeper_ensemble.h"

namespace weir::test {
namespace {

constexpr int kTimeoutMs = 1500;
constexpr std::chrono::milliseconds kSession{kTimeoutMs};

class ZooKeeperEnsembleFault : public ::testing::Test {
 protected:
  ZooKeeperEnsembleFault() : url_(ensemble_.Url("/rpc", kTimeoutMs)) {}

  // Three providers, and a consumer that calls them.
  void Start(const std::string& url_of_providers) {
    for (int i = 0; i < 3; ++i) {
      providers_.push_back(std::make_unique<ProviderProcess>(url_of_providers));
    }
    EXPECT_TRUE(AwaitStanding(ensemble_, providers_));
    load_ = std::make_unique<SteadyLoad>(url_);
    EXPECT_TRUE(load_->AwaitAnswersFrom(AddressesOf(providers_), kPatience));
  }

  // Waits for a quorum, then for all nodes, in the hands of living sessions, then for the servers
  // that are not up yet.
  void ExpectAllBackSoon(const std::string& after) {
    ASSERT_TRUE(WaitUntil([&] { return ensemble_.Leader().has_value(); }, 60s));
    const auto quorum = Clock::now();
    EXPECT_TRUE(AwaitStanding(ensemble_, providers_, 10s)) << after;
    std::cout << "all nodes back " << MillisecondsSince(quorum) << " ms after the quorum: " << after
              << "\n";
    ensemble_.WaitForQuorum();
  }
  void ExpectNoFailedCall() {
    EXPECT_TRUE(load_->AwaitAnswersFrom(AddressesOf(providers_), kPatience));
    const LoadTally tally = load_->Stop();
    EXPECT_TRUE(tally.failures.empty()) << tally.ToString();
    std::cout << tally.ToString() << "\n";
  }

  weir::testing::ZooKeeperEnsemble ensemble_;
  const std::string url_;
  Providers providers_;
  std::unique_ptr<SteadyLoad> load_;
};

TEST_F(ZooKeeperEnsembleFault, R8_LeaderKilledFailsNoCall) {
  Start(url_);
  const auto leader = ensemble_.Leader();
  ASSERT_TRUE(leader.has_value());
  ensemble_.member(*leader).Kill();
  ExpectAllBackSoon("leader killed");
  // Changes are seen, so the consumer watches.
  providers_.push_back(std::make_unique<ProviderProcess>(url_));
  EXPECT_TRUE(load_->AwaitAnswersFrom(AddressesOf(providers_), kPatience));
  ExpectNoFailedCall();
}

TEST_F(ZooKeeperEnsembleFault, R8_RollingRestartFailsNoCall) {
  Start(url_);
  for (std::size_t i = 0; i < ensemble_.size(); ++i) {
    ensemble_.member(i).Stop();
    ensemble_.WaitForQuorum();
    ensemble_.member(i).Launch();
    ExpectAllBackSoon("restart of member " + std::to_string(i));
  }
  providers_.push_back(std::make_unique<ProviderProcess>(url_));
  EXPECT_TRUE(load_->AwaitAnswersFrom(AddressesOf(providers_), kPatience));
  ExpectNoFailedCall();
}

TEST_F(ZooKeeperEnsembleFault, R8_FullStopAndStartFailsNoCall) {
  Start(url_);
  ensemble_.StopAll();
  // Calls go on for longer than a session: three providers answer 500 calls a second.
  EXPECT_TRUE(load_->AwaitAnswersFrom(AddressesOf(providers_), kPatience, kTimeoutMs * 3 / 2 / 6));
  ensemble_.LaunchAll();
  ExpectAllBackSoon("full stop and start");
  // Past the end of the sessions that the servers remember.
  for (const auto& provider : providers_) {
    const std::uint64_t owner = OwnerOf(ensemble_, provider->node());
    EXPECT_TRUE(StaysOwned(ensemble_, provider->node(), owner, kSession / 2 + 250ms));
  }
  EXPECT_TRUE(StandAlone(ensemble_, providers_));
  ExpectNoFailedCall();
}

TEST_F(ZooKeeperEnsembleFault, R9_WipedUnderLoadItIsRebuiltByTheProvidersAndFailsNoCall) {
  Start(url_);
  ensemble_.StopAll();
  ensemble_.WipeAll();
  ensemble_.LaunchAll();
  ExpectAllBackSoon("wiped");
  providers_.push_back(std::make_unique<ProviderProcess>(url_));
  EXPECT_TRUE(load_->AwaitAnswersFrom(AddressesOf(providers_), kPatience));
  ExpectNoFailedCall();
}

TEST_F(ZooKeeperEnsembleFault, R9_WipedAndFoundEmptyTheProvidersThatAnswerAreCalledOn) {
  // The providers come back later than the consumer, which so must see the empty tree.
  weir::testing::TcpProxy proxy(ensemble_.member(0).port());
  Start("zk://" + proxy.address() + "/rpc?session_timeout_ms=" + std::to_string(kTimeoutMs));
  proxy.Cut();
  ensemble_.StopAll();
  ensemble_.WipeAll();
  ensemble_.LaunchAll();
  ensemble_.WaitForQuorum();
  ASSERT_TRUE(WaitUntil([&] { return !ensemble_.Sessions().empty(); }, kPatience));
  EXPECT_TRUE(load_->AwaitAnswersFrom(AddressesOf(providers_), kPatience, 200));
  EXPECT_TRUE(ensemble_.Ephemerals().empty());
  proxy.Heal();
  ExpectAllBackSoon("wiped, and cut off from the providers");
  ExpectNoFailedCall();
}

}  // namespace
}  // namespace weir::test
