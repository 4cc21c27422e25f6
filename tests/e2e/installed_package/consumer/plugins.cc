// Prints which registry schemes and strategies came along with the libraries it is linked with;
// fails if one of those that weir::registry and weir::loadbalance bring is missing.
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "weir/load_balance.h"
#include "weir/registry.h"

namespace {

bool HasAll(const char* what, const std::vector<std::string>& names,
            const std::vector<std::string>& expected) {
  std::printf("%s:", what);
  for (const std::string& name : names) std::printf(" %s", name.c_str());
  std::printf("\n");
  return std::all_of(expected.begin(), expected.end(), [&](const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  });
}

}  // namespace

int main(int argc, char** argv) {
  bool complete = HasAll("schemes", weir::Registries().Schemes(), {argv + 1, argv + argc});
  complete &= HasAll("strategies", weir::LoadBalances().Names(), {"round_robin", "least_active"});
  auto registry = weir::Registries().Open("mem://installed_package");
  if (!registry) std::printf("%s\n", registry.status().ToString().c_str());
  return complete && registry.ok() ? 0 : 1;
}
