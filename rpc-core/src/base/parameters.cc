// The text of a load balance, "name:key=value,key=value", taken apart.
#include <algorithm>
#include <charconv>
#include <cstdio>

#include "weir/load_balance.h"

namespace weir {

Result<Parameters> Parameters::Parse(std::string_view text) {
  const auto refuse = [&](std::size_t at, std::string_view why) {
    return InvalidArgument("load balance '" + std::string(text) + "', position " +
                           std::to_string(at + 1) + ": " + std::string(why) +
                           "; expected name or name:key=value,key=value");
  };
  Parameters parsed;
  parsed.text_ = text;
  const auto colon = text.find(':');
  parsed.name_ = text.substr(0, colon);
  if (parsed.name_.empty()) return refuse(0, "the name is missing");
  if (colon == std::string_view::npos) return parsed;
  std::size_t at = colon + 1;
  while (true) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const std::string_view pair = text.substr(at, end - at);
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0) return refuse(at, "key=value is missing");
    const auto [place, fresh] = parsed.values_.emplace(std::string(pair.substr(0, equals)),
                                                       std::string(pair.substr(equals + 1)));
    if (!fresh) return refuse(at, "'" + place->first + "' is given twice");
    if (end == text.size()) return parsed;
    at = end + 1;
  }
}

Status Parameters::Refuse(std::string_view key, std::string_view expected) const {
  // The key stands behind ':' or ','; Parse has seen it there.
  std::size_t at = name_.size() + 1;
  while (text_.compare(at, key.size() + 1, std::string(key) + "=") != 0) {
    at = text_.find(',', at) + 1;
  }
  return InvalidArgument("load balance '" + text_ + "', position " + std::to_string(at + 1) +
                         ": parameter '" + std::string(key) + "' is '" + values_.find(key)->second +
                         "'; expected " + std::string(expected));
}

Result<std::int64_t> Parameters::Integer(std::string_view key, std::int64_t fallback,
                                         std::int64_t min, std::int64_t max) const {
  const auto found = values_.find(key);
  if (found == values_.end()) return fallback;
  const std::string& text = found->second;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < min || value > max) {
    return Refuse(key, "an integer from " + std::to_string(min) + " to " + std::to_string(max));
  }
  return value;
}

Result<double> Parameters::Number(std::string_view key, double fallback, double min,
                                  double max) const {
  const auto found = values_.find(key);
  if (found == values_.end()) return fallback;
  const std::string& text = found->second;
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  // Written so that "nan" fails as well.
  const bool accepted =
      error == std::errc() && end == text.data() + text.size() && value >= min && value <= max;
  if (!accepted) {
    char bounds[64];
    std::snprintf(bounds, sizeof bounds, "a number from %g to %g", min, max);
    return Refuse(key, bounds);
  }
  return value;
}

Result<std::size_t> Parameters::OneOf(std::string_view key, std::size_t fallback,
                                      std::span<const std::string_view> choices) const {
  const auto found = values_.find(key);
  if (found == values_.end()) return fallback;
  const auto choice = std::find(choices.begin(), choices.end(), found->second);
  if (choice != choices.end()) return static_cast<std::size_t>(choice - choices.begin());
  std::string expected = "one of";
  for (const std::string_view each : choices) {
    expected.append(each == choices.front() ? " " : ", ").append(each);
  }
  return Refuse(key, expected);
}

Status Parameters::RefuseOthers(std::span<const std::string_view> known) const {
  for (const auto& [key, value] : values_) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    std::string expected = "no such parameter; '" + name_ + "' takes";
    for (const std::string_view each : known) {
      expected.append(each == known.front() ? " " : ", ").append(each);
    }
    return Refuse(key, expected);
  }
  return {};
}

}  // namespace weir
