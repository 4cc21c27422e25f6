// How `weir` writes things for people and for programs.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "weir/registry.h"

namespace weir::tool {

using Json = nlohmann::ordered_json;

// "0s", "42s", "3m12s", "5h03m", "4d02h"; a time to come counts as none.
std::string Age(std::chrono::system_clock::duration age);
// Fit for one line of a terminal: control characters as '?'.
std::string Printable(std::string_view text);
// "a, b, c and 4 more": at most `most` of them; "none".
std::string Some(const std::vector<std::string>& names, std::size_t most = 10);
// Columns as wide as their widest cell; the last one has no end.
std::string Table(const std::vector<std::vector<std::string>>& rows);
// What is no UTF-8 becomes U+FFFD. `indent` -1: one line.
std::string JsonText(const Json& json, int indent = 2);

// "serving", "draining" or "weight_rejected".
std::string State(const ProviderEntry& provider);
// "7", "0 (draining)", "100 (not set)", "100 ('abc' rejected)".
std::string WeightText(const ProviderEntry& provider);
std::int64_t Milliseconds(std::chrono::system_clock::time_point time);

}  // namespace weir::tool
