// The program strategy-lab: its commands, files and mistakes, and a short live run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/process.h"
#include "support/temp_dir.h"

namespace weir::lab {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Ran {
  int code = -1;
  std::string output;
  std::string errors;
};

Ran Lab(std::vector<std::string> words) {
  words.insert(words.begin(), WEIR_STRATEGY_LAB);
  testing::Process process(std::move(words));
  const std::optional<int> code = process.Wait(std::chrono::seconds(90));
  return {code.value_or(-1), process.Output(), process.Errors()};
}

std::string Read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(StrategyLab, ComparesAndWritesTablesAndPage) {
  const testing::TempDir directory;
  const std::string base = directory.path() / "result";
  const Ran ran =
      Lab({"compare", "--scenarios", "A,F", "--strategies",
           "random,consistent_hash:vnodes=80,bound=1.25,least_active", "--seeds", "2", "--calls",
           "1000", "--csv", base + ".csv", "--json", base + ".json", "--html", base + ".html"});
  EXPECT_EQ(ran.code, 0) << ran.errors;
  EXPECT_THAT(ran.errors, IsEmpty());
  EXPECT_THAT(ran.output, AllOf(HasSubstr("least_active"), HasSubstr("oracle"),
                                HasSubstr("consistent_hash:vnodes=80,bound=1.25")));
  EXPECT_THAT(Read(base + ".csv"), HasSubstr("case,contestant,metric,median,least,most"));
  EXPECT_TRUE(nlohmann::json::parse(Read(base + ".json")).is_array());
  EXPECT_THAT(Read(base + ".html"), HasSubstr("strategy-lab compare --scenarios"));
}

TEST(StrategyLab, TakesTheUsersOwnScenarioFile) {
  const testing::TempDir directory;
  const std::string path = directory.path() / "mine.scenario";
  std::ofstream(path) << "[scenario]\nname = mine\ntitle = Two of a kind\nduration = 1s\n"
                         "[clients]\nrate = 500\n[servers both]\ncount = 2\n";
  const Ran good = Lab({"sim", path, "--strategies", "random"});
  EXPECT_EQ(good.code, 0) << good.errors;
  EXPECT_THAT(good.output, HasSubstr("mine: Two of a kind; 500 calls/s"));
  std::ofstream(path, std::ios::app) << "slots = none\n";
  const Ran bad = Lab({"sim", path});
  EXPECT_EQ(bad.code, 2);
  EXPECT_EQ(bad.errors,
            "error: " + path + ":9: slots = none: expected an integer from 1 to 10000\n");
}

TEST(StrategyLab, MistakesAreNamed) {
  const auto expect = [](const std::vector<std::string>& words, int code, const std::string& text) {
    const Ran ran = Lab(words);
    EXPECT_EQ(ran.code, code) << ran.errors;
    EXPECT_THAT(ran.errors, HasSubstr(text));
    EXPECT_THAT(ran.output, IsEmpty());
  };
  expect({"sim", "Q"}, 2, "'Q' is neither a readable scenario file nor one of A, B, C");
  expect({"sim", "A", "--strategies", "psychic"}, 2, "psychic");
  expect({"sim", "A", "--seeds", "0"}, 2, "--seeds");
  expect({"live", "J"}, 2,
         "scenario J cannot run live: servers that start, stop, restart or churn");
  expect({"live", "H"}, 2, "scenario H cannot run live: more than 32 servers");
  expect({"dance"}, 2, "unknown command 'dance'; known: sim, compare");
  expect({"sim", "A", "--csv", "/nonexistent/x.csv"}, 1, "/nonexistent/x.csv");
}

TEST(StrategyLab, ListsWhatThereIs) {
  const Ran ran = Lab({"list"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.output, AllOf(HasSubstr("J    Rolling restart"),
                                HasSubstr("least_active_fixed_ties"), HasSubstr("keyed_oracle")))
      << ran.output;
}

TEST(StrategyLab, ShowsAScenarioForPeopleToStartFrom) {
  const Ran ran = Lab({"show", "B"});
  EXPECT_EQ(ran.code, 0) << ran.errors;
  EXPECT_THAT(ran.output, AllOf(HasSubstr("[servers slow]"), HasSubstr("speed = 0.1")));
}

TEST(StrategyLab, TellsProgressWhenAsked) {
  const Ran ran = Lab({"sim", "A", "--strategies", "random", "--calls", "500", "--progress"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.errors, AllOf(HasSubstr("0/2"), HasSubstr("2/2"), HasSubstr("left")));
}

TEST(StrategyLab, RunsLiveOverRealServersAndChannels) {
  const testing::TempDir directory;
  const std::string path = directory.path() / "live.scenario";
  std::ofstream(path) << "[scenario]\nname = live\nduration = 1s\nwarm_up = 200ms\n"
                         "service = exp(1ms)\n[clients]\ncount = 2\nrate = 300\n"
                         "[servers good]\n[servers failing]\nfail = 1\n";
  const Ran ran =
      Lab({"live", path, "--strategies", "round_robin", "--json", directory.path() / "live.json"});
  EXPECT_EQ(ran.code, 0) << ran.errors;
  double errors = -1;
  double calls = 0;
  double p50 = 0;
  for (const auto& row : nlohmann::json::parse(Read(directory.path() / "live.json"))) {
    if (row.at("contestant") != "round_robin") continue;
    if (row.at("metric") == "error_percent") errors = row.at("value");
    if (row.at("metric") == "calls") calls = row.at("value");
    if (row.at("metric") == "p50_ms") p50 = row.at("value");
  }
  EXPECT_NEAR(calls, 300, 80);
  EXPECT_GT(errors, 20);  // half of the calls meet the server that fails, unless it is ejected
  EXPECT_LT(errors, 60);
  EXPECT_GT(p50, 0.3);
}

}  // namespace
}  // namespace weir::lab
