// The `weir` program as an operator has it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "support/process.h"
#include "support/temp_dir.h"
#include "weir/registry.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Ended {
  int code = -1;
  std::string output;
  std::string errors;
};

Ended RunWeir(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), WEIR_PROGRAM);
  testing::Process process(std::move(arguments));
  const auto code = process.Wait(std::chrono::seconds(20));
  return {code.value_or(-1), process.Output(), process.Errors()};
}

TEST(WeirList, ShowsServicesProvidersAndWeights) {
  const testing::TempDir dir;
  const std::string url = "file://" + dir.Path("registry");
  const auto registry = Registries().Open(url);
  ASSERT_TRUE(registry.ok()) << registry.status().ToString();
  std::vector<std::unique_ptr<Registration>> announced;
  for (auto instance : {Instance{"a.A", "127.0.0.1:7001", 3}, Instance{"a.A", "127.0.0.1:7002", 0},
                        Instance{"b.B", "127.0.0.1:7001"}}) {
    auto registration = (*registry)->Register(std::move(instance));
    ASSERT_TRUE(registration.ok()) << registration.status().ToString();
    announced.push_back(*std::move(registration));
  }
  ASSERT_TRUE((*registry)->WaitUntilRegistered(10'000).ok());

  const Ended table = RunWeir({"list", url});
  EXPECT_EQ(table.code, 0) << table.errors;
  EXPECT_THAT(table.output, HasSubstr("127.0.0.1:7001"));
  EXPECT_THAT(table.output, HasSubstr("(draining)"));

  const Ended json = RunWeir({"list", url, "--json"});
  ASSERT_EQ(json.code, 0) << json.errors;
  const auto rows = nlohmann::json::parse(json.output);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["service"], "a.A");
  EXPECT_EQ(rows[0]["providers"][0]["weight"], 3);
  EXPECT_EQ(rows[0]["providers"][1]["weight"], 0);
  EXPECT_EQ(rows[1]["providers"][0]["weight"], kDefaultWeight);
}

TEST(WeirList, MistakesAreOneLineThatNamesThemAndAnExitCode) {
  for (const auto& [arguments, code, told] :
       std::vector<std::tuple<std::vector<std::string>, int, std::string>>{
           {{"lst"}, 2, "lst"},
           {{"list"}, 2, "REGISTRY"},
           {{"list", "mem://x", "--jsn"}, 2, "--jsn"},
           {{"list", "pigeon://x"}, 2, "unknown scheme 'pigeon'"},
           {{"list", "list://a:1"}, 1, "list://"}}) {
    const Ended ended = RunWeir(arguments);
    EXPECT_EQ(ended.code, code) << told;
    EXPECT_THAT(ended.errors, HasSubstr(told));
    EXPECT_EQ(std::count(ended.errors.begin(), ended.errors.end(), '\n'), 1) << ended.errors;
  }
}

}  // namespace
}  // namespace weir
