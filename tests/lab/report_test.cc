// Tables, files and the page.
#include <gtest/gtest.h>

#include <cctype>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lab/contest.h"
#include "lab/report_html.h"
#include "lab/report_table.h"
#include "lab/simulation.h"

namespace weir::lab {
namespace {

const ContestResult& Small() {
  static const ContestResult result = [] {
    ContestPlan plan;
    plan.seeds = 2;
    for (const char* name : {"B", "Z"}) {
      plan.scenarios.push_back(FindScenario(name)->Shortened(3000));
    }
    for (const char* name : {"random", "consistent_hash:vnodes=80,bound=1.25"}) {
      plan.contestants.push_back(*Contestant::Make(name));
    }
    ContestResult made = *RunContest(
        plan,
        [](const Scenario& s, const Contestant& c, std::uint64_t seed) {
          return Result<RunResult>(Simulate(s, c, seed));
        },
        [](std::size_t, std::size_t, const std::string&) {});
    made.command = "strategy-lab sim \"<B>\" & more";
    return made;
  }();
  return result;
}

TEST(Report, FiguresHaveThreeDigits) {
  EXPECT_EQ(FigureText(0.0834), "0.08");
  EXPECT_EQ(FigureText(7.456), "7.46");
  EXPECT_EQ(FigureText(79.34), "79.3");
  EXPECT_EQ(FigureText(1000), "1000");
  EXPECT_EQ(FigureText(0), "0");
  EXPECT_EQ(FigureText(kNotMeasured), "-");
  EXPECT_EQ(FigureText(std::numeric_limits<double>::infinity()), "never");
}

TEST(Report, TheMatrixHasEveryContestantAndTheOraclesAtOne) {
  const std::string text = MatrixText(Small());
  for (const char* word : {"random", "consistent_hash:vnodes=80,bound=1.25", "oracle",
                           "keyed_oracle", "p99 / oracle's p99", "p99 ms (error %)"}) {
    EXPECT_NE(text.find(word), std::string::npos) << word << "\n" << text;
  }
  EXPECT_NE(text.find("1.00"), std::string::npos);
}

TEST(Report, JsonRowsNameCaseContestantMetricAndValue) {
  const auto rows = nlohmann::json::parse(ToJson(Small()));
  ASSERT_TRUE(rows.is_array());
  bool found = false;
  for (const auto& row : rows) {
    ASSERT_EQ(row.size(), 4U);
    ASSERT_TRUE(row.at("value").is_number());
    found = found || (row.at("case") == "B" && row.at("contestant") == "oracle" &&
                      row.at("metric") == "p99_over_oracle" && row.at("value") == 1.0);
  }
  EXPECT_TRUE(found);
}

// The name of an element from behind its '<'.
std::string NameAt(const std::string& html, std::size_t at) {
  std::string name;
  while (at < html.size() && (std::isalnum(static_cast<unsigned char>(html[at])) != 0)) {
    name += html[at++];
  }
  return name;
}

TEST(Report, ThePageIsWellFormedAndNeedsNothingElse) {
  const std::string html = ToHtml(Small());
  EXPECT_EQ(html.find("http"), std::string::npos);
  EXPECT_EQ(html.find("src="), std::string::npos);
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_EQ(html.find("@import"), std::string::npos);
  EXPECT_EQ(html.find("nan"), std::string::npos);
  EXPECT_NE(html.find("prefers-color-scheme: dark"), std::string::npos);
  EXPECT_NE(html.find("&quot;&lt;B&gt;&quot; &amp; more"), std::string::npos);
  EXPECT_NE(html.find("<svg"), std::string::npos);
  std::vector<std::string> open;
  std::size_t at = html.find("<html");
  while ((at = html.find('<', at)) != std::string::npos) {
    const std::size_t end = html.find('>', at);
    ASSERT_NE(end, std::string::npos);
    ASSERT_GT(html.find('<', at + 1), end) << html.substr(at, 80);
    if (html[at + 1] == '/') {
      ASSERT_FALSE(open.empty());
      ASSERT_EQ(open.back(), NameAt(html, at + 2)) << html.substr(at, 80);
      open.pop_back();
    } else if (html[end - 1] != '/') {
      open.push_back(NameAt(html, at + 1));
    }
    at = end;
  }
  EXPECT_TRUE(open.empty());
}

}  // namespace
}  // namespace weir::lab
