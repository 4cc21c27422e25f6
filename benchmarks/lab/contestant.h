// Contestant: who picks the servers in a run.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weir/load_balance.h"

namespace weir::lab {

inline constexpr std::string_view kOracle = "oracle";
inline constexpr std::string_view kKeyedOracle = "keyed_oracle";

// A strategy by its text, or one of the two oracles. A value.
struct Contestant {
  std::string name;
  ConfiguredLoadBalance balance;  // of a strategy
  bool keyed = false;             // sends equal keys to the same server

  bool is_oracle() const noexcept { return name == kOracle || name == kKeyedOracle; }
  // Whom it is measured against.
  std::string_view oracle() const noexcept { return keyed ? kKeyedOracle : kOracle; }
  // INVALID_ARGUMENT for an unknown name or refused parameters; the message lists the known ones.
  static Result<Contestant> Make(const std::string& text);
};

// Adds what only the laboratory knows to the table of strategies: least_active_fixed_ties, which
// takes the first of those with the fewest calls in flight.
void InstallLabStrategies();
// The names of all strategies but those.
std::vector<std::string> ComparedStrategies();

}  // namespace weir::lab
