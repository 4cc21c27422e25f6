// `weir bench`: what it measures, and what it does when things go wrong meanwhile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <vector>

#include "e2e/echo_program.h"
#include "histogram.h"
#include "text.h"

namespace weir::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class WeirBench : public ::testing::Test {
 protected:
  std::string Registry() const { return "file://" + directory_.Path("registry"); }
  static json Report(const Ended& ended) {
    EXPECT_EQ(ended.code, 0) << ended.errors;
    return json::parse(ended.output, nullptr, false);
  }
  // A bench that goes on until it is told otherwise, seen to be on its way.
  std::unique_ptr<Process> StartEndless(const std::string& target,
                                        const std::vector<std::string>& more = {}) {
    std::vector<std::string> line =
        EchoLine("bench", target, "Plain", "{}",
                 {"--json", "--progress", "--duration", "10m", "--warmup", "0s"});
    line.insert(line.begin(), WEIR_PROGRAM);
    line.insert(line.end(), more.begin(), more.end());
    auto bench = std::make_unique<Process>(line);
    EXPECT_TRUE(Says(*bench, " OK/s")) << bench->Errors();
    return bench;
  }
  // Whether a progress line comes, after the first `after` bytes, that holds `text`.
  static bool Says(const Process& bench, const std::string& text, std::size_t after = 0) {
    return WaitUntil(
        [&] {
          const std::string errors = bench.Errors();
          return errors.size() > after && errors.find(text, after) != std::string::npos;
        },
        kEchoPatience);
  }
  static json Interrupt(Process& bench) {
    bench.Signal(SIGINT);
    EXPECT_EQ(bench.Wait(kEchoPatience), 0) << bench.Errors();
    return json::parse(bench.Output(), nullptr, false);
  }

  TempDir directory_;
};

TEST_F(WeirBench, ClosedLoopMakesAsManyCallsAsAskedAndCountsThemByProvider) {
  EchoProgram one(Registry());
  EchoProgram two(Registry());
  const json report = Report(
      RunWeir(EchoLine("bench", Registry(), "Plain", R"({"payload": "aGVsbG8="})",
                       {"--calls", "2001", "--concurrency", "7", "--threads", "2", "--connections",
                        "3", "--warmup", "50ms", "--json", "--histogram"})));
  EXPECT_EQ(report["loop"], "closed");
  EXPECT_EQ(report["method"], "weir.test.Echo/Plain");
  EXPECT_EQ(report["connections"], 3);
  EXPECT_EQ(report["calls"], 2001);
  EXPECT_EQ(report["ok"], 2001);
  EXPECT_TRUE(report["failed"].empty());
  EXPECT_EQ(report["unfinished"], 0);
  EXPECT_FALSE(report["interrupted"]);
  EXPECT_EQ(report["request_bytes"], 7);
  // payload and served_by
  EXPECT_EQ(report["reply_bytes"], 2001 * (7 + 2 + static_cast<int>(one.address().size())));
  const json& latency = report["latency_us"];
  EXPECT_GT(latency["p50"], 0);
  EXPECT_LE(latency["p50"], latency["p90"]);
  EXPECT_LE(latency["p90"], latency["p99"]);
  EXPECT_LE(latency["p99"], latency["p99_9"]);
  EXPECT_LE(latency["p99_9"], latency["max"]);
  EXPECT_NEAR(report["ok_per_s"].get<double>() * report["seconds"].get<double>(), 2001, 1);
  ASSERT_EQ(report["providers"].size(), 2u);
  std::uint64_t in_buckets = 0;
  for (const json& bucket : report["histogram_us"]) in_buckets += bucket[1].get<std::uint64_t>();
  EXPECT_EQ(in_buckets, 2001u);
}

TEST_F(WeirBench, TellsPeopleInLinesAndBars) {
  EchoProgram provider(Registry());
  const Ended ended = RunWeir(EchoLine("bench", provider.address(), "Plain", "{}",
                                       {"--calls", "100", "--warmup", "0s", "--histogram"}));
  EXPECT_EQ(ended.code, 0) << ended.errors;
  EXPECT_EQ(ended.errors, "");
  for (const char* line : {"calls      100 in ", "OK         100, ", "latency    p50 ", "  p99.9 ",
                           "messages   ", "up to\n", " #"}) {
    EXPECT_THAT(ended.output, HasSubstr(line));
  }
  EXPECT_THAT(ended.output, HasSubstr("provider   " + provider.address() + "  100 calls, 100.0 %"));
}

TEST_F(WeirBench, OpenLoopKeepsItsRateWhileAnswersAreOutstanding) {
  EchoProgram provider(Registry());
  const json report = Report(RunWeir(EchoLine(
      "bench", provider.address(), "Coroutine", R"({"delay_ms": 400})",
      {"--rate", "200", "--duration", "1s", "--warmup", "0s", "--timeout", "1m", "--json"})));
  EXPECT_EQ(report["loop"], "open");
  EXPECT_EQ(report["calls"], 200) << report;
  EXPECT_EQ(report["ok"], 200) << report;
  EXPECT_GE(report["latency_us"]["p50"], 390'000);
  EXPECT_GT(report["lateness_us"]["max"], 0);
}

TEST_F(WeirBench, OpenLoopCountsTheTimeThatCallsHadToWaitForTheirTurn) {
  EchoProgram provider(Registry());
  // One thread that takes 50 ms for each call: 20 a second can be served, 100 are asked for.
  const json report = Report(RunWeir(
      EchoLine("bench", provider.address(), "Plain", R"({"delay_ms": 50})",
               {"--rate", "100", "--calls", "50", "--warmup", "0s", "--timeout", "1m", "--json"})));
  EXPECT_EQ(report["ok"], 50);
  // The last of the 50 is due after 0.5 s and served after 2.5 s.
  EXPECT_GE(report["latency_us"]["max"], 1'900'000);
  EXPECT_GE(report["latency_us"]["p50"], 500'000);
}

TEST_F(WeirBench, InterruptedBenchPrintsWhatItHasMeasured) {
  EchoProgram provider(Registry());
  for (const std::vector<std::string>& loop :
       {std::vector<std::string>{"--rate", "100"}, std::vector<std::string>{"--threads", "2"}}) {
    const auto bench = StartEndless(provider.address(), loop);
    const json report = Interrupt(*bench);
    EXPECT_TRUE(report["interrupted"]) << report;
    EXPECT_GT(report["ok"], 0);
    EXPECT_GT(report["seconds"], 0.5);
    EXPECT_LT(report["seconds"], 300);
  }
}

TEST_F(WeirBench, GoesOnWhenAProviderIsKilledAndWhenItIsBack) {
  auto provider = std::make_unique<EchoProgram>(Registry());
  const std::string address = provider->address();
  for (const std::vector<std::string>& loop : {std::vector<std::string>{"--rate", "200"},
                                               std::vector<std::string>{"--concurrency", "8"}}) {
    const auto bench = StartEndless(address, loop);
    provider->process().Kill();
    EXPECT_TRUE(Says(*bench, " failed")) << bench->Errors();
    std::size_t said = bench->Errors().size();
    EXPECT_TRUE(Says(*bench, " 0 OK/s", said)) << bench->Errors();
    provider = std::make_unique<EchoProgram>(Registry(), address);
    ASSERT_EQ(provider->address(), address);
    said = bench->Errors().size();
    EXPECT_TRUE(Says(*bench, " p99 ", said)) << bench->Errors();
    const json report = Interrupt(*bench);
    EXPECT_GT(report["ok"], 0);
    EXPECT_GT(report["failed"]["UNAVAILABLE"]["calls"], 0);
    EXPECT_NE(report["failed"]["UNAVAILABLE"]["first"], "");
  }
}

TEST_F(WeirBench, RefusesToMeasureWhatCannotBeReached) {
  const Ended nobody = RunWeir(EchoLine("bench", "127.0.0.1:1", "Plain", "{}"));
  EXPECT_EQ(nobody.code, 1);
  EXPECT_THAT(nobody.errors, HasSubstr("UNAVAILABLE"));
  EXPECT_THAT(nobody.errors, HasSubstr("127.0.0.1:1"));
  EXPECT_EQ(nobody.output, "");
  const Ended unknown =
      RunWeir(EchoLine("bench", Registry(), "Plain", "{}", {"--timeout", "200ms"}));
  EXPECT_EQ(unknown.code, 1);
  EXPECT_THAT(unknown.errors, HasSubstr("no provider of weir.test.Echo is registered"));
}

TEST_F(WeirBench, CallsThatFailAreCountedByTheirCode) {
  EchoProgram provider(Registry());
  const Ended ended = RunWeir(EchoLine("bench", provider.address(), "Plain", R"({"code": 9})",
                                       {"--calls", "30", "--warmup", "0s", "--json"}));
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.errors, HasSubstr("no call was answered OK"));
  const json report = json::parse(ended.output);
  EXPECT_EQ(report["failed"]["FAILED_PRECONDITION"]["calls"], 30);
  EXPECT_EQ(report["failed"]["FAILED_PRECONDITION"]["first"], "as asked");
  EXPECT_TRUE(report["latency_us"].is_null());
}

TEST_F(WeirBench, MistakesAreOneLineThatNamesThemAndExitCode2) {
  for (const auto& [more, told] : std::vector<std::tuple<std::vector<std::string>, std::string>>{
           {{"--rate", "10", "--concurrency", "2"}, "--rate and --concurrency exclude each other"},
           {{"--rate", "0"}, "--rate"},
           {{"--rate", "-5"}, "--rate"},
           {{"--rate", "fast"}, "--rate"},
           {{"--concurrency", "0"}, "--concurrency"},
           {{"--duration", "10"}, "--duration: '10' is no duration; write it as"},
           {{"--duration", "0s"}, "too short"},
           {{"--warmup", "long"}, "--warmup"},
           {{"--calls", "0"}, "--calls"},
           {{"--threads", "0"}, "--threads"},
           {{"--connections", "65"}, "--connections"},
           {{"--timeout", "-1s"}, "--timeout"},
           {{"--load-balance", "robin"}, "round_robin"},
           {{"--histogramm"}, "--histogramm"}}) {
    const Ended ended = RunWeir(EchoLine("bench", "127.0.0.1:1", "Plain", "{}", more));
    EXPECT_EQ(ended.code, 2) << told;
    EXPECT_THAT(ended.errors, HasSubstr(told));
    EXPECT_EQ(std::count(ended.errors.begin(), ended.errors.end(), '\n'), 1) << ended.errors;
    EXPECT_EQ(ended.output, "");
  }
}

TEST(WeirBenchText, DurationsAreNumbersWithAUnit) {
  using std::chrono::nanoseconds;
  EXPECT_EQ(*tool::ParseDuration("90us"), std::chrono::microseconds(90));
  EXPECT_EQ(*tool::ParseDuration("1.5s"), std::chrono::milliseconds(1500));
  EXPECT_EQ(*tool::ParseDuration("2m"), std::chrono::minutes(2));
  EXPECT_EQ(*tool::ParseDuration("0s"), nanoseconds(0));
  for (const char* text : {"", "5", "s", "-1s", "5 s", "5sec", "1e300h", "nans", "infs"}) {
    EXPECT_FALSE(tool::ParseDuration(text).ok()) << text;
  }
}

TEST(WeirBenchText, NearestNameIsSuggestedOnlyIfItIsNear) {
  EXPECT_EQ(tool::DidYouMean("Helo", {"Bye", "Hello"}), "; did you mean 'Hello'?");
  EXPECT_EQ(tool::DidYouMean("Xyz", {"Hello", "Goodbye"}), "");
  EXPECT_EQ(tool::DidYouMean("", {"Hello"}), "");
}

TEST(WeirBenchHistogram, QuantilesAreWithinThreePercentAndTheMaximumIsExact) {
  Histogram histogram;
  EXPECT_EQ(histogram.QuantileUs(0.5), 0);
  for (std::uint64_t i = 1; i <= 100'000; ++i) histogram.Add(i * 1000);
  for (const double q : {0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    EXPECT_NEAR(histogram.QuantileUs(q), q * 100'000, q * 3'200) << q;
  }
  EXPECT_EQ(histogram.MaxUs(), 100'000);
  EXPECT_NEAR(histogram.MeanUs(), 50'000.5, 0.01);
  Histogram one;
  one.Add(7'777);
  EXPECT_EQ(one.QuantileUs(0.5), 7.777);
  one.Add(histogram);
  EXPECT_EQ(one.count(), 100'001u);
}

}  // namespace
}  // namespace weir::testing
