// The `weir` program as an operator has it, for its tests.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/process.h"

namespace weir::testing {

struct Ended {
  int code = -1;
  std::string output;
  std::string errors;
};

// Runs weir to its end. `registry`: what the environment variable WEIR_REGISTRY holds.
inline Ended RunWeir(std::vector<std::string> arguments, const std::string& registry = {}) {
  arguments.insert(arguments.begin(), WEIR_PROGRAM);
  Process process(std::move(arguments), {.environment = {"WEIR_REGISTRY=" + registry}});
  const auto code = process.Wait(std::chrono::seconds(30));
  return {code.value_or(-1), process.Output(), process.Errors()};
}

// A provider that is a process of its own: registered, says the registry.
inline std::unique_ptr<Process> StartProvider(const std::string& registry,
                                              const std::string& service,
                                              const std::string& address, int weight,
                                              const std::vector<std::string>& facts = {}) {
  std::vector<std::string> arguments = {WEIR_TEST_PROVIDER, registry, service, address,
                                        std::to_string(weight)};
  arguments.insert(arguments.end(), facts.begin(), facts.end());
  auto provider = std::make_unique<Process>(std::move(arguments));
  if (!provider->WaitForLine("registered", std::chrono::seconds(30))) return nullptr;
  return provider;
}

}  // namespace weir::testing
