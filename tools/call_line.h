// The options of `weir call` and `weir bench` on a command line.
#pragma once

#include <CLI/CLI.hpp>

#include "commands.h"

namespace weir::tool {

// Both requests live until the line is parsed.
void AddCallOptions(CLI::App& app, CallRequest& request);
void AddBenchOptions(CLI::App& app, BenchRequest& request);

// What cannot be said of one option alone, once all are known.
Status CheckBench(const CLI::App& app, BenchRequest& request);

}  // namespace weir::tool
