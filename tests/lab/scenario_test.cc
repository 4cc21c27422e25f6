// The text form of scenarios.
#include "lab/scenario.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::lab {
namespace {

constexpr std::string_view kSmall = R"(# a fleet of two
[scenario]
name = small
service = bimodal(2ms, 50ms, 0.25)   # short ones and long ones
deadline = 250ms

[clients]
count = 3
rate = 100

[servers one]
slots = 2
speeds = 1s:0.5 2s:1

[servers two]
count = 2
speed = 2

[phase]
from = 1s
for = 500ms
factor = 10
)";

std::string ErrorOf(const std::string& text) {
  const Result<Scenario> parsed = ParseScenario(text, "x.scenario");
  return parsed.ok() ? "accepted" : std::string(parsed.status().message());
}

TEST(ScenarioText, IsReadWithDefaultsForWhatItDoesNotSay) {
  const Result<Scenario> parsed = ParseScenario(kSmall, "small.scenario");
  ASSERT_TRUE(parsed.ok()) << parsed.status().ToString();
  EXPECT_EQ(parsed->name, "small");
  EXPECT_EQ(parsed->title, "small");
  EXPECT_EQ(parsed->deadline, 250'000'000);
  EXPECT_EQ(parsed->network, 100'000);
  EXPECT_DOUBLE_EQ(parsed->service.mean_ns(), 14e6);
  EXPECT_EQ(parsed->service.ToString(), "bimodal(2ms,50ms,0.25)");
  EXPECT_EQ(parsed->clients, 3U);
  EXPECT_DOUBLE_EQ(parsed->Rate(), 100);
  ASSERT_EQ(parsed->servers.size(), 2U);
  EXPECT_EQ(parsed->servers[0].slots, 2U);
  EXPECT_EQ(parsed->servers[1].slots, 4U);
  ASSERT_EQ(parsed->servers[0].speeds.size(), 2U);
  EXPECT_DOUBLE_EQ(parsed->servers[0].speeds[0].speed, 0.5);
  EXPECT_EQ(parsed->server_count(), 3U);
  ASSERT_EQ(parsed->phases.size(), 1U);
  EXPECT_EQ(parsed->phases[0].length, 500'000'000);
}

TEST(ScenarioText, MistakesNameFileLineAndWhatIsAllowed) {
  const std::string head = "[scenario]\nname = x\n";
  EXPECT_EQ(ErrorOf(head + "colour = red\n"),
            "x.scenario:3: unknown key 'colour' in [scenario]; allowed: name, title, duration, "
            "warm_up, deadline, network, discovery, service, seed");
  EXPECT_EQ(ErrorOf(head + "[server a]\n"),
            "x.scenario:3: unknown section [server a]; allowed: [scenario], [clients], "
            "[servers NAME], [phase]");
  EXPECT_EQ(ErrorOf(head + "[servers a]\nslots = many\n"),
            "x.scenario:4: slots = many: expected an integer from 1 to 10000");
  EXPECT_EQ(ErrorOf(head + "[servers a]\nspeed = 0\n"),
            "x.scenario:4: speed = 0: expected a number from 1e-06 to 1000");
  EXPECT_EQ(ErrorOf(head + "deadline = 5\n"),
            "x.scenario:3: deadline = 5: expected a time such as 100us, 5ms, 1.5s or 2m, above 0");
  EXPECT_EQ(ErrorOf(head + "service = gauss(5ms)\n"),
            "x.scenario:3: service = gauss(5ms): 'gauss(5ms)' is no distribution; expected "
            "exp(5ms), constant(5ms), bimodal(2ms,50ms,0.1), pareto(5ms,1.5) or lognormal(5ms,1)");
  EXPECT_EQ(ErrorOf(head + "what\n"), "x.scenario:3: 'what' is neither [section] nor key = value");
  EXPECT_EQ(ErrorOf("slots = 1\n"), "x.scenario:1: a section such as [scenario] must come first");
  EXPECT_EQ(ErrorOf("[scenario\n"), "x.scenario:1: '[scenario' has no closing ]");
  EXPECT_EQ(ErrorOf(head + "name = y\n"), "x.scenario:3: name stands twice in [scenario]");
}

TEST(ScenarioText, WhatIsIncompleteIsRefused) {
  EXPECT_EQ(ErrorOf("[scenario]\nname = x\n"), "x.scenario:2: there is no [servers NAME] section");
  EXPECT_EQ(ErrorOf("[servers a]\n"), "x.scenario:1: [scenario] has no name");
  EXPECT_EQ(ErrorOf("[scenario]\nname = x\n[servers a]\npause_for = 1s\n"),
            "x.scenario:4: [servers a] needs both or neither of pause_every and pause_for");
  EXPECT_EQ(ErrorOf("[scenario]\nname = x\n[servers a]\nfail = 1\n"),
            "x.scenario:4: the fleet answers nothing; set rate in [clients]");
}

TEST(Scenarios, AllThatComeWithTheProgramAreFoundByName) {
  std::string names;
  for (const Scenario& scenario : BuiltinScenarios()) {
    names += scenario.name;
    EXPECT_TRUE(FindScenario(scenario.name).ok());
    EXPECT_FALSE(BuiltinScenarioText(scenario.name).empty());
  }
  EXPECT_EQ(names, "ABCDEFGHIJKNZ");
  const Result<Scenario> unknown = FindScenario("Q");
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(
      unknown.status().message(),
      "'Q' is neither a readable scenario file nor one of A, B, C, D, E, F, G, H, I, J, K, N, "
      "Z");
}

TEST(Scenarios, CapacityCountsSpeedsAntagonistsPausesAndFailures) {
  const auto capacity = [](const char* servers) {
    return ParseScenario("[scenario]\nname = x\n[clients]\nrate = 1\n" + std::string(servers), "x")
        ->EffectiveCapacity();
  };
  EXPECT_DOUBLE_EQ(capacity("[servers a]\n"), 800);
  EXPECT_DOUBLE_EQ(capacity("[servers a]\ncount = 9\n[servers b]\nspeed = 0.1\n"), 7280);
  EXPECT_DOUBLE_EQ(capacity("[servers a]\npause_every = 3s\npause_for = 1s\n"), 600);
  EXPECT_DOUBLE_EQ(capacity("[servers a]\nslow_every = 1s\nslow_for = 1s\nslow_speed = 0.5\n"),
                   600);
  EXPECT_DOUBLE_EQ(capacity("[servers a]\nfail = 0.25\n"), 600);
}

TEST(Scenarios, ShorteningKeepsTheCourse) {
  const Scenario whole = *FindScenario("G");
  const Scenario part = whole.Shortened(whole.Rate() * 11);  // half of 22 s
  EXPECT_EQ(part.duration, whole.duration / 2);
  EXPECT_EQ(part.phases[1].from, whole.phases[1].from / 2);
  EXPECT_DOUBLE_EQ(part.Rate(), whole.Rate());
  EXPECT_EQ(whole.Shortened(1e12).duration, whole.duration);
}

}  // namespace
}  // namespace weir::lab
