// A provider of weir.test.Echo that is a process of its own, for the tests of `weir call` and
// `weir bench`.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "e2e/weir_program.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace weir::testing {

inline constexpr std::chrono::seconds kEchoPatience{60};

// Registered in a directory. A resource; ends with it.
class EchoProgram {
 public:
  explicit EchoProgram(const std::string& registry, const std::string& listen = "127.0.0.1:0")
      : process_({WEIR_FAULT_PROVIDER, registry, listen}) {
    const auto line = process_.WaitForLine("listening on ", kEchoPatience);
    if (line) address_ = line->substr(line->rfind(' ') + 1);
  }
  const std::string& address() const noexcept { return address_; }
  Process& process() noexcept { return process_; }

 private:
  Process process_;
  std::string address_;
};

// "weir COMMAND TARGET weir.test.Echo/METHOD MESSAGE --proto ... MORE...".
inline std::vector<std::string> EchoLine(std::string command, std::string target,
                                         const std::string& method, std::string message,
                                         const std::vector<std::string>& more = {}) {
  std::vector<std::string> words = {
      std::move(command), std::move(target), "weir.test.Echo/" + method,
      std::move(message), "--proto",         WEIR_ECHO_PROTO};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

}  // namespace weir::testing
