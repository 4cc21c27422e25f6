// What an endpoint learns, under a clock of its own.
#include "weir/endpoint.h"

#include <gtest/gtest.h>

#include <cmath>

namespace weir {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kSecond = 1000 * kMs;

// One attempt that ends at `now_ns` after `taken_ns`.
void Attempt(Endpoint& endpoint, std::int64_t now_ns, std::int64_t taken_ns,
             Outcome outcome = Outcome::kAnswered) {
  endpoint.OnStart(0, now_ns - taken_ns);
  endpoint.OnEnd(0, now_ns - taken_ns, now_ns, outcome);
}

TEST(Endpoint, KnowsNothingAtFirst) {
  const Endpoint endpoint;
  EXPECT_EQ(endpoint.latency_ns(), 0);
  EXPECT_EQ(endpoint.peak_ns(), 0);
  EXPECT_EQ(endpoint.error_rate(), 0);
  EXPECT_EQ(endpoint.heard_ns(), 0);
  EXPECT_EQ(endpoint.waited_ns(kSecond), 0);
}

TEST(Endpoint, KeepsLessTheLongerTheSilence) {
  EXPECT_EQ(Endpoint::Keep(0, 1e9F), 1);
  float before = 1;
  for (float silence = 1e6F; silence < 1e13F; silence *= 2) {
    const float keep = Endpoint::Keep(silence, 1e9F);
    EXPECT_LT(keep, before);
    EXPECT_GE(keep, std::exp(-silence / 1e9F)) << "never forgets faster than the exponential";
    before = keep;
  }
  EXPECT_NEAR(Endpoint::Keep(0.1e9F, 1e9F), std::exp(-0.1), 0.002);
  EXPECT_LT(before, 1e-9F);
}

TEST(Endpoint, TakesTheFirstTimeAsItIs) {
  Endpoint endpoint;
  Attempt(endpoint, 5 * kSecond, 7 * kMs);
  EXPECT_FLOAT_EQ(endpoint.latency_ns(), 7e6F);
  EXPECT_FLOAT_EQ(endpoint.peak_ns(), 7e6F);
  EXPECT_EQ(endpoint.heard_ns(), 5 * kSecond);
}

TEST(Endpoint, WeighsAnAnswerBySixteenthsWhileTheyFlow) {
  Endpoint endpoint;
  Attempt(endpoint, 5 * kSecond, 16 * kMs);
  Attempt(endpoint, 5 * kSecond + kMs, 32 * kMs);
  EXPECT_FLOAT_EQ(endpoint.latency_ns(), 17e6F);
  for (int i = 2; i < 200; ++i) Attempt(endpoint, 5 * kSecond + i * kMs, 4 * kMs);
  EXPECT_NEAR(endpoint.latency_ns(), 4e6, 1e3);
}

TEST(Endpoint, WeighsAnAnswerAfterASilenceByWhatIsForgotten) {
  Endpoint endpoint;
  Attempt(endpoint, kSecond, 100 * kMs);
  Attempt(endpoint, 101 * kSecond, 10 * kMs);
  const float keep = Endpoint::Keep(100e9F, Endpoint::kDecayNs);
  EXPECT_LT(keep, 0.01F);
  EXPECT_NEAR(endpoint.latency_ns(), 10e6 + 90e6 * keep, 1e3);
  EXPECT_NEAR(endpoint.peak_ns(), 10e6 + 90e6 * keep, 1e3);
}

TEST(Endpoint, ThePeakRisesAtOnceAndFallsWithTime) {
  Endpoint endpoint;
  std::int64_t now = kSecond;
  Attempt(endpoint, now, 5 * kMs);
  Attempt(endpoint, now += kMs, 200 * kMs);
  EXPECT_FLOAT_EQ(endpoint.peak_ns(), 200e6F);
  for (int i = 0; i < 100; ++i) Attempt(endpoint, now += kMs, 5 * kMs);
  EXPECT_GT(endpoint.peak_ns(), 190e6F) << "many answers in a short time prove little";
  for (int i = 0; i < 100; ++i) Attempt(endpoint, now += kSecond, 5 * kMs);
  EXPECT_LT(endpoint.peak_ns(), 6e6F);
}

TEST(Endpoint, AFailureNeverMakesItLookFaster) {
  for (const Outcome outcome : {Outcome::kFaulted, Outcome::kLost, Outcome::kLate}) {
    Endpoint endpoint;
    Attempt(endpoint, kSecond, 20 * kMs);
    for (int i = 1; i < 50; ++i) Attempt(endpoint, kSecond + i * kMs, kMs / 10, outcome);
    EXPECT_FLOAT_EQ(endpoint.latency_ns(), 20e6F);
    EXPECT_FLOAT_EQ(endpoint.peak_ns(), 20e6F);
    EXPECT_GT(endpoint.error_rate(), 0.9F);
    EXPECT_EQ(endpoint.failures(), 49U);
    EXPECT_EQ(endpoint.heard_ns(), kSecond + 49 * kMs);
  }
}

TEST(Endpoint, ALateAnswerMakesItLookSlower) {
  Endpoint endpoint;
  Attempt(endpoint, kSecond, 20 * kMs);
  Attempt(endpoint, kSecond + kMs, kSecond, Outcome::kLate);
  EXPECT_FLOAT_EQ(endpoint.peak_ns(), 1e9F);
  EXPECT_NEAR(endpoint.latency_ns(), 20e6 + 980e6 / 16, 1e4);
}

TEST(Endpoint, ALostConnectionSaysNothingAboutTheTime) {
  Endpoint endpoint;
  Attempt(endpoint, kSecond, 30 * kSecond, Outcome::kLost);
  EXPECT_EQ(endpoint.latency_ns(), 0);
  EXPECT_EQ(endpoint.peak_ns(), 0);
  EXPECT_EQ(endpoint.failures(), 1U);
  EXPECT_EQ(endpoint.heard_ns(), kSecond);
}

TEST(Endpoint, TheErrorRateFollowsWhatHappens) {
  Endpoint endpoint;
  std::int64_t now = kSecond;
  for (int i = 0; i < 1000; ++i) {
    Attempt(endpoint, now += kMs, kMs, i % 4 == 0 ? Outcome::kFaulted : Outcome::kAnswered);
  }
  EXPECT_NEAR(endpoint.error_rate(), 0.25, 0.06);
  for (int i = 0; i < 1000; ++i) Attempt(endpoint, now += kMs, kMs);
  EXPECT_EQ(endpoint.error_rate(), 0);
  EXPECT_EQ(endpoint.failures(), 0U);
}

TEST(Endpoint, OneGoodAnswerAfterALongSilenceForgivesTheFailures) {
  Endpoint endpoint;
  std::int64_t now = kSecond;
  for (int i = 0; i < 100; ++i) Attempt(endpoint, now += kMs, kMs, Outcome::kFaulted);
  EXPECT_GT(endpoint.error_rate(), 0.99F);
  Attempt(endpoint, now += kMs, kMs);
  EXPECT_GT(endpoint.error_rate(), 0.9F) << "not without the silence";
  Attempt(endpoint, now += 60 * kSecond, kMs);
  EXPECT_LT(endpoint.error_rate(), 0.01F);
  Attempt(endpoint, now += 60 * kSecond, kMs, Outcome::kFaulted);
  EXPECT_GT(endpoint.error_rate(), 0.99F) << "and one bad one after another brings them back";
}

TEST(Endpoint, AbandonedAttemptsSayNothing) {
  Endpoint endpoint;
  Attempt(endpoint, kSecond, 30 * kSecond, Outcome::kAbandoned);
  EXPECT_EQ(endpoint.latency_ns(), 0);
  EXPECT_EQ(endpoint.error_rate(), 0);
  EXPECT_EQ(endpoint.failures(), 0U);
  EXPECT_EQ(endpoint.heard_ns(), 0);
  EXPECT_EQ(endpoint.calls(), 1U);
  EXPECT_EQ(endpoint.active(), 0U);
}

TEST(Endpoint, KnowsHowLongItsCallsHaveWaitedInAllCells) {
  Endpoint endpoint(2);
  endpoint.OnStart(0, kSecond);
  endpoint.OnStart(1, kSecond + 10 * kMs);
  endpoint.OnStart(1, kSecond + 20 * kMs);
  EXPECT_EQ(endpoint.active(), 3U);
  EXPECT_EQ(endpoint.waited_ns(kSecond + 30 * kMs), (30 + 20 + 10) * kMs);
  endpoint.OnEnd(1, kSecond + 10 * kMs, kSecond + 30 * kMs, Outcome::kAnswered);
  EXPECT_EQ(endpoint.waited_ns(kSecond + 40 * kMs), (40 + 20) * kMs);
  EXPECT_EQ(endpoint.waited_ns(0), 0) << "a clock that stands behind gives no negative time";
}

TEST(Endpoint, KeepsTheLastReport) {
  Endpoint endpoint;
  endpoint.OnStart(0, kSecond);
  const LoadReport report = {.in_flight = 5, .slots = 4, .service_100ns = 50'000};
  endpoint.OnReport(report, 2 * kSecond);
  EXPECT_EQ(endpoint.report(), report);
  EXPECT_EQ(endpoint.reported_ns(), 2 * kSecond);
  EXPECT_EQ(endpoint.others(), 4) << "all but our own";
}

}  // namespace
}  // namespace weir
