// The server that bench-threads measures.
#pragma once

#include <cstdint>
#include <functional>

#include "weir/runtime.h"

namespace weir::bench {

// How many rounds of the work of `Compute` take 100 us of this machine's CPU time, as it is now.
std::uint64_t RoundsOfHundredMicroseconds();

// Serves weir.bench.Work on a free port with those threads; calls `ready` with the port and does
// not return, except after a line on standard error.
void ServeWork(const ThreadOptions& threads, std::uint64_t compute_rounds,
               const std::function<void(std::uint16_t port)>& ready);

}  // namespace weir::bench
