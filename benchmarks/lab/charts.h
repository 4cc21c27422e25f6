// Charts of the laboratory's page: inline SVG whose colours follow the page's theme.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lab/contest.h"

namespace weir::lab {

// printf into a string.
[[gnu::format(printf, 1, 2)]] std::string Print(const char* format, ...);
// Text as it may stand in HTML, in attributes too.
std::string Escape(std::string_view text);
// The colour of the i-th of several things that are told apart.
std::string ColourOf(std::size_t i);

// Bars of p99 on a logarithmic axis, the lowest first.
std::string TailBars(const ContestResult::Round& round, const std::vector<std::string>& names);
// Which part of the calls took longer than how many milliseconds, both axes logarithmic: one curve
// for each contestant.
std::string TailCurves(const ContestResult::Round& round, const std::vector<std::string>& names);
// A row of cells for each contestant: how many calls each server got, 1 being the average.
std::string ServerLoads(const ContestResult::Round& round);
// The ring of consistent hashing over `providers` equal providers with `vnodes` virtual nodes each,
// as the production function deals it, and the share of each provider.
std::string RingPicture(std::uint32_t providers, std::uint32_t vnodes);

}  // namespace weir::lab
