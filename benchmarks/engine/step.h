// Steps: what is done to a contestant. Every step is a process of its own; those of a series work
// one after the other on the same directory, so that a step begins with a store as it was closed.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/contestant.h"
#include "engine/measure.h"
#include "engine/records.h"
#include "harness/measured_child.h"

namespace weir::bench {

inline constexpr std::size_t kLargeValueBytes = 4096;

// What the command line asks for.
struct Plan {
  std::uint64_t keys = 1'000'000;
  std::size_t value_bytes = 100;
  double seconds = 1;
  unsigned threads = 2;         // of the cases with several
  std::set<std::string> cases;  // chosen
};

// What a step is given.
class Context {
 public:
  Context(Contestant& contestant, std::string place, const Plan& asked, Figures& figures)
      : store(contestant), directory(std::move(place)), plan(asked), figures_(figures) {}

  Contestant& store;
  const std::string directory;  // the store's; exists from the first Open on
  const Plan& plan;

  bool Wants(const std::string& the_case) const { return plan.cases.contains(the_case); }
  // Figures of cases that were not chosen are dropped.
  void Report(const std::string& the_case, const std::string& metric, double value);
  // ops_per_s and cpu_us_per_op.
  void Report(const std::string& the_case, const Timing& timing);
  // p50_us and p99_us, with `suffix` behind them.
  void Report(const std::string& the_case, const Histogram& latency, const std::string& suffix);
  // {anonymous,resident,index}_bytes_per_key: what memory has grown by since `before`.
  void ReportMemory(const std::string& the_case, const Memory& before, std::uint64_t keys);

 private:
  Figures& figures_;
};

// The figures of a case go by this name.
std::string FigureName(const std::string& the_case, const std::string& metric);

// Puts every key of Key::Random below `keys`, in a random order.
void FillRandom(Context& context, const Values& values, std::uint64_t keys);
// The same by batches of `size`.
void FillBatches(Context& context, const Values& values, std::uint64_t keys, std::size_t size);
// Puts every one of them again; `version` counts from 1.
void Overwrite(Context& context, const Values& values, std::uint64_t version);
// Gets every `stride`-th key and compares its value with that of `version`; ends the process if one
// is wrong.
void ReadBack(Context& context, const Values& values, std::uint64_t keys, std::uint64_t version,
              std::uint64_t stride = 1);

struct Step {
  std::vector<std::string> cases;  // that it measures
  void (*run)(Context&);
};
using Series = std::vector<Step>;
// All there are, in the order in which they are run.
const std::vector<Series>& AllSeries();

Series SequentialSeries();
Series RandomSeries();
Series RewriteSeries();
Series BatchSeries();
Series WritersSeries();
Series SyncSeries();
Series LargeSeries();
Series OpenSeries();
Series OpenTenfoldSeries();
Series SpaceSeries();
Series MergeSeries();

}  // namespace weir::bench
