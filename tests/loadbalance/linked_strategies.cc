// A program that links weir::loadbalance and mentions none of its symbols: the five are there all
// the same. Built once per linker.
#include <algorithm>
#include <cstdio>

#include "weir/load_balance.h"

int main() {
  const std::vector<std::string> names = weir::LoadBalances().Names();
  int missing = 0;
  for (const char* name :
       {"consistent_hash", "least_active", "random", "round_robin", "weighted_random"}) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    std::fprintf(stderr, "strategy '%s' is not in the table\n", name);
    ++missing;
  }
  return missing == 0 ? 0 : 1;
}
