// What bench-rpc prints and draws of its figures.
#pragma once

#include <string>
#include <vector>

#include "harness/results.h"
#include "rpc/contestant.h"

namespace weir::bench {

inline constexpr char kIdleCase[] = "idle";

// W1 to W5.
const std::vector<Workload>& Workloads();

void PrintHeader();
// The lines of a case, as far as it was measured, with the ratio to bare_epoll.
void PrintWorkload(const Results& results, const Workload& workload, const std::string& pinning,
                   const std::vector<Entry>& entries);
void PrintIdle(const Results& results, std::size_t connections, const std::vector<Entry>& entries);

// All cases and contestants: ratios to bare_epoll where it was measured, and the idle case.
std::string DrawChart(const Results& results, const std::vector<Entry>& entries,
                      std::size_t idle_connections, const std::string& command);

}  // namespace weir::bench
