// What consumers see of faults of a file:// registry. Numbers are those of the table of cases in
// docs/registry.md; failed calls are counted by the consumer that makes them.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <system_error>

#include "fault/steady_load.h"
#include "fault/zookeeper_faults.h"
#include "registry/watched.h"
#include "support/temp_dir.h"

namespace weir::test {
namespace {

using weir::testing::OpenOrDie;

class FileRegistryLoad : public ::testing::Test {
 protected:
  std::string Root() const { return directory_.Path("registry"); }
  std::string Url() const { return "file://" + Root(); }
  std::string Node(const ProviderProcess& provider) const {
    return Root() + "/" + kEcho + "/" + provider.address();
  }
  bool Stand(const Providers& providers) const {
    return WaitUntil(
        [&] {
          for (const auto& provider : providers) {
            if (!std::filesystem::exists(Node(*provider))) return false;
          }
          return true;
        },
        kPatience);
  }
  Providers Start(int count) const {
    Providers providers;
    for (int i = 0; i < count; ++i) providers.push_back(std::make_unique<ProviderProcess>(Url()));
    EXPECT_TRUE(Stand(providers));
    return providers;
  }

  weir::testing::TempDir directory_;
};

TEST_F(FileRegistryLoad, R1_R2_AKilledProviderCostsNoIdempotentCallAndComesBackOnItsPort) {
  Providers providers = Start(3);
  SteadyLoad load(Url(), {.calls_per_second = 200, .idempotent = true, .handler_ms = 2});
  ASSERT_TRUE(load.AwaitAnswersFrom(AddressesOf(providers), kPatience));
  const std::string address = providers[0]->address();
  providers[0]->process().Kill();
  EXPECT_TRUE(WaitUntil([&] { return !std::filesystem::exists(Node(*providers[0])); }, 2s));
  providers[0] = std::make_unique<ProviderProcess>(Url(), address);
  EXPECT_TRUE(load.AwaitAnswersFrom(AddressesOf(providers), kPatience));
  const LoadTally tally = load.Stop();
  EXPECT_TRUE(tally.failures.empty()) << tally.ToString();
}

TEST_F(FileRegistryLoad, R9_AWipedDirectoryCostsNoCall) {
  const Providers providers = Start(3);
  SteadyLoad load(Url());
  ASSERT_TRUE(load.AwaitAnswersFrom(AddressesOf(providers), kPatience));
  for (int round = 0; round < 5; ++round) {
    std::error_code ignored;  // the providers may already be at work again
    std::filesystem::remove_all(Root(), ignored);
    EXPECT_TRUE(Stand(providers));
    EXPECT_TRUE(load.AwaitAnswersFrom(AddressesOf(providers), kPatience));
  }
  const LoadTally tally = load.Stop();
  EXPECT_TRUE(tally.failures.empty()) << tally.ToString();
}

TEST_F(FileRegistryLoad, ADirectoryThatIsGoneAndReturnsCostsNoCall) {
  const Providers providers = Start(2);
  SteadyLoad load(Url());
  ASSERT_TRUE(load.AwaitAnswersFrom(AddressesOf(providers), kPatience));
  std::filesystem::rename(Root(), directory_.Path("away"));
  for (bool in_the_way = false; !in_the_way;) {
    std::error_code ignored;  // all may be making it again
    std::filesystem::remove_all(Root(), ignored);
    std::filesystem::create_symlink("/nonexistent/place", Root(), ignored);
    in_the_way = std::filesystem::is_symlink(Root(), ignored);
  }
  // Calls go on meanwhile, for longer than a vanished folder is waited for.
  // Perhaps from one provider alone: it may have come back, and been seen, before the other.
  const auto answered = [&] {
    return load.AnsweredBy(providers[0]->address()) + load.AnsweredBy(providers[1]->address());
  };
  const int before = answered();
  EXPECT_TRUE(WaitUntil([&] { return answered() > before + 1000; }, kPatience));
  std::filesystem::remove(Root());
  EXPECT_TRUE(Stand(providers));
  EXPECT_TRUE(load.AwaitAnswersFrom(AddressesOf(providers), kPatience));
  const LoadTally tally = load.Stop();
  EXPECT_TRUE(tally.failures.empty()) << tally.ToString();
}

TEST_F(FileRegistryLoad, AnOperatorsDrainCostsNoCallAndTakesAllCallsAway) {
  const Providers providers = Start(2);
  SteadyLoad load(Url());
  ASSERT_TRUE(load.AwaitAnswersFrom(AddressesOf(providers), kPatience));
  const auto registry = OpenOrDie(Url());
  const std::string& drained = providers[0]->address();
  EXPECT_TRUE(registry->Reweigh(kEcho, drained, 0).ok());
  // Once the other one has had the calls of a while, this one gets no more.
  EXPECT_TRUE(load.AwaitAnswersFrom({providers[1]->address()}, kPatience, 200));
  const int answered = load.AnsweredBy(drained);
  EXPECT_TRUE(load.AwaitAnswersFrom({providers[1]->address()}, kPatience, 200));
  EXPECT_EQ(load.AnsweredBy(drained), answered);
  EXPECT_TRUE(registry->Reweigh(kEcho, drained, 100).ok());
  EXPECT_TRUE(load.AwaitAnswersFrom(AddressesOf(providers), kPatience));
  const LoadTally tally = load.Stop();
  EXPECT_TRUE(tally.failures.empty()) << tally.ToString();
}

}  // namespace
}  // namespace weir::test
