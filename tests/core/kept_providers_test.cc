// Which providers are kept when a registry suddenly shows few of them, and for how long.
#include "client/kept_providers.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace weir::detail {
namespace {

using namespace std::chrono_literals;
using Clock = KeptProviders::Clock;

class KeptProvidersTest : public ::testing::Test {
 protected:
  static ProviderList List(const std::set<std::string>& addresses) {
    auto list = std::make_shared<std::vector<Provider>>();
    for (const std::string& address : addresses) list->push_back({address, 7});
    return list;
  }
  static std::set<std::string> Addresses(const ProviderList& list) {
    std::set<std::string> all;
    for (const Provider& provider : *list) all.insert(provider.address);
    EXPECT_EQ(all.size(), list->size()) << "duplicates";
    return all;
  }
  std::set<std::string> Update(const std::set<std::string>& addresses) {
    return Addresses(kept_.Update(List(addresses), now_));
  }
  // Those in `answering_` answer at this very moment.
  bool Review() {
    return kept_.Review(
        [this](const std::string& address) {
          return LiveLinks::Evidence{answering_.count(address) > 0 || silent_.count(address) > 0,
                                     answering_.count(address) > 0 ? now_ : Clock::time_point{}};
        },
        now_);
  }
  std::set<std::string> InUse() const { return Addresses(kept_.list()); }

  const std::set<std::string> all_ = {"h:1", "h:2", "h:3", "h:4"};
  KeptProviders kept_{10min};
  Clock::time_point now_ = Clock::time_point(1h);
  std::set<std::string> answering_;  // connected, and heard all the time
  std::set<std::string> silent_;     // connected, and never heard
};

TEST_F(KeptProvidersTest, AListIsUsedAsItIs) {
  EXPECT_EQ(Update({}), std::set<std::string>());
  EXPECT_EQ(Update(all_), all_);
  EXPECT_EQ(kept_.list()->at(0).weight, 7);
  EXPECT_TRUE(kept_.empty());
}

TEST_F(KeptProvidersTest, HalfOfTheProvidersMayLeave) {
  Update(all_);
  EXPECT_EQ(Update({"h:1", "h:2"}), (std::set<std::string>{"h:1", "h:2"}));
  EXPECT_TRUE(kept_.empty());
}

TEST_F(KeptProvidersTest, WhoAnswersIsKeptWhenTheListEmpties) {
  Update(all_);
  EXPECT_EQ(Update({}), all_) << "all have a moment to answer";
  answering_ = {"h:1", "h:2"};
  silent_ = {"h:3"};  // such as a stopped process: connected, but it does not answer
  now_ += 1s;
  EXPECT_FALSE(Review());
  EXPECT_EQ(kept_.proven(), 2u);
  now_ += 1s;
  EXPECT_TRUE(Review());
  EXPECT_EQ(InUse(), answering_);
  now_ += 9min;
  EXPECT_FALSE(Review());
  EXPECT_EQ(InUse(), answering_);
  answering_ = {"h:2"};
  EXPECT_TRUE(Review());
  EXPECT_EQ(InUse(), answering_) << "whose connection ends is let go at once";
  now_ += 1min;
  EXPECT_TRUE(Review());
  EXPECT_TRUE(InUse().empty()) << "the time is over";
}

TEST_F(KeptProvidersTest, MoreThanHalfIsTooMuchAtOnceAndInSteps) {
  Update(all_);
  EXPECT_EQ(Update({"h:1"}), all_);
  KeptProviders steps(10min);
  steps.Update(List(all_), now_);
  steps.Update(List({"h:1", "h:2", "h:3"}), now_ + 100ms);
  EXPECT_EQ(steps.Update(List({"h:1", "h:2"}), now_ + 200ms)->size(), 2u);
  EXPECT_EQ(steps.Update(List({"h:1"}), now_ + 300ms)->size(), 4u)
      << "also those that were let go a moment ago";
}

TEST_F(KeptProvidersTest, SlowShrinkingIsBelieved) {
  Update(all_);
  for (const auto& list : {std::set<std::string>{"h:1", "h:2", "h:3"}, {"h:1", "h:2"}, {"h:1"}}) {
    now_ += 11s;
    EXPECT_EQ(Update(list), list);
  }
  now_ += 11s;
  EXPECT_EQ(Update({}), std::set<std::string>{"h:1"}) << "but the last one goes only if it is gone";
  now_ += 2s;
  EXPECT_TRUE(Review());
  EXPECT_TRUE(InUse().empty());
}

TEST_F(KeptProvidersTest, AListThatIsOldIsStillWhatIsShrunkFrom) {
  Update(all_);
  now_ += 24h;
  EXPECT_EQ(Update({}), all_);
}

TEST_F(KeptProvidersTest, TheyAreReleasedAsTheyAreShownAgain) {
  answering_ = all_;
  Update(all_);
  Update({});
  now_ += 1s;
  Review();
  EXPECT_EQ(Update({"h:2"}), all_);
  EXPECT_EQ(kept_.returned(), std::vector<std::string>{"h:2"});
  EXPECT_EQ(kept_.size(), 3u);
  const std::set<std::string> five = {"h:1", "h:2", "h:3", "h:4", "h:5"};
  EXPECT_EQ(Update({"h:2", "h:5"}), five);
  EXPECT_EQ(Update({"h:1", "h:2", "h:3"}), five) << "while some are kept, no loss is believed";
  now_ += 2s;
  EXPECT_TRUE(Review());
  EXPECT_EQ(InUse(), all_) << "but the fifth did not answer";
  EXPECT_EQ(Update(all_), all_);
  EXPECT_TRUE(kept_.empty());
}

TEST_F(KeptProvidersTest, WhoWasLetGoIsNotMissedAgain) {
  Update(all_);
  Update({});
  now_ += 2s;
  EXPECT_TRUE(Review());
  EXPECT_TRUE(InUse().empty());
  EXPECT_EQ(Update({}), std::set<std::string>());
  EXPECT_EQ(Update({"h:9"}), std::set<std::string>{"h:9"});
}

TEST_F(KeptProvidersTest, NothingIsKeptWhereThatIsSwitchedOff) {
  KeptProviders off(0s);
  off.Update(List(all_), now_);
  EXPECT_TRUE(off.Update(List({}), now_)->empty());
}

}  // namespace
}  // namespace weir::detail
