// Who is ejected and who comes back, under a clock of the test's own.
#include "client/outlier_detector.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace weir::detail {
namespace {

using namespace std::chrono_literals;
using Rule = OutlierDetector::Rule;

class Outliers : public ::testing::Test {
 protected:
  explicit Outliers(std::size_t providers = 4) { Use(providers); }

  void Use(std::size_t providers) {
    std::vector<Provider> list;
    for (std::size_t i = 0; i < providers; ++i) {
      list.push_back({"10.0.0." + std::to_string(100 + i) + ":1"});
    }
    UseList(list);
  }
  void UseList(const std::vector<Provider>& list) {
    std::vector<std::shared_ptr<Endpoint>> endpoints;
    for (const Provider& one : list) {
      auto& endpoint = known_[one.address];
      if (!endpoint) endpoint = std::make_shared<Endpoint>();
      endpoints.push_back(endpoint);
    }
    snapshot_ = std::make_shared<const Snapshot>(list, std::move(endpoints));
    connected_.assign(list.size(), true);
    detector_->Use(snapshot_);
  }
  void SetOptions(const OutlierEjection& options) {
    detector_ = std::make_unique<OutlierDetector>(options, 1);
    detector_->Use(snapshot_);
  }

  Endpoint& endpoint(Index i) { return snapshot_->endpoint(i); }
  void Call(Index i, Outcome outcome, int times = 1) {
    for (int t = 0; t < times; ++t) {
      endpoint(i).OnStart(0, now_);
      End(i, outcome, now_);
    }
  }
  void End(Index i, Outcome outcome, std::int64_t started) {
    if (outcome == Outcome::kAnswered || outcome == Outcome::kFaulted) Heard(i);
    endpoint(i).OnEnd(0, started, now_, outcome);
  }
  void Heard(Index i) { endpoint(i).OnReport({.slots = 1}, now_); }
  void CallAll(Outcome outcome = Outcome::kAnswered, int times = 1) {
    for (Index i = 0; i < snapshot_->size(); ++i) Call(i, outcome, times);
  }
  bool Review() {
    return detector_->Review(now_, [this](Index i) { return connected_[i]; });
  }
  // Reviews as the channel does.
  void Wait(std::chrono::nanoseconds time, const std::function<void()>& meanwhile = {}) {
    for (const std::int64_t end = now_ + time.count(); now_ < end;) {
      now_ += std::chrono::nanoseconds(100ms).count();
      if (meanwhile) meanwhile();
      Review();
    }
  }
  std::vector<Index> Ejected() const {
    return {detector_->ejected().begin(), detector_->ejected().end()};
  }
  std::vector<Index> OnTrial() const {
    return {detector_->on_trial().begin(), detector_->on_trial().end()};
  }
  std::vector<Index> Asked() const {
    return {detector_->to_ask().begin(), detector_->to_ask().end()};
  }
  using List = std::vector<Index>;

  std::unique_ptr<OutlierDetector> detector_ =
      std::make_unique<OutlierDetector>(OutlierEjection{.jitter = 0}, 1);
  std::map<std::string, std::shared_ptr<Endpoint>> known_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::vector<bool> connected_;
  std::int64_t now_ = std::chrono::nanoseconds(1000s).count();
};

TEST_F(Outliers, NobodyIsEjectedWithoutCalls) {
  EXPECT_FALSE(Review());
  EXPECT_TRUE(detector_->at_rest());
  CallAll();
  EXPECT_FALSE(Review());
  EXPECT_EQ(Ejected(), List());
}

TEST_F(Outliers, FailuresInARowEject) {
  CallAll();
  Review();
  Call(2, Outcome::kFaulted, 4);
  EXPECT_FALSE(Review());
  Call(2, Outcome::kLate);
  EXPECT_TRUE(Review());
  EXPECT_EQ(Ejected(), List{2});
  ASSERT_EQ(detector_->events().size(), 1u);
  EXPECT_TRUE(detector_->events()[0].ejected);
  EXPECT_EQ(detector_->events()[0].rule, Rule::kFailuresInARow);
  EXPECT_EQ(detector_->events()[0].address, "10.0.0.102:1");
  EXPECT_NE(detector_->events()[0].why.find("5 calls in a row"), std::string::npos);
  EXPECT_FALSE(Review());
  EXPECT_TRUE(detector_->events().empty());
}

TEST_F(Outliers, AGoodAnswerBetweenThemBeginsTheRowAnew) {
  CallAll();
  for (int i = 0; i < 2; ++i) {
    Call(2, Outcome::kFaulted, 4);
    Call(2, Outcome::kAnswered);
  }
  EXPECT_FALSE(Review());
}

TEST_F(Outliers, AbandonedCallsSayNothing) {
  CallAll();
  Call(1, Outcome::kAbandoned, 50);
  EXPECT_FALSE(Review());
}

TEST_F(Outliers, AHighErrorRateEjects) {
  CallAll();
  Review();
  // Three of four fail, never five in a row.
  for (int i = 0; i < 6; ++i) {
    Call(0, Outcome::kFaulted, 3);
    Call(0, Outcome::kAnswered);
    CallAll();
  }
  Call(0, Outcome::kFaulted, 3);
  EXPECT_TRUE(Review());
  EXPECT_EQ(Ejected(), List{0});
  EXPECT_EQ(detector_->events()[0].rule, Rule::kErrorRate);
}

TEST_F(Outliers, AHighErrorRateOfFewCallsDoesNot) {
  CallAll();
  Review();
  for (int i = 0; i < 4; ++i) {
    Call(0, Outcome::kFaulted, 4);
    Call(0, Outcome::kAnswered);
    Wait(10s);  // a new interval
  }
  EXPECT_EQ(Ejected(), List());
}

TEST_F(Outliers, NobodyIsEjectedIfAllFailAlike) {
  CallAll();
  Review();
  for (int i = 0; i < 30; ++i) {
    CallAll(Outcome::kFaulted);
    EXPECT_FALSE(Review());
  }
  // Nor if the others fail more than half as much.
  for (int i = 0; i < 10; ++i) {
    Call(0, Outcome::kAnswered);
    for (Index k = 1; k < 4; ++k) Call(k, Outcome::kFaulted, 4);
    EXPECT_FALSE(Review());
  }
}

TEST_F(Outliers, NoMoreThanTheLimitButAlwaysOne) {
  CallAll();
  for (Index i = 0; i < 3; ++i) Call(i, Outcome::kFaulted, 10);
  CallAll(Outcome::kAnswered, 0);
  Call(3, Outcome::kAnswered, 100);
  // Only one answers: with the others it is not clearly better, but for the first two.
  Review();
  EXPECT_LE(Ejected().size(), 1u);

  known_.clear();
  Use(40);
  CallAll();
  for (Index i = 0; i < 10; ++i) Call(i, Outcome::kFaulted, 10);
  EXPECT_TRUE(Review());
  EXPECT_EQ(Ejected(), (List{0, 1, 2, 3}));  // a tenth
}

TEST_F(Outliers, TheOnlyProviderIsNeverEjected) {
  known_.clear();
  Use(1);
  Call(0, Outcome::kFaulted, 100);
  Wait(5s);
  EXPECT_EQ(Ejected(), List());
}

TEST_F(Outliers, OneOfTwoMayBeEjected) {
  known_.clear();
  Use(2);
  CallAll();
  Call(0, Outcome::kFaulted, 5);
  EXPECT_TRUE(Review());
  EXPECT_EQ(Ejected(), List{0});
  Call(1, Outcome::kFaulted, 50);
  Review();
  EXPECT_EQ(Ejected(), List{0});
}

TEST_F(Outliers, ATrialThatGoesWellBringsBack) {
  CallAll();
  Call(1, Outcome::kFaulted, 5);
  ASSERT_TRUE(Review());
  Wait(9900ms);
  EXPECT_EQ(Ejected(), List{1});
  Wait(200ms);
  EXPECT_EQ(Ejected(), List());
  EXPECT_EQ(OnTrial(), List{1});
  EXPECT_TRUE(detector_->at_rest());  // nothing to do before a call decides
  EXPECT_FALSE(Review());
  Call(1, Outcome::kAnswered);
  EXPECT_TRUE(Review());
  EXPECT_EQ(OnTrial(), List());
  ASSERT_EQ(detector_->events().size(), 1u);
  EXPECT_FALSE(detector_->events()[0].ejected);
}

TEST_F(Outliers, EachFailedTrialDoublesTheTimeUpToItsLimit) {
  CallAll();
  Call(1, Outcome::kFaulted, 5);
  ASSERT_TRUE(Review());
  for (const auto time : {10s, 20s, 40s, 80s, 160s, 300s, 300s}) {
    Wait(time - 200ms);
    EXPECT_EQ(Ejected(), List{1}) << time.count();
    Wait(300ms);
    ASSERT_EQ(OnTrial(), List{1}) << time.count();
    const std::uint32_t trial = detector_->TrialOf(1);
    Call(1, Outcome::kFaulted);
    EXPECT_TRUE(Review());
    EXPECT_EQ(Ejected(), List{1});
    EXPECT_EQ(detector_->TrialOf(1), trial);
  }
}

TEST_F(Outliers, QuietTimeMakesUpForEjections) {
  const auto eject = [&] {
    CallAll();
    Call(1, Outcome::kFaulted, 5);
    EXPECT_TRUE(Review());
    const std::int64_t began = now_;
    while (OnTrial().empty()) Wait(100ms);
    Call(1, Outcome::kAnswered);
    Review();
    return std::chrono::nanoseconds(now_ - began);
  };
  const auto heal = [&] {  // of the error rate
    Call(1, Outcome::kAnswered, 60);
    Review();
  };
  EXPECT_LT(eject(), 11s);
  heal();
  EXPECT_GT(eject(), 19s);
  heal();
  Wait(1000s);
  EXPECT_LT(eject(), 11s);
}

TEST_F(Outliers, TheJitterSpreadsTheReturns) {
  SetOptions({.jitter = 0.2});
  Use(40);
  CallAll();
  for (Index i = 0; i < 4; ++i) Call(i, Outcome::kFaulted, 5);
  ASSERT_TRUE(Review());
  Wait(7900ms);
  EXPECT_EQ(Ejected().size(), 4u);
  Wait(4300ms);
  EXPECT_EQ(Ejected().size(), 0u);
}

TEST_F(Outliers, SilenceEjectsWhoGivesNoSignOfLife) {
  CallAll();
  endpoint(3).OnStart(0, now_);  // and no answer
  const auto others_answer = [&] {
    for (Index i = 0; i < 3; ++i) Call(i, Outcome::kAnswered);
  };
  Review();
  Wait(400ms, others_answer);
  EXPECT_EQ(Asked(), List());
  Wait(100ms, others_answer);
  EXPECT_EQ(Asked(), List{3});
  Wait(400ms, others_answer);
  EXPECT_EQ(Ejected(), List());
  Wait(100ms, others_answer);
  EXPECT_EQ(Ejected(), List{3});
  ASSERT_EQ(detector_->events().size(), 1u);
  EXPECT_EQ(detector_->events()[0].rule, Rule::kSilence);
  // However long it takes.
  Wait(100s, others_answer);
  EXPECT_EQ(Ejected(), List{3});
  EXPECT_EQ(Asked(), List{3});
  Heard(3);
  Wait(100ms, others_answer);
  EXPECT_EQ(OnTrial(), List{3});
}

TEST_F(Outliers, WhoGivesASignOfLifeIsNotSilent) {
  CallAll();
  endpoint(3).OnStart(0, now_);
  Review();
  Wait(60s, [&] {
    Call(0, Outcome::kAnswered);
    if (Asked() == List{3}) Heard(3);
  });
  EXPECT_EQ(Ejected(), List());
}

TEST_F(Outliers, NobodyIsSilentIfNobodyIsHeard) {
  CallAll();
  for (Index i = 0; i < 4; ++i) endpoint(i).OnStart(0, now_);
  Review();
  Wait(60s);
  EXPECT_EQ(Ejected(), List());
}

TEST_F(Outliers, WhoNeverReportsIsNotSilent) {
  CallAll();
  known_.clear();
  Use(4);
  endpoint(3).OnStart(0, now_);
  Review();
  Wait(60s, [&] { Call(0, Outcome::kAnswered); });
  EXPECT_EQ(Ejected(), List());
}

TEST_F(Outliers, PassedDeadlinesOfWhoIsSilentWaitForASignOfLife) {
  CallAll();
  Review();
  const std::int64_t began = now_;
  for (int i = 0; i < 5; ++i) endpoint(0).OnStart(0, now_);
  Wait(300ms, [&] { Call(1, Outcome::kAnswered); });
  for (int i = 0; i < 5; ++i) End(0, Outcome::kLate, began);
  ASSERT_TRUE(Review());
  EXPECT_EQ(Ejected(), List{0});
  Wait(60s, [&] { Call(1, Outcome::kAnswered); });
  EXPECT_EQ(Ejected(), List{0});  // and not on trial with calls that would be lost
  Heard(0);
  Review();
  EXPECT_EQ(OnTrial(), List{0});
}

TEST_F(Outliers, PassedDeadlinesOfWhoLivesWaitForTheTime) {
  CallAll();
  Review();
  const std::int64_t began = now_;
  for (int i = 0; i < 5; ++i) endpoint(0).OnStart(0, now_);
  Wait(300ms, [&] { Call(1, Outcome::kAnswered); });
  for (int i = 0; i < 5; ++i) End(0, Outcome::kLate, began);
  ASSERT_TRUE(Review());
  Wait(100ms);
  EXPECT_EQ(Asked(), List{0});
  Heard(0);
  Wait(9s);
  EXPECT_EQ(Ejected(), List{0});
  Wait(1s);
  EXPECT_EQ(OnTrial(), List{0});
}

TEST_F(Outliers, LostConnectionsAreTheLinksBusiness) {
  CallAll();
  Review();
  connected_[2] = false;
  Call(2, Outcome::kLost, 1000);
  EXPECT_FALSE(Review());
  Wait(5s);
  connected_[2] = true;
  EXPECT_FALSE(Review());
  EXPECT_EQ(Ejected(), List());
  Call(2, Outcome::kLost, 5);  // while it is connected: it lets calls go
  EXPECT_TRUE(Review());
  EXPECT_EQ(Ejected(), List{2});
}

TEST_F(Outliers, ANewConnectionIsTriedAtOnce) {
  CallAll();
  Call(2, Outcome::kFaulted, 5);
  ASSERT_TRUE(Review());
  connected_[2] = false;
  Wait(1s);
  EXPECT_EQ(Ejected(), List{2});
  connected_[2] = true;
  EXPECT_TRUE(Review());
  EXPECT_EQ(OnTrial(), List{2});
}

TEST_F(Outliers, ChangesOfTheListKeepWhatIsKnown) {
  CallAll();
  Call(2, Outcome::kFaulted, 5);
  ASSERT_TRUE(Review());
  UseList({{"10.0.0.050:1"}, {"10.0.0.100:1"}, {"10.0.0.102:1"}});
  EXPECT_EQ(Ejected(), List{2});
  UseList({{"10.0.0.102:1"}, {"10.0.0.103:1"}});
  EXPECT_EQ(Ejected(), List{0});
  UseList({{"10.0.0.103:1"}, {"10.0.0.104:1"}});
  EXPECT_EQ(Ejected(), List());
  UseList({});
  EXPECT_FALSE(Review());
}

TEST_F(Outliers, RulesCanBeSwitchedOff) {
  SetOptions({.consecutive_failures = 0, .error_rate = 0, .silence = 0s});
  CallAll();
  Review();
  endpoint(0).OnStart(0, now_);
  Wait(10s, [&] {
    Call(0, Outcome::kFaulted, 50);
    Call(1, Outcome::kAnswered);
  });
  EXPECT_EQ(Ejected(), List());
}

}  // namespace
}  // namespace weir::detail
