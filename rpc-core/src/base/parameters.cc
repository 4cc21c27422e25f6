// The text of a load balance, "name:key=value,key=value", taken apart.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <utility>

#include "weir/parameters.h"

namespace weir {

Result<Parameters> Parameters::Parse(std::string_view text) {
  return ParseElement(text, 0, text.size());
}

Result<std::vector<Parameters>> Parameters::ParseChain(std::string_view text) {
  std::vector<Parameters> elements;
  for (std::size_t begin = 0;;) {
    const std::size_t end = std::min(text.find('|', begin), text.size());
    Result<Parameters> element = ParseElement(text, begin, end);
    if (!element.ok()) return std::move(element).status();
    elements.push_back(*std::move(element));
    if (end == text.size()) return elements;
    begin = end + 1;
  }
}

Result<Parameters> Parameters::ParseElement(std::string_view text, std::size_t begin,
                                            std::size_t end) {
  const auto refuse = [&](std::size_t at, std::string_view why) {
    return InvalidArgument(
        "load balance '" + std::string(text) + "', position " + std::to_string(at + 1) + ": " +
        std::string(why) +
        "; expected name, name:key=value,key=value or name(key=value,key=value)");
  };
  Parameters parsed;
  parsed.text_ = text;
  parsed.begin_ = begin;
  const std::size_t name_end = std::min(text.find_first_of(":(", begin), end);
  parsed.name_ = text.substr(begin, name_end - begin);
  if (parsed.name_.empty()) return refuse(begin, "the name is missing");
  if (const std::size_t odd = parsed.name_.find_first_of(") ,="); odd != std::string::npos) {
    return refuse(begin + odd, "a name has no '" + std::string(1, parsed.name_[odd]) + "'");
  }
  if (name_end == end) return parsed;
  if (text[name_end] == '(') {
    if (text[end - 1] != ')') return refuse(end, "')' is missing");
    if (--end == name_end + 1) return parsed;  // "name()"
  }
  for (std::size_t at = name_end + 1;;) {
    const std::size_t stop = std::min(text.find(',', at), end);
    const std::string_view pair = text.substr(at, stop - at);
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0) return refuse(at, "key=value is missing");
    const auto [place, fresh] = parsed.values_.emplace(
        std::string(pair.substr(0, equals)), Value{std::string(pair.substr(equals + 1)), at});
    if (!fresh) return refuse(at, "'" + place->first + "' is given twice");
    if (stop == end) return parsed;
    at = stop + 1;
  }
}

Status Parameters::Refuse(std::string_view key, std::string_view expected) const {
  const auto found = values_.find(key);
  const bool given = found != values_.end();
  return InvalidArgument("load balance '" + text_ + "', position " +
                         std::to_string((given ? found->second.at : begin_) + 1) + ": parameter '" +
                         std::string(key) + "' is " +
                         (given ? "'" + found->second.text + "'" : "missing") + "; expected " +
                         std::string(expected));
}

Status Parameters::RefuseAll(std::string_view what) const {
  const auto& [key, value] = *values_.begin();
  return InvalidArgument("load balance '" + text_ + "', position " + std::to_string(value.at + 1) +
                         ": " + std::string(what) + " '" + name_ + "' takes no parameters, got '" +
                         key + "'");
}

Result<std::int64_t> Parameters::Integer(std::string_view key, std::int64_t fallback,
                                         std::int64_t min, std::int64_t max) const {
  const auto found = values_.find(key);
  if (found == values_.end()) return fallback;
  const std::string& text = found->second.text;
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
  const std::string& text = found->second.text;
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

Result<std::int64_t> Parameters::Time(std::string_view key, std::int64_t fallback_ns) const {
  const auto found = values_.find(key);
  if (found == values_.end()) return fallback_ns;
  static constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {
      {"ms", 1'000'000}, {"s", 1'000'000'000}, {"m", 60'000'000'000}, {"h", 3'600'000'000'000}};
  constexpr std::int64_t kMost = 24 * 3'600'000'000'000;
  const std::string& text = found->second.text;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const auto& [name, ns] : kUnits) {
    if (error == std::errc() && unit == name && value > 0 && value <= kMost / ns) {
      return value * ns;
    }
  }
  return Refuse(key, "a time from 1ms to 24h, such as 250ms, 30s, 2m");
}

Result<std::string> Parameters::Word(std::string_view key, std::string_view fallback) const {
  const auto found = values_.find(key);
  if (found == values_.end()) return std::string(fallback);
  const std::string& text = found->second.text;
  const bool fine = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
  if (!fine) return Refuse(key, "a word of letters, digits, '_', '-' and '.'");
  return text;
}

Result<std::size_t> Parameters::OneOf(std::string_view key, std::size_t fallback,
                                      std::span<const std::string_view> choices) const {
  const auto found = values_.find(key);
  if (found == values_.end()) return fallback;
  const auto choice = std::find(choices.begin(), choices.end(), found->second.text);
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
