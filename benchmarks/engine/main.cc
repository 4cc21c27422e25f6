// bench-engine: weir's engine against LevelDB, RocksDB and LMDB in the same run, interleaved, each
// measurement in a process and a directory of its own.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/cases.h"
#include "engine/contestant.h"
#include "engine/report.h"
#include "engine/step.h"
#include "harness/arguments.h"
#include "harness/results.h"

namespace weir::bench {
namespace {

struct Arguments : CommonArguments {
  std::string contestants;
  std::string directory = std::filesystem::temp_directory_path().string();
  Plan plan;
  Tuning tuning;
};

// The figures of one contestant, run by run.
using Runs = std::map<std::string, std::vector<double>>;

bool IsWanted(const Step& step, const Plan& plan) {
  return std::any_of(step.cases.begin(), step.cases.end(),
                     [&](const std::string& the_case) { return plan.cases.contains(the_case); });
}

// The steps up to the last one that is wanted: what comes before prepares it.
Series WantedOf(const Series& series, const Plan& plan) {
  Series wanted = series;
  while (!wanted.empty() && !IsWanted(wanted.back(), plan)) wanted.pop_back();
  return wanted;
}

bool TakesPart(const Entry& entry, const Series& series, const Plan& plan) {
  if (!entry.absent.empty()) return false;
  for (const Step& step : series) {
    for (const std::string& the_case : step.cases) {
      if (plan.cases.contains(the_case) && entry.takes_part(the_case)) return true;
    }
  }
  return false;
}

bool RunOnce(const Entry& entry, const Series& series, const Arguments& arguments, Runs& runs) {
  const Scratch scratch(arguments.directory);
  if (!scratch.error().empty()) {
    std::fprintf(stderr, "error: --dir: cannot make a directory in %s: %s\n",
                 arguments.directory.c_str(), scratch.error().c_str());
    return false;
  }
  for (const Step& step : series) {
    const auto figures = MeasureInChild([&](Figures& found) {
      FlushFileSystem(scratch.path());
      const std::unique_ptr<Contestant> contestant = entry.make(arguments.tuning);
      Context context(*contestant, scratch.path() + "/store", arguments.plan, found);
      step.run(context);
    });
    if (!figures) {
      if (!Interrupted()) {
        std::fprintf(stderr, "error: %s failed; its own words, if any, stand above\n",
                     entry.name.c_str());
      }
      return false;
    }
    for (const auto& [name, value] : *figures) runs[name].push_back(value);
  }
  return true;
}

void AddMedians(const Entry& entry, const Series& series, const Plan& plan, const Runs& runs,
                Results& results) {
  for (const Step& step : series) {
    for (const std::string& the_case : step.cases) {
      if (!plan.cases.contains(the_case) || !entry.takes_part(the_case)) continue;
      if (!entry.absent.empty()) {
        results.Add({the_case, entry.name, "absent", 1, "", entry.absent});
      }
      const std::string prefix = FigureName(the_case, "");
      for (const auto& [name, values] : runs) {
        if (!name.starts_with(prefix)) continue;
        results.Add({the_case, entry.name, name.substr(prefix.size()), Median(values), "", ""});
      }
    }
  }
}

// Contestants in turn, so that what disturbs the machine disturbs all.
bool Measure(const Series& series, const std::vector<Entry>& entries, const Arguments& arguments,
             Results& results) {
  std::map<std::string, Runs> runs;
  bool ok = true;
  for (int run = 0; ok && run < arguments.runs; ++run) {
    for (const Entry& entry : entries) {
      if (!ok || !TakesPart(entry, series, arguments.plan)) continue;
      ok = RunOnce(entry, series, arguments, runs[entry.name]);
    }
  }
  for (const Entry& entry : entries) {
    AddMedians(entry, series, arguments.plan, runs[entry.name], results);
  }
  return ok;
}

// The contestants that were asked for. False after a line on standard error.
bool ChooseEntries(const std::string& list, std::vector<Entry>* chosen) {
  std::vector<std::string> known;
  for (const Entry& entry : Entries()) known.push_back(entry.name);
  std::vector<std::string> names;
  if (!Choose("--contestants", list, known, &names)) return false;
  bool one_is_there = false;
  for (const Entry& entry : Entries()) {
    if (std::find(names.begin(), names.end(), entry.name) == names.end()) continue;
    chosen->push_back(entry);
    one_is_there = one_is_there || entry.absent.empty();
  }
  if (!one_is_there) {
    std::fprintf(stderr, "error: --contestants: %s is absent (%s); name one that is there\n",
                 chosen->front().name.c_str(), chosen->front().absent.c_str());
  }
  return one_is_there;
}

bool ChooseCases(const std::string& list, std::set<std::string>* chosen) {
  std::vector<std::string> known;
  for (const Case& the_case : AllCases()) known.push_back(the_case.name);
  std::vector<std::string> names;
  if (!Choose("--only", list, known, &names)) return false;
  for (const std::string& name : names) {
    if (!list.empty() || CaseOf(name).by_default) chosen->insert(name);
  }
  return true;
}

bool CanUseDirectory(const std::string& directory) {
  const Scratch probe(directory);
  if (probe.error().empty()) return true;
  std::fprintf(stderr, "error: --dir: cannot make a directory in %s: %s\n", directory.c_str(),
               probe.error().c_str());
  return false;
}

void NameAbsent(const std::vector<Entry>& entries) {
  for (const Entry& entry : entries) {
    if (entry.absent.empty()) continue;
    std::fprintf(stderr,
                 "note: %s is absent (%s); to have it: scripts/bootstrap.sh --benchmarks, then "
                 "configure with WEIR_BENCH_WITH_LEVELDB=ON, WEIR_BENCH_WITH_ROCKSDB=ON and "
                 "WEIR_BENCH_WITH_LMDB=ON, and build\n",
                 entry.name.c_str(), entry.absent.c_str());
  }
}

std::string CasesForHelp() {
  std::string text = "Cases:\n";
  for (const Case& the_case : AllCases()) {
    text +=
        "  " + the_case.name + std::string(19 - the_case.name.size(), ' ') + the_case.title + "\n";
  }
  return text;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  Plan& plan = arguments.plan;
  CLI::App app{
      "Measures weir's engine, LevelDB (as it comes), RocksDB (tuned for point lookups; for large "
      "values also with blob files) and LMDB (without sync; with and without a writable map): "
      "interleaved, each measurement in a process and a fresh directory of its own; medians of all "
      "runs. Fills, scans and openings take all keys, reads and synchronous writes last "
      "--seconds.",
      "bench-engine"};
  app.footer(CasesForHelp());
  AddCommonArguments(app, arguments);
  app.add_option("--contestants", arguments.contestants,
                 "These alone, separated by commas: weir leveldb rocksdb rocksdb_blob lmdb "
                 "lmdb_map");
  app.add_option("--keys", plan.keys, "Keys of a store, of 16 bytes each")
      ->check(CLI::Range(std::uint64_t{100}, std::uint64_t{400'000'000}))
      ->capture_default_str();
  app.add_option("--value-size", plan.value_bytes, "Bytes of a value, but for the _4k cases")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 20))
      ->capture_default_str();
  app.add_option("--threads", plan.threads, "Threads of read_threads and fill_threads")
      ->check(CLI::Range(1U, 256U))
      ->capture_default_str();
  app.add_option("--dir", arguments.directory, "Where the stores are made, and removed again")
      ->capture_default_str();
  app.add_option("--segment-size", arguments.tuning.segment_size,
                 "weir: bytes of a segment; 0: its default, and 16 MiB in the cases about space "
                 "and merges")
      ->capture_default_str();
  app.add_option("--read", arguments.tuning.read_path,
                 "weir: how closed segments are read; its default if not given")
      ->check(CLI::IsMember({"mapped", "pread"}));
  std::uint64_t value_cache_mib = 0;
  app.add_option("--value-cache-mib", value_cache_mib, "weir: MiB of value cache; 0: none")
      ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{1} << 20))
      ->capture_default_str();
  std::optional<std::uint64_t> merge_mib;
  app.add_option("--merge-mib", merge_mib,
                 "weir: MiB a second that the merges of merge_put and merge_get read and write; "
                 "0: no limit; its default for automatic merges if not given")
      ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{1} << 20));
  std::size_t cache_mib = arguments.tuning.cache_bytes >> 20;
  app.add_option("--cache-mib", cache_mib, "RocksDB: MiB of block cache")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 20))
      ->capture_default_str();
  if (const int code = Parse(app, argc, argv); code >= 0) return code;
  arguments.tuning.cache_bytes = cache_mib << 20;
  arguments.tuning.value_cache_bytes = value_cache_mib << 20;
  if (merge_mib) arguments.tuning.merge_bytes_per_second = *merge_mib << 20;

  std::vector<Entry> entries;
  if (!ChooseCases(arguments.only, &plan.cases) ||
      !ChooseEntries(arguments.contestants, &entries) || !CanWrite(arguments.json_path) ||
      !CanUseDirectory(arguments.directory)) {
    return 2;
  }
  plan.seconds = arguments.seconds;
  NameAbsent(entries);
  if (plan.keys != Plan().keys || plan.value_bytes != Plan().value_bytes) {
    std::fprintf(stderr, "note: the goals are for --keys %llu --value-size %zu\n",
                 static_cast<unsigned long long>(Plan().keys), Plan().value_bytes);
  }

  Results results;
  bool ok = true;
  PrintHeader();
  for (const Series& all : AllSeries()) {
    const Series series = WantedOf(all, plan);
    if (!ok || series.empty()) continue;
    ok = Measure(series, entries, arguments, results);
    for (const Step& step : series) {
      for (const std::string& the_case : step.cases) {
        if (ok && plan.cases.contains(the_case)) PrintCase(results, CaseOf(the_case), entries);
      }
    }
  }
  if (ok) PrintVerdict(results);
  AddRatiosAndGoals(results, entries);
  // What was measured before a failure is kept.
  ok = WriteFile(arguments.json_path, results.ToJson()) && ok;
  if (Interrupted()) std::fputs("note: interrupted; what was made is removed\n", stderr);
  return ok ? 0 : 1;
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  return weir::bench::Main(argc, argv);
}
