// The command line that the benchmark programs share.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace weir::bench {

struct CommonArguments {
  int runs = 3;
  double seconds = 1.0;
  std::string only;  // cases, separated by commas; empty: all
  std::string json_path;
};

// Adds --runs, --seconds, --only and --json.
void AddCommonArguments(CLI::App& app, CommonArguments& arguments);

// Parses; -1 to go on, otherwise the exit code: 0 after --help, 2 after a line on standard error
// about a mistake.
int Parse(CLI::App& app, int argc, char** argv);

// The items of `list` (separated by commas; empty: all of `known`), in the order of `known`. False
// after a line on standard error that names the one that `what` (such as "--only") does not know,
// and those it does.
bool Choose(const char* what, const std::string& list, const std::vector<std::string>& known,
            std::vector<std::string>* chosen);

// The command line again, for people to copy.
std::string CommandLine(int argc, char** argv);

}  // namespace weir::bench
