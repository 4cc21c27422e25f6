// What a server says of its load, under a clock of the test's own.
#include "server/server_load.h"

#include <gtest/gtest.h>

#include <chrono>

namespace weir::test {
namespace {

using namespace std::chrono_literals;

constexpr ServerLoad::TimePoint kStart{1000s};

TEST(ServerLoad, SaysNothingOfTheServiceTimeBeforeTheFirstCall) {
  ServerLoad load(1, 4);
  EXPECT_EQ(load.Report(0, kStart), (LoadReport{.in_flight = 0, .slots = 4, .service_100ns = 0}));
}

TEST(ServerLoad, TheFirstCallsCountAlike) {
  ServerLoad load(1, 4);
  auto now = kStart;
  for (const auto time : {1ms, 2ms, 3ms, 6ms}) {
    load.cell(0).Served(time);
    load.Report(0, now += 1ms);
  }
  EXPECT_EQ(load.Report(0, now).service_100ns, 30'000u);
}

TEST(ServerLoad, TheMeanFollowsTheLastCallsOfAllReactors) {
  ServerLoad load(3, 4);
  auto now = kStart;
  const auto serve = [&](std::chrono::nanoseconds time, int calls) {
    for (int i = 0; i < calls; ++i) {
      load.cell(static_cast<std::uint32_t>(i) % 3).Served(time);
      load.Report(0, now += 1ms);
    }
    return load.Report(0, now).service_ns();
  };
  EXPECT_NEAR(serve(1ms, 1000), 1e6, 1e3);
  const double after_few = serve(10ms, 20);
  EXPECT_GT(after_few, 3e6);
  EXPECT_LT(after_few, 4e6);
  EXPECT_GT(serve(10ms, 400), 9.9e6);
}

TEST(ServerLoad, HowOftenItIsAskedDoesNotMatterMuch) {
  ServerLoad often(1, 1);
  ServerLoad rarely(1, 1);
  auto now = kStart;
  for (int i = 0; i < 3000; ++i) {
    const auto time = i % 2 == 0 ? 1ms : 3ms;
    often.cell(0).Served(time);
    rarely.cell(0).Served(time);
    often.Report(0, now += 1ms);
    if (i % 100 == 99) rarely.Report(0, now);
  }
  EXPECT_NEAR(often.Report(0, now).service_ns(), 2e6, 0.1e6);
  EXPECT_NEAR(rarely.Report(0, now).service_ns(), 2e6, 0.1e6);
}

TEST(ServerLoad, CountsTheCallsOfAllReactorsAndThoseThatOutliveTheirTurns) {
  ServerLoad load(2, 2);
  load.cell(0).BeginTurnCall();
  load.cell(1).BeginTurnCall();
  EXPECT_EQ(load.Report(5, kStart).in_flight, 7);
  load.cell(1).EndTurnCall();
  EXPECT_EQ(load.Report(5, kStart + ServerLoad::kFresh).in_flight, 6);
  EXPECT_EQ(load.Report(1'000'000, kStart).in_flight, 65'535);
}

TEST(ServerLoad, LooksAtTheReactorsNoMoreOftenThanItSays) {
  ServerLoad load(1, 2);
  EXPECT_EQ(load.Report(0, kStart).in_flight, 0);
  load.cell(0).BeginTurnCall();
  EXPECT_EQ(load.Report(0, kStart + ServerLoad::kFresh / 2).in_flight, 0);
  EXPECT_EQ(load.Report(0, kStart + ServerLoad::kFresh).in_flight, 1);
}

TEST(ServerLoad, AnyServiceTimeIsToldWithinItsBounds) {
  ServerLoad load(1, 1'000'000);
  EXPECT_EQ(load.Report(0, kStart).slots, 65'535);
  load.cell(0).Served(1ns);
  EXPECT_EQ(load.Report(0, kStart + 1s).service_100ns, 1u);
  load.cell(0).Served(24h * 365);
  EXPECT_EQ(load.Report(0, kStart + 2s).service_100ns, ~0u);
}

}  // namespace
}  // namespace weir::test
