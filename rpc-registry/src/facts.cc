#include "facts.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

namespace weir::discovery {

std::string FactsText(const Facts& facts) {
  nlohmann::json object = nlohmann::json::object();
  for (const auto& [name, text] : facts) object[name] = text;
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Facts ParseFacts(std::string_view text) {
  if (text.size() > kMaxFactsText) return {};
  const nlohmann::json object = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  Facts facts;
  if (!object.is_object()) return facts;
  std::size_t bytes = 0;
  for (const auto& [name, value] : object.items()) {
    std::string known;
    if (value.is_string()) {
      known = value.get<std::string>();
    } else if (value.is_number() || value.is_boolean()) {
      known = value.dump();
    } else {
      continue;
    }
    bytes += name.size() + known.size();
    if (bytes > kMaxFactsBytes) break;
    facts.emplace(name, std::move(known));
  }
  return facts;
}

bool IsZone(std::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return c > 0x20 && c != 0x7f; });
}

void TakeFacts(const Facts& facts, Provider& provider) {
  provider.zone.clear();
  provider.started_ms = 0;
  if (const auto zone = facts.find("zone"); zone != facts.end() && IsZone(zone->second)) {
    provider.zone = zone->second;
  }
  if (const auto started = facts.find("started"); started != facts.end()) {
    const std::string& text = started->second;
    std::int64_t ms = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    if (whole && ms > 0) provider.started_ms = ms;
  }
}

Facts WithStart(Facts facts) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  facts.try_emplace(
      "started",
      std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(now).count()));
  return facts;
}

}  // namespace weir::discovery
