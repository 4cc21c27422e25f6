// Pieces of the sentences in which strategies explain their picks.
#pragma once

#include <string>

#include "weir/load_balance.h"

namespace weir {

inline constexpr char kAllExcluded[] = "all are excluded";

// "12.3 ms".
std::string Milliseconds(double ns);
// "key 'user-17'", or that there is none.
std::string KeyOf(const RequestView& request);

}  // namespace weir
