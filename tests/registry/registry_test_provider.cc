// A provider without a server, for tests that kill it: registers, says so, and obeys its input.
//   registry_test_provider URL SERVICE ADDRESS WEIGHT [FACT=TEXT...]
// Prints "registered" when the registration stands, or "failed: ..."; reads "weight N" and "quit".
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <utility>

#include "weir/registry.h"

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  auto registry = weir::Registries().Open(argv[1]);
  if (!registry.ok()) {
    std::cout << "failed: " << registry.status().ToString() << std::endl;
    return 1;
  }
  weir::Instance instance{argv[2], argv[3], std::atoi(argv[4])};
  for (int i = 5; i < argc; ++i) {
    const std::string fact = argv[i];
    const auto equals = fact.find('=');
    if (equals == std::string::npos) return 2;
    instance.facts[fact.substr(0, equals)] = fact.substr(equals + 1);
  }
  auto registration = (*registry)->Register(std::move(instance));
  const weir::Status status =
      registration.ok() ? (*registry)->WaitUntilRegistered(20'000) : registration.status();
  if (!status.ok()) {
    std::cout << "failed: " << status.ToString() << std::endl;
    return 1;
  }
  std::cout << "registered" << std::endl;
  for (std::string line; std::getline(std::cin, line) && line != "quit";) {
    std::istringstream words(line);
    std::string verb;
    std::int32_t weight = 0;
    if (words >> verb >> weight && verb == "weight") (*registration)->SetWeight(weight);
  }
  (*registration).reset();
  return 0;
}
