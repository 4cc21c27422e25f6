// What `weir` does on every registry that keeps more than a list: list, watch, weight, drain.
// Instantiate OperatorTest with something that makes a registry.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "e2e/weir_program.h"
#include "support/process.h"

namespace weir::testing {

// A registry of a test's own. A resource.
class RegistryPlace {
 public:
  virtual ~RegistryPlace() = default;
  virtual std::string url() const = 0;
};

// How a test gets one.
struct RegistryKind {
  const char* name;
  std::unique_ptr<RegistryPlace> (*make)();
  friend void PrintTo(const RegistryKind& kind, std::ostream* out) { *out << kind.name; }
};

template <class Place>
std::unique_ptr<RegistryPlace> MakePlace() {
  return std::make_unique<Place>();
}

class OperatorTest : public ::testing::TestWithParam<RegistryKind> {
 protected:
  static constexpr std::chrono::seconds kPatience{30};

  std::string Url() const { return place_->url(); }
  nlohmann::json ListJson() const {
    const Ended ended = RunWeir({"list", Url(), "--json"});
    EXPECT_EQ(ended.code, 0) << ended.errors;
    return nlohmann::json::parse(ended.output, nullptr, false);
  }
  // The weight that everybody sees: of the provider at `address` of the service.
  bool WeightBecomes(const std::string& service, const std::string& address, int weight) const {
    return WaitUntil(
        [&] {
          for (const auto& row : ListJson()) {
            for (const auto& provider : row["providers"]) {
              if (row["service"] == service && provider["address"] == address) {
                return provider["weight"] == weight;
              }
            }
          }
          return false;
        },
        kPatience);
  }

  const std::unique_ptr<RegistryPlace> place_ = GetParam().make();
};

TEST_P(OperatorTest, ListShowsWeightsAgesStatesAndFacts) {
  const auto one = StartProvider(Url(), "a.A", "127.0.0.1:7001", 3, {"version=1.2", "zone=k 1"});
  const auto two = StartProvider(Url(), "a.A", "127.0.0.1:7002", 0);
  const auto other = StartProvider(Url(), "b.B", "[::1]:7001", -1);
  ASSERT_TRUE(one && two && other);
  const Ended table = RunWeir({"list", Url()});
  EXPECT_EQ(table.code, 0) << table.errors;
  EXPECT_THAT(table.output, ::testing::ContainsRegex(
                                "SERVICE +PROVIDER +WEIGHT +AGE +STATE +FACTS\n"
                                "a.A +127.0.0.1:7001 +3 +[0-9]+s +serving +version=1.2 zone=k 1\n"
                                "a.A +127.0.0.1:7002 +0 +[0-9]+s +draining\n"
                                "b.B +\\[::1\\]:7001 +100 +[0-9]+s +serving\n"));
  nlohmann::json rows = ListJson();
  ASSERT_EQ(rows.size(), 2u) << rows;
  EXPECT_EQ(rows[0]["service"], "a.A");
  nlohmann::json& first = rows[0]["providers"][0];
  EXPECT_EQ(first["address"], "127.0.0.1:7001");
  EXPECT_EQ(first["weight"], 3);
  EXPECT_EQ(first["weight_text"], "3");
  EXPECT_EQ(first["state"], "serving");
  EXPECT_EQ(first["facts"]["version"], "1.2");
  EXPECT_EQ(first["facts"].count("started"), 1u);
  EXPECT_GE(first["age_ms"], 0);
  EXPECT_GT(first["since_ms"], 1'500'000'000'000);
  EXPECT_EQ(rows[0]["providers"][1]["state"], "draining");
  EXPECT_EQ(rows[1]["providers"][0]["weight_text"], "-1");
  const Ended chosen = RunWeir({"list", "b.B", "--json"}, Url());
  EXPECT_EQ(nlohmann::json::parse(chosen.output).size(), 1u);
  const Ended unknown = RunWeir({"list", "--registry", Url(), "c.C"});
  EXPECT_EQ(unknown.code, 1);
  EXPECT_THAT(unknown.errors, ::testing::HasSubstr("no service 'c.C'"));
  EXPECT_THAT(unknown.errors, ::testing::HasSubstr("known: a.A, b.B"));
}

TEST_P(OperatorTest, WeightChangesAndSaysWhatItChanged) {
  const auto provider = StartProvider(Url(), "a.A", "127.0.0.1:7001", 3);
  ASSERT_TRUE(provider);
  const Ended changed = RunWeir({"weight", Url(), "a.A", "127.0.0.1:7001", "50"});
  EXPECT_EQ(changed.code, 0) << changed.errors;
  EXPECT_EQ(changed.output, "a.A at 127.0.0.1:7001: weight 3 -> 50\n");
  EXPECT_TRUE(WeightBecomes("a.A", "127.0.0.1:7001", 50));
  // The registry may stand elsewhere; -1 is a weight and no option.
  const Ended unset = RunWeir({"weight", "a.A", "127.0.0.1:7001", "-1"}, Url());
  EXPECT_EQ(unset.output, "a.A at 127.0.0.1:7001: weight 50 -> 100 (not set)\n") << unset.errors;
  const Ended json =
      RunWeir({"weight", "--json", "--registry", Url(), "a.A", "127.0.0.1:7001", "7"});
  EXPECT_EQ(nlohmann::json::parse(json.output),
            nlohmann::json::parse(R"([{"service": "a.A", "address": "127.0.0.1:7001",
                                       "old_weight": 100, "new_weight": 7}])"))
      << json.errors;
  // The provider's own change wins as the last one.
  provider->Write("weight 9\n");
  EXPECT_TRUE(WeightBecomes("a.A", "127.0.0.1:7001", 9));
}

TEST_P(OperatorTest, DrainTakesEveryServiceOfTheAddress) {
  const auto one = StartProvider(Url(), "a.A", "127.0.0.1:7001", 3);
  const auto two = StartProvider(Url(), "b.B", "127.0.0.1:7001", 4);
  const auto other = StartProvider(Url(), "b.B", "127.0.0.1:7002", 5);
  ASSERT_TRUE(one && two && other);
  const Ended drained = RunWeir({"drain", "127.0.0.1:7001"}, Url());
  EXPECT_EQ(drained.code, 0) << drained.errors;
  EXPECT_EQ(drained.output,
            "a.A at 127.0.0.1:7001: weight 3 -> 0 (draining)\n"
            "b.B at 127.0.0.1:7001: weight 4 -> 0 (draining)\n");
  EXPECT_TRUE(WeightBecomes("b.B", "127.0.0.1:7001", 0));
  EXPECT_TRUE(WeightBecomes("b.B", "127.0.0.1:7002", 5));
  const Ended nowhere = RunWeir({"drain", Url(), "127.0.0.1:7009"});
  EXPECT_EQ(nowhere.code, 1);
  EXPECT_THAT(nowhere.errors, ::testing::HasSubstr("127.0.0.1:7009 is registered nowhere"));
  EXPECT_THAT(nowhere.errors, ::testing::HasSubstr("registered: 127.0.0.1:7001, 127.0.0.1:7002"));
}

TEST_P(OperatorTest, WeightNamesWhatIsUnknown) {
  const auto provider = StartProvider(Url(), "a.A", "127.0.0.1:7001", 3);
  ASSERT_TRUE(provider);
  const Ended address = RunWeir({"weight", Url(), "a.A", "127.0.0.1:7009", "5"});
  EXPECT_EQ(address.code, 1);
  EXPECT_THAT(address.errors, ::testing::HasSubstr("127.0.0.1:7009"));
  EXPECT_THAT(address.errors, ::testing::HasSubstr("registered: 127.0.0.1:7001"));
  const Ended service = RunWeir({"weight", Url(), "x.X", "127.0.0.1:7001", "5"});
  EXPECT_EQ(service.code, 1);
  EXPECT_THAT(service.errors, ::testing::HasSubstr("no service 'x.X'"));
  EXPECT_THAT(service.errors, ::testing::HasSubstr("known: a.A"));
  for (const char* junk : {"abc", "10001", "-2", "1.5", ""}) {
    const Ended weight = RunWeir({"weight", Url(), "a.A", "127.0.0.1:7001", junk});
    EXPECT_EQ(weight.code, 2) << junk << weight.errors;
    EXPECT_THAT(weight.errors, ::testing::HasSubstr("expected 1 to 10000, 0 to drain"));
  }
}

TEST_P(OperatorTest, WatchPrintsWhoCameLeftAndHasAnotherWeight) {
  const auto one = StartProvider(Url(), "a.A", "127.0.0.1:7001", 3);
  ASSERT_TRUE(one);
  Process people({WEIR_PROGRAM, "watch", Url()});
  Process program({WEIR_PROGRAM, "watch", Url(), "--json"});
  ASSERT_TRUE(people.WaitForLine("a.A  127.0.0.1:7001  present, weight 3", kPatience));
  ASSERT_TRUE(program.WaitForLine("\"present\"", kPatience));
  const auto two = StartProvider(Url(), "a.A", "127.0.0.1:7002", 4);
  ASSERT_TRUE(two);
  EXPECT_TRUE(people.WaitForLine("a.A  127.0.0.1:7002  came, weight 4", kPatience));
  EXPECT_EQ(RunWeir({"weight", Url(), "a.A", "127.0.0.1:7001", "0"}).code, 0);
  EXPECT_TRUE(people.WaitForLine("a.A  127.0.0.1:7001  weight 3 -> 0 (draining)", kPatience));
  // A service that nobody knew.
  const auto other = StartProvider(Url(), "b.B", "127.0.0.1:7003", 5);
  ASSERT_TRUE(other);
  EXPECT_TRUE(people.WaitForLine("b.B  127.0.0.1:7003  came, weight 5", kPatience));
  two->Write("quit\n");
  EXPECT_TRUE(people.WaitForLine("a.A  127.0.0.1:7002  left", kPatience));
  EXPECT_TRUE(program.WaitForLine("\"left\"", kPatience));
  EXPECT_TRUE(program.WaitForLine("\"b.B\"", kPatience));
  people.Signal(SIGTERM);
  program.Signal(SIGINT);
  EXPECT_EQ(people.Wait(kPatience), 0) << people.Errors();
  EXPECT_EQ(program.Wait(kPatience), 0) << program.Errors();
  std::vector<std::string> events;
  for (const std::string& line : program.Lines()) {
    const nlohmann::json event = nlohmann::json::parse(line);
    EXPECT_GT(event["time_ms"], 1'500'000'000'000);
    events.push_back(event["event"].get<std::string>() + " " + event["address"].get<std::string>());
    if (event["event"] == "weight") {
      EXPECT_EQ(event["old_weight"], 3);
      EXPECT_EQ(event["weight"], 0);
    }
  }
  EXPECT_THAT(events, ::testing::UnorderedElementsAre(
                          "present 127.0.0.1:7001", "came 127.0.0.1:7002", "weight 127.0.0.1:7001",
                          "came 127.0.0.1:7003", "left 127.0.0.1:7002"));
}

TEST_P(OperatorTest, R4_AConsumerThatSleptHasTheExactListSoonAfterItWakes) {
  std::vector<std::unique_ptr<Process>> providers;
  for (int i = 1; i <= 3; ++i) {
    providers.push_back(StartProvider(Url(), "a.A", "127.0.0.1:700" + std::to_string(i), i));
    ASSERT_TRUE(providers.back());
  }
  Process consumer({WEIR_PROGRAM, "watch", Url(), "a.A"});
  ASSERT_TRUE(consumer.WaitForLine("127.0.0.1:7003  present", kPatience));
  consumer.Signal(SIGSTOP);
  providers[0]->Write("quit\n");
  EXPECT_EQ(providers[0]->Wait(kPatience), 0);
  providers[1]->Write("weight 20\n");
  EXPECT_TRUE(WeightBecomes("a.A", "127.0.0.1:7002", 20));
  const auto fresh = StartProvider(Url(), "a.A", "127.0.0.1:7004", 4);
  ASSERT_TRUE(fresh);
  consumer.Signal(SIGCONT);
  for (const char* line : {"127.0.0.1:7001  left", "127.0.0.1:7002  weight 2 -> 20",
                           "127.0.0.1:7004  came, weight 4"}) {
    EXPECT_TRUE(consumer.WaitForLine(line, std::chrono::seconds(3))) << line << consumer.Output();
  }
  EXPECT_EQ(consumer.Output().find("7003  left"), std::string::npos) << consumer.Output();
}

}  // namespace weir::testing
