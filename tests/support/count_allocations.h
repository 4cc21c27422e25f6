// For programs that count what they allocate. Listing count_allocations.cc among a program's
// sources replaces its operator new.
#pragma once

#include <atomic>

namespace weir::test {

// Calls of operator new in this program so far, on all threads.
extern std::atomic<long> allocations;

}  // namespace weir::test
