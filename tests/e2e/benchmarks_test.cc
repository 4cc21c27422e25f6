// The benchmark programs, run so briefly that their figures mean nothing: what they write is whole,
// nobody is left out without a word, and mistakes are named.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "support/process.h"
#include "support/temp_dir.h"
#include "weir/runtime.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::Process;
using testing::TempDir;
using ::testing::UnorderedElementsAreArray;

struct Ran {
  int code = -1;
  std::string output;
  std::string errors;
};

Ran RunProgram(std::vector<std::string> argv, std::chrono::seconds patience = 60s) {
  Process process(std::move(argv));
  const std::optional<int> code = process.Wait(patience);
  return {code.value_or(-1), process.Output(), process.Errors()};
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Elements closed in the order in which they were opened, and no `&` but those of known entities:
// enough of XML for what a chart is made of. Empty, or what is wrong.
std::string WrongInXml(std::string_view text) {
  if (!text.starts_with("<?xml")) return "does not begin with <?xml";
  std::vector<std::string> open;
  for (std::size_t at = text.find("?>") + 2; at < text.size();) {
    if (text[at] == '&') {
      const std::string_view entity = text.substr(at, text.find(';', at) - at + 1);
      if (entity != "&amp;" && entity != "&lt;" && entity != "&gt;" && entity != "&quot;") {
        return "unknown entity at " + std::to_string(at);
      }
    }
    if (text[at++] != '<') continue;
    const std::size_t end = text.find('>', at);
    if (end == std::string_view::npos) return "unfinished element";
    const std::string_view element = text.substr(at, end - at);
    if (element.find('<') != std::string_view::npos) return "'<' within an element";
    const std::string name(element.substr(0, element.find_first_of(" /", 1)));
    if (name.starts_with('/')) {
      if (open.empty() || "/" + open.back() != name) return "unexpected <" + name + ">";
      open.pop_back();
    } else if (!element.ends_with('/')) {
      open.push_back(name);
    }
    at = end + 1;
  }
  return open.empty() ? "" : "<" + open.back() + "> is not closed";
}

// The metrics of each contestant in a case.
using Metrics = std::map<std::string, double>;
std::map<std::string, Metrics> MetricsOf(const nlohmann::json& rows, const std::string& name) {
  std::map<std::string, Metrics> metrics;
  for (const auto& row : rows) {
    if (row.at("case") != name) continue;
    metrics[row.at("contestant")][row.at("metric")] = row.at("value").get<double>();
    if (row.at("metric") == "absent") {
      EXPECT_NE(row.at("reason").get<std::string>(), "");
    }
  }
  return metrics;
}

TEST(BenchRpc, EveryContestantIsMeasuredOrNamedAsAbsent) {
  const TempDir dir;
  const std::string json = dir.Path("figures.json");
  const std::string svg = dir.Path("chart.svg");
  const Ran ran =
      RunProgram({WEIR_BENCH_RPC, "--runs", "1", "--seconds", "0.2", "--only", "W2,idle",
                  "--pinning", "both", "--idle-connections", "40", "--json", json, "--chart", svg});
  ASSERT_EQ(ran.code, 0) << ran.errors;
  const nlohmann::json rows = nlohmann::json::parse(ReadFile(json));
  auto calls = MetricsOf(rows, "W2");
  auto idle = MetricsOf(rows, "idle");
  const std::string chart = ReadFile(svg);
  EXPECT_EQ(WrongInXml(chart), "");
  EXPECT_THAT(chart, HasSubstr("bench-rpc --runs 1 --seconds 0.2 --only W2,idle"));
  for (const std::string name : {"bare_epoll", "bare_asio", "weir", "grpc", "thrift"}) {
    SCOPED_TRACE(name);
    EXPECT_THAT(ran.output, HasSubstr(name));
    EXPECT_THAT(chart, HasSubstr(name));
    const bool may_be_absent = name == "grpc" || name == "thrift";
    if (may_be_absent && calls[name].contains("absent")) {
      EXPECT_TRUE(idle[name].contains("absent"));
      EXPECT_THAT(ran.output, HasSubstr(name + " "));
      EXPECT_THAT(ran.output, HasSubstr("absent ("));
      EXPECT_THAT(ran.errors, HasSubstr("note: " + name + " is absent"));
      continue;
    }
    for (const std::string metric :
         {"calls_per_s", "p50_us", "p99_us", "server_cpu_us", "client_cpu_us", "mb_per_s"}) {
      EXPECT_GT(calls[name][metric], 0) << metric;
    }
    EXPECT_TRUE(idle[name].contains("bytes"));
    EXPECT_EQ(idle[name]["connections"], 40);
  }
  std::set<std::string> pinnings;
  for (const auto& row : rows) {
    if (row.contains("pinning")) pinnings.insert(row.at("pinning"));
  }
  EXPECT_THAT(pinnings, ::testing::Contains("unpinned"));  // one core cannot be pinned to
}

TEST(BenchRpc, ContestantsThatWereNotAskedForAreNotRun) {
  const TempDir dir;
  const std::string json = dir.Path("figures.json");
  const Ran ran = RunProgram({WEIR_BENCH_RPC, "--runs", "1", "--seconds", "0.1", "--only", "W1",
                              "--contestants", "weir_blocking,weir", "--json", json});
  ASSERT_EQ(ran.code, 0) << ran.errors;
  std::set<std::string> names;
  for (const auto& row : nlohmann::json::parse(ReadFile(json))) names.insert(row["contestant"]);
  EXPECT_EQ(names, (std::set<std::string>{"weir", "weir_blocking"}));
}

TEST(BenchThreads, EveryThreadModelIsMeasured) {
  const TempDir dir;
  const std::string json = dir.Path("figures.json");
  const Ran ran = RunProgram({WEIR_BENCH_THREADS, "--runs", "1", "--seconds", "0.3", "--only",
                              "fast,connections", "--idle-connections", "40", "--json", json});
  ASSERT_EQ(ran.code, 0) << ran.errors;
  const nlohmann::json rows = nlohmann::json::parse(ReadFile(json));
  for (const std::string name : {"fast", "connections"}) {
    auto metrics = MetricsOf(rows, name);
    ASSERT_EQ(metrics.size(), AllThreadModels().size());
    for (const ThreadModel model : AllThreadModels()) {
      SCOPED_TRACE(ThreadModelName(model));
      for (const std::string metric : {"calls_per_s", "p50_us", "p99_us", "server_cpu_us"}) {
        EXPECT_GT(metrics[std::string(ThreadModelName(model))][metric], 0) << metric;
      }
    }
  }
}

TEST(BenchCore, EveryBenchmarkRuns) {
  const Ran ran = RunProgram({WEIR_BENCH_CORE, "--benchmark_min_time=0.0001"});
  EXPECT_EQ(ran.code, 0) << ran.errors;
  for (const std::string part :
       {"Header/", "Frame/parse/16", "Meta/", "Buffer/", "Mailbox/", "TimerWheel/", "Turn/"}) {
    EXPECT_THAT(ran.output, HasSubstr(part));
  }
  EXPECT_THAT(ran.output + ran.errors, ::testing::Not(HasSubstr("ERROR OCCURRED")));
}

#ifdef WEIR_BENCH_ENGINE
TEST(BenchEngine, EveryCaseOfEveryContestantIsMeasuredOrNamedAsAbsent) {
  const TempDir dir;
  const std::string json = dir.Path("figures.json");
  const std::string stores = dir.Path("stores");
  std::filesystem::create_directory(stores);
  const Ran ran = RunProgram(
      {WEIR_BENCH_ENGINE, "--runs", "1", "--seconds", "0.01", "--keys", "1000", "--only",
       "fill_seq,ram_seq,fill_random,read_random,read_threads,read_missing,read_zipf,scan,"
       "scan_merged,overwrite,delete,batch_100,fill_threads,sync_1,fill_4k,read_4k,open,"
       "written_fill,space,space_merged,merge_put,merge_get",
       "--dir", stores, "--json", json},
      240s);
  ASSERT_EQ(ran.code, 0) << ran.errors;
  const nlohmann::json rows = nlohmann::json::parse(ReadFile(json));
  for (const std::string name : {"weir", "leveldb", "rocksdb", "lmdb", "lmdb_map"}) {
    SCOPED_TRACE(name);
    auto fill = MetricsOf(rows, "fill_random")[name];
    if (name != "weir" && fill.contains("absent")) {
      EXPECT_THAT(ran.errors, HasSubstr("note: " + name + " is absent"));
      EXPECT_THAT(ran.output, HasSubstr("absent ("));
      continue;
    }
    for (const std::string the_case :
         {"fill_seq", "fill_random", "read_random", "read_threads", "read_missing", "read_zipf",
          "scan", "scan_merged", "overwrite", "delete", "batch_100", "fill_threads", "fill_4k",
          "read_4k"}) {
      SCOPED_TRACE(the_case);
      auto metrics = MetricsOf(rows, the_case)[name];
      EXPECT_GT(metrics["ops_per_s"], 0);
      EXPECT_GT(metrics["cpu_us_per_op"], 0);
    }
    EXPECT_GT(MetricsOf(rows, "open")[name]["seconds"], 0);
    EXPECT_GT(MetricsOf(rows, "space")[name]["bytes_per_byte"], 0.5);
    EXPECT_TRUE(MetricsOf(rows, "ram_seq")[name].contains("anonymous_bytes_per_key"));
    if (name != "weir") {
      EXPECT_GT(MetricsOf(rows, "scan")["weir"]["ratio_to_" + name], 0);
    }
  }
  EXPECT_GT(MetricsOf(rows, "space_merged")["weir"]["bytes_per_byte"], 1);
  EXPECT_GT(MetricsOf(rows, "merge_put")["weir"]["rate_kept"], 0);
  EXPECT_GT(MetricsOf(rows, "merge_get")["weir"]["p99_grown_to"], 0);
  auto weir = MetricsOf(rows, "open")["weir"];
  EXPECT_EQ(weir["goal"], 0.12);
  EXPECT_EQ(weir["met"], weir["seconds"] <= 0.12 ? 1 : 0);
  EXPECT_THAT(ran.output, HasSubstr(" goals met"));
  EXPECT_TRUE(std::filesystem::is_empty(stores)) << "stores are removed after use";
}

TEST(BenchEngine, ItsOwnOptionsAreNamedWhenTheyAreMistaken) {
  for (const auto& [arguments, named] :
       std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"--keys", "1"}, "--keys"},
           {{"--value-size", "0"}, "--value-size"},
           {{"--threads", "0"}, "--threads"},
           {{"--contestants", "bdb"}, "weir, leveldb, rocksdb"},
           {{"--dir", "/no-such-folder"}, "--dir: cannot make a directory in /no-such-folder"}}) {
    SCOPED_TRACE(arguments[0]);
    std::vector<std::string> argv = {WEIR_BENCH_ENGINE};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    const Ran ran = RunProgram(argv);
    EXPECT_EQ(ran.code, 2);
    EXPECT_THAT(ran.errors, AllOf(HasSubstr("error: "), HasSubstr(named)));
    EXPECT_EQ(std::count(ran.errors.begin(), ran.errors.end(), '\n'), 1) << ran.errors;
  }
}
#endif

// The programs that are there.
std::vector<std::string> Programs() {
  return {
      WEIR_BENCH_RPC,
      WEIR_BENCH_THREADS,
#ifdef WEIR_BENCH_ENGINE
      WEIR_BENCH_ENGINE,
#endif
  };
}

TEST(Benchmarks, AMistakenArgumentIsOneLineThatNamesItAndExitCode2) {
  const std::string nowhere = "/no-such-folder/figures.json";
  for (const std::string& program : Programs()) {
    for (const auto& [arguments, named] :
         std::vector<std::pair<std::vector<std::string>, std::string>>{
             {{"--only", "W9"}, "W9"},
             {{"--runs", "no"}, "no"},
             {{"--seconds", "0"}, "--seconds"},
             {{"--no-such-option"}, "--no-such-option"},
             {{"--json", nowhere}, nowhere}}) {
      std::vector<std::string> argv = {program};
      argv.insert(argv.end(), arguments.begin(), arguments.end());
      const Ran ran = RunProgram(argv);
      SCOPED_TRACE(program + " " + arguments[0]);
      EXPECT_EQ(ran.code, 2);
      EXPECT_EQ(ran.output, "");
      EXPECT_THAT(ran.errors, AllOf(HasSubstr("error: "), HasSubstr(named)));
      EXPECT_EQ(std::count(ran.errors.begin(), ran.errors.end(), '\n'), 1) << ran.errors;
    }
    const Ran help = RunProgram({program, "--help"});
    EXPECT_EQ(help.code, 0);
    EXPECT_THAT(help.output, AllOf(HasSubstr("--runs"), HasSubstr("--only"), HasSubstr("Cases:")));
  }
  EXPECT_THAT(RunProgram({WEIR_BENCH_RPC, "--contestants", "brpc"}).errors,
              AllOf(HasSubstr("brpc"), HasSubstr("bare_epoll, bare_asio, weir")));
  EXPECT_THAT(RunProgram({WEIR_BENCH_THREADS, "--models", "many"}).errors,
              AllOf(HasSubstr("many"), HasSubstr("multi_reactor")));
}

}  // namespace
}  // namespace weir::test
