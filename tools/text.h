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
// "90us", "250ms", "1.5s", "2m" or "1h"; INVALID_ARGUMENT, naming these forms, for anything else.
Result<std::chrono::nanoseconds> ParseDuration(std::string_view text);
// "0.9 us", "12.3 us", "1.23 ms", "4.56 s".
std::string MicrosecondsText(double microseconds);
// "17 B", "1.2 kB", "3.4 MB".
std::string BytesText(double bytes);
// Fit for one line of a terminal: control characters as '?'.
std::string Printable(std::string_view text);
// "a, b, c and 4 more": at most `most` of them; "none".
std::string Some(const std::vector<std::string>& names, std::size_t most = 10);
// "; did you mean 'Hello'?" for what is most like `name`; empty if nothing is.
std::string DidYouMean(const std::string& name, const std::vector<std::string>& known);
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
