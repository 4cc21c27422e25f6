// What tells the log lines of one process from those of its siblings.
#pragma once

#include <string>

namespace weir {

// Stands before every line from here on. Not thread-safe: before this process has threads.
void SetLogPrefix(std::string prefix);

}  // namespace weir
