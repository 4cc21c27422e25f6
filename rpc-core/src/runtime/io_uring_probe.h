// Finds out whether this process may use io_uring, and whether the kernel's knows what a Ring
// needs.
#pragma once

#include "weir/status.h"

namespace weir {

// How rings are set up.
extern const unsigned kRingFlags;

// Receives over a pair of sockets the way a Ring does. UNAVAILABLE with the reason if that fails:
// forbidden by a seccomp filter or by kernel.io_uring_disabled, no memory, a kernel before 6.0.
Status ProbeIoUring();

}  // namespace weir
