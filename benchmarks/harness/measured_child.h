// MeasureInChild: a measurement in a process of its own, so that memory, CPU time and what
// libraries keep are those of one measurement alone.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

namespace weir::bench {

// By name.
using Figures = std::map<std::string, double>;

// Forks; runs `measure` in the child and returns what it has put into its argument. Nothing if the
// child failed; its own words stand on standard error. Call it while this process has one thread.
// SIGINT and SIGTERM to this process end the child from the first call on (see Interrupted).
std::optional<Figures> MeasureInChild(const std::function<void(Figures&)>& measure);

// True once SIGINT or SIGTERM has come: clean up and leave.
bool Interrupted() noexcept;

}  // namespace weir::bench
