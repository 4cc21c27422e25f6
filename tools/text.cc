#include "text.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <numeric>
#include <utility>

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

Result<std::chrono::nanoseconds> ParseDuration(std::string_view text) {
  constexpr std::pair<std::string_view, double> kUnits[] = {
      {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
  constexpr double kMost = 365 * 24 * 3600e9;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const auto& [name, nanoseconds] : kUnits) {
    if (error == std::errc() && unit == name && number >= 0 && number * nanoseconds <= kMost) {
      return std::chrono::nanoseconds(static_cast<std::int64_t>(number * nanoseconds));
    }
  }
  return InvalidArgument("'" + Printable(text) +
                         "' is no duration; write it as 250us, 50ms, 1.5s, 2m or 1h");
}

std::string MicrosecondsText(double microseconds) {
  char text[32];
  if (microseconds < 1000) {
    std::snprintf(text, sizeof text, "%.*f us", microseconds < 100 ? 1 : 0, microseconds);
  } else if (microseconds < 1e6) {
    std::snprintf(text, sizeof text, "%.2f ms", microseconds / 1e3);
  } else {
    std::snprintf(text, sizeof text, "%.2f s", microseconds / 1e6);
  }
  return text;
}

std::string BytesText(double bytes) {
  const char* unit = "B";
  for (const char* next : {"kB", "MB", "GB", "TB"}) {
    if (bytes < 1000) break;
    bytes /= 1000;
    unit = next;
  }
  char text[32];
  std::snprintf(text, sizeof text, "%.*f %s", *unit == 'B' ? 0 : 1, bytes, unit);
  return text;
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

namespace {

// Insertions, deletions and exchanges that make one text of the other (Levenshtein).
std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t exchanged = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({exchanged, row[j] + 1, row[j - 1] + 1}));
    }
  }
  return row.back();
}

}  // namespace

std::string DidYouMean(const std::string& name, const std::vector<std::string>& known) {
  const std::string* nearest = nullptr;
  std::size_t least = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const std::string& candidate : known) {
    const std::size_t distance = EditDistance(name, candidate);
    if (distance < least) {
      least = distance;
      nearest = &candidate;
    }
  }
  return nearest == nullptr ? "" : "; did you mean '" + *nearest + "'?";
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
