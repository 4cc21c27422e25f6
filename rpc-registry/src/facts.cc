#include "facts.h"

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

Facts WithStart(Facts facts) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  facts.try_emplace(
      "started",
      std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(now).count()));
  return facts;
}

}  // namespace weir::discovery
