// What choosing a provider costs, at 10, 100 and 1000 providers, beside the forms one would write
// first. Takes Google Benchmark's options, and --table for a summary with the goals at the end.
//   bench-loadbalance --benchmark_filter='/(least_active|p2c)'
//   bench-loadbalance --table --benchmark_repetitions=5
#include <benchmark/benchmark.h>

#include <algorithm>
#include <string_view>

#include "fleet.h"
#include "table.h"

int main(int argc, char** argv) {
  const auto is_table = [](const char* argument) {
    return std::string_view(argument) == "--table";
  };
  char** end = std::remove_if(argv + 1, argv + argc, is_table);
  const bool table = end != argv + argc;
  argc = static_cast<int>(end - argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  weir::bench::RegisterPicks();
  weir::bench::RegisterNaive();
  weir::bench::RegisterBuilds();
  if (table) {
    weir::bench::Recorder recorder;
    benchmark::RunSpecifiedBenchmarks(&recorder);
    weir::bench::PrintTable(recorder);
  } else {
    benchmark::RunSpecifiedBenchmarks();
  }
  benchmark::Shutdown();
  return 0;
}
