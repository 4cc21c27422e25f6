// What the store's programs share: exit codes, and how they complain.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "weir/status.h"

namespace weir::kv::tool {

enum ExitCode : int {
  kExitOk = 0,
  kExitNo = 1,           // the answer is no: no such key, or what was compared differs
  kExitUsage = 2,        // wrong option, unreadable file; nothing was done
  kExitUnreachable = 3,  // who would have to answer cannot be reached, or did not in time
  kExitFailed = 4,       // refused or failed otherwise
};

// The exit code that belongs to a failure.
ExitCode ExitCodeFor(const Status& status);

// One line to standard error: "weir-kv: <message>".
void Complain(const CLI::App& app, std::string_view message);
// Complains about a failure and returns its exit code.
ExitCode Fail(const CLI::App& app, const Status& status);

// Parses the command line. An exit code if the program is to end now: 0 after --help or --version,
// kExitUsage after one line about a mistake.
std::optional<int> Parse(CLI::App& app, int argc, char** argv);

}  // namespace weir::kv::tool
