// A consumer in a process of its own, to be stopped. Arguments: registry URL. Calls Echo at a fixed
// rate with idempotent calls, and prints
//   "calling"                          when the first call was answered
//   "list h:p*w h:p*w"                 each list of providers that the registry tells
//   "failed <steady clock, ms> <why>"  for each failed call, with the time it was started
//   "answered <n> failed <n>"          last
// when its standard input is closed.
#include <chrono>
#include <iostream>
#include <mutex>
#include <string>

#include "fault/steady_load.h"
#include "weir/registry.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto registry = weir::Registries().Open(argv[1]);
  if (!registry.ok()) {
    std::cerr << registry.status().ToString() << std::endl;
    return 1;
  }
  std::mutex printing;
  const auto print = [&printing](const std::string& line) {
    const std::lock_guard lock(printing);
    std::cout << line << std::endl;
  };
  const auto subscription =
      (*registry)->Watch("weir.test.Echo", [&print](const weir::ProviderList& providers) {
        std::string line = "list";
        for (const weir::Provider& one : *providers) {
          line += " " + one.address + "*" + std::to_string(one.weight);
        }
        print(line);
      });
  weir::test::SteadyLoad load(argv[1], {.idempotent = true});
  print("calling");
  for (std::string line; std::getline(std::cin, line);) {
  }
  const weir::test::LoadTally tally = load.Stop();
  for (const auto& failure : tally.failures) {
    const auto started =
        std::chrono::duration_cast<std::chrono::milliseconds>(failure.started.time_since_epoch());
    print("failed " + std::to_string(started.count()) + " " + failure.status.ToString());
  }
  print("answered " + std::to_string(tally.answered) + " failed " +
        std::to_string(tally.failures.size()));
  return 0;
}
