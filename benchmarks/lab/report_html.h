// The results of a contest as a page for people: one file that needs nothing else.
#pragma once

#include <string>

#include "lab/contest.h"

namespace weir::lab {

std::string ToHtml(const ContestResult& result);

}  // namespace weir::lab
