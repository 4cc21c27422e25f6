// What a pick costs in real time.
#pragma once

#include <cstdint>
#include <span>

#include "weir/load_balance.h"

namespace weir::lab {

// Nanoseconds per pick over `snapshot` as it stands; takes a few milliseconds. `key_hashes` may be
// empty.
double MeasurePick(const ConfiguredLoadBalance& balance, const Snapshot& snapshot,
                   std::span<const std::uint64_t> key_hashes);

}  // namespace weir::lab
