// The text of a load balance, "name:key=value,key=value", taken apart.
#include <algorithm>

#include "weir/load_balance.h"

namespace weir {

Result<Parameters> Parameters::Parse(std::string_view text) {
  const auto refuse = [&](std::size_t at, std::string_view why) {
    return InvalidArgument("load balance '" + std::string(text) + "', position " +
                           std::to_string(at + 1) + ": " + std::string(why) +
                           "; expected name or name:key=value,key=value");
  };
  Parameters parsed;
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

}  // namespace weir
