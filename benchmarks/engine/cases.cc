#include "engine/cases.h"

#include <cstdio>
#include <cstdlib>

namespace weir::bench {
namespace {

Case Rate(std::string name, std::string title, std::vector<Extra> extras = {}) {
  return {std::move(name), std::move(title), "ops_per_s", "ops/s", "%.0f", true, std::move(extras)};
}
Case Amount(std::string name, std::string title, std::string metric, std::string unit,
            std::string format, std::vector<Extra> extras = {}) {
  return {std::move(name), std::move(title), std::move(metric), std::move(unit), std::move(format),
          false,           std::move(extras)};
}

std::vector<Case> MakeCases() {
  const std::vector<Extra> latency = {{"p50_us", "p50 %.0f us"}, {"p99_us", "p99 %.0f us"}};
  const std::vector<Extra> memory = {{"index_bytes_per_key", "index alone %.1f"},
                                     {"resident_bytes_per_key", "with mapped files %.1f"}};
  const Extra hints = {"hint_bytes_per_byte", "%.3f of it hints"};
  const Extra other = {"other_bytes_per_byte", "%.3f neither hints nor data"};
  const std::vector<Extra> again = {{"seconds_again", "again %.3f"}};
  const std::vector<Extra> merging = {{"ops_per_s_quiet", "%.0f ops/s without"},
                                      {"ops_per_s", "%.0f with"},
                                      {"p99_us_quiet", "p99 %.1f us without"},
                                      {"p99_us", "%.1f with"},
                                      {"seconds", "merge took %.2f s"}};
  std::vector<Case> cases = {
      Rate("fill_seq", "puts in the order of the keys"),
      Amount("ram_seq", "memory after that", "anonymous_bytes_per_key", "B/key", "%.1f", memory),
      Rate("fill_random", "puts in random order"),
      Amount("ram_random", "memory after that", "anonymous_bytes_per_key", "B/key", "%.1f", memory),
      Rate("read_random", "gets of keys drawn evenly"),
      Rate("read_threads", "the same from several threads"),
      Rate("read_missing", "gets of keys that are not there"),
      Rate("read_zipf", "gets of keys drawn by Zipf 0.99"),
      Rate("scan", "all keys and values in order, filled in random order"),
      Rate("scan_merged", "the same after a whole merge or compaction"),
      Rate("overwrite", "puts of keys that are there"),
      Rate("delete", "deletes of keys that are there"),
      Rate("batch_100", "puts in random order, 100 at a time, atomically"),
      Rate("fill_threads", "puts in random order from several threads"),
      Rate("sync_1", "synchronous puts, one writer", latency),
      Rate("sync_8", "synchronous puts, 8 writers", latency),
      Rate("sync_64", "synchronous puts, 64 writers", latency),
      Rate("fill_4k", "puts of 4 KiB in random order, a tenth of the keys"),
      Rate("read_4k", "gets of those"),
      Amount("open", "opening after a clean close, up to the first get", "seconds", "s", "%.3f",
             again),
      Amount("ram_loaded", "memory after that", "anonymous_bytes_per_key", "B/key", "%.1f", memory),
      Amount("written_fill", "bytes written for a byte put, random fill", "bytes_per_byte", "B/B",
             "%.2f", {hints}),
      Amount("written_overwrite", "the same with three overwrites and their merges",
             "bytes_per_byte", "B/B", "%.2f"),
      Amount("space", "bytes on disk for a live byte after three overwrites", "bytes_per_byte",
             "B/B", "%.2f",
             {{"bytes_per_byte_at_most", "at most %.2f"},
              {"bytes_per_byte_closed", "%.2f when closed"},
              hints,
              other}),
      Amount("space_merged", "the same after a whole merge or compaction", "bytes_per_byte", "B/B",
             "%.3f", {{"written_bytes_per_byte", "%.2f written for a byte put"}, hints, other}),
      {"merge_put", "puts while a merge runs, as a part of those without", "rate_kept", "", "%.2f",
       true, merging},
      Amount("merge_get", "p99 of gets while a merge runs, as a multiple of that without",
             "p99_grown_to", "", "%.2f", merging),
  };
  Case tenfold = Amount("open_x10", "opening with ten times the keys; only if named in --only",
                        "seconds", "s", "%.3f", again);
  tenfold.by_default = false;
  cases.push_back(std::move(tenfold));
  return cases;
}

}  // namespace

const std::vector<Case>& AllCases() {
  static const std::vector<Case> cases = MakeCases();
  return cases;
}

const Case& CaseOf(std::string_view name) {
  for (const Case& the_case : AllCases()) {
    if (the_case.name == name) return the_case;
  }
  std::abort();  // a goal that names no case
}

const std::vector<Goal>& Goals() {
  constexpr bool kAtMost = false;
  static const std::vector<Goal> goals = {
      {"fill_seq", "leveldb", "", true, 2.2},
      {"ram_seq", "", "", kAtMost, 12},
      {"fill_random", "leveldb", "", true, 2.2},
      {"fill_random", "rocksdb", "", true, 5},
      {"fill_random", "lmdb_map", "", true, 1.5},
      {"ram_random", "", "", kAtMost, 28},
      {"read_random", "leveldb", "", true, 4},
      {"read_random", "rocksdb", "", true, 4},
      {"read_random", "lmdb", "", true, 1.1},
      {"read_threads", kOurs, "read_random", true, 1.9},
      {"read_missing", "rocksdb", "", true, 1.8},
      {"read_missing", "lmdb", "", true, 1.8},
      {"read_zipf", "lmdb", "", true, 1.3},
      {"scan", "leveldb", "", true, 1.2},
      {"scan_merged", "lmdb", "", true, 1.5},
      {"overwrite", "leveldb", "", true, 2.2},
      {"delete", "leveldb", "", true, 2},
      {"batch_100", "leveldb", "", true, 3},
      {"fill_threads", kOurs, "fill_random", true, 1},
      {"fill_threads", "leveldb", "", true, 2.5},
      {"sync_1", "leveldb", "", true, 1.1},
      {"sync_8", "leveldb", "", true, 1.4},
      {"sync_64", "leveldb", "", true, 1.2},
      {"fill_4k", "leveldb", "", true, 4},
      {"fill_4k", "rocksdb_blob", "", true, 4},
      {"fill_4k", "lmdb", "", true, 2.2},
      {"read_4k", "rocksdb_blob", "", true, 3},
      {"read_4k", "lmdb", "", true, 0.85},
      {"open", "", "", kAtMost, 0.12},
      {"open_x10", "", "", kAtMost, 1.2},
      {"ram_loaded", "", "", kAtMost, 24},
      {"written_fill", "", "", kAtMost, 1.1},
      {"written_overwrite", "", "", kAtMost, 2.1},
      {"space", "", "", kAtMost, 1.5},
      {"space_merged", "", "", kAtMost, 1.1},
      {"merge_put", "", "", true, 0.8},
      {"merge_get", "", "", kAtMost, 2},
  };
  return goals;
}

std::optional<double> TimesBetter(const Results& results, const Case& the_case,
                                  const std::string& rival, const std::string& rival_case) {
  const Case& theirs_case = rival_case.empty() ? the_case : CaseOf(rival_case);
  const double* ours = results.Find(the_case.name, kOurs, the_case.metric, "");
  const double* theirs = results.Find(theirs_case.name, rival, theirs_case.metric, "");
  if (ours == nullptr || theirs == nullptr) return std::nullopt;
  const double above = the_case.more_is_better ? *ours : *theirs;
  const double below = the_case.more_is_better ? *theirs : *ours;
  if (below <= 0) return std::nullopt;
  return above / below;
}

std::optional<Verdict> Judge(const Results& results, const Goal& goal) {
  const Case& the_case = CaseOf(goal.the_case);
  std::optional<double> value;
  if (!goal.rival.empty()) {
    value = TimesBetter(results, the_case, goal.rival, goal.rival_case);
  } else if (const double* figure = results.Find(the_case.name, kOurs, the_case.metric, "")) {
    value = *figure;
  }
  if (!value) return std::nullopt;
  return Verdict{*value, goal.at_least ? *value >= goal.bound : *value <= goal.bound};
}

}  // namespace weir::bench
