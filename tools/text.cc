#include "text.h"

#include <algorithm>
#include <cstdio>

namespace weir::tool {

std::string Age(std::chrono::system_clock::duration age) {
  const auto seconds =
      std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(age).count());
  const auto two = [](std::int64_t value) {
    return (value < 10 ? "0" : "") + std::to_string(value);
  };
  if (seconds < 60) return std::to_string(seconds) + "s";
  if (seconds < 3600) return std::to_string(seconds / 60) + "m" + two(seconds % 60) + "s";
  if (seconds < 86'400) {
    return std::to_string(seconds / 3600) + "h" + two(seconds / 60 % 60) + "m";
  }
  return std::to_string(seconds / 86'400) + "d" + two(seconds / 3600 % 24) + "h";
}

std::string Printable(std::string_view text) {
  std::string shown(text);
  for (char& c : shown) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = '?';
  }
  return shown;
}

std::string Some(const std::vector<std::string>& names, std::size_t most) {
  if (names.empty()) return "none";
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), most); ++i) {
    text += (i > 0 ? ", " : "") + names[i];
  }
  if (names.size() > most) text += " and " + std::to_string(names.size() - most) + " more";
  return text;
}

std::string Table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string JsonText(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string State(const ProviderEntry& provider) {
  if (provider.weight == 0) return "draining";
  const std::string effective = std::to_string(provider.weight);
  // Space behind the number does not matter to anybody.
  const std::string_view text = provider.weight_text;
  const std::string_view number = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
  return number == "-1" || number == effective ? "serving" : "weight_rejected";
}

std::string WeightText(const ProviderEntry& provider) {
  const std::string effective = std::to_string(provider.weight);
  if (provider.weight == 0) return effective + " (draining)";
  if (State(provider) == "weight_rejected") {
    return effective + " ('" + Printable(provider.weight_text) + "' rejected)";
  }
  return provider.weight_text.starts_with("-1") ? effective + " (not set)" : effective;
}

std::int64_t Milliseconds(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

}  // namespace weir::tool
