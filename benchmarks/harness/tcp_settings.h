// The same TCP settings for everybody who is measured.
#pragma once

#include <string>

namespace weir::bench {

// Congestion control of every TCP socket that this process and its children make from now on, by
// whatever library: this program has a socket() of its own in front of the C library's.
// Distributions differ in their default, and on loopback BBR is a fifth slower than CUBIC at 1 MiB.
// False if the kernel does not have `name`; its default stays.
bool SetCongestionControl(const std::string& name);

}  // namespace weir::bench
