#include "weir/kv/refusal.h"

#include <cstdio>
#include <utility>

namespace weir::kv {

Status Refuse(const OwnershipRefusal& refusal, std::string message) {
  const StatusCode code = refusal.reason() == OwnershipRefusal::OTHER_EPOCH
                              ? StatusCode::kAborted
                              : StatusCode::kFailedPrecondition;
  return {code, std::move(message), refusal.SerializeAsString()};
}

std::optional<OwnershipRefusal> RefusalOf(const Status& status) {
  if (status.code() != StatusCode::kAborted && status.code() != StatusCode::kFailedPrecondition) {
    return std::nullopt;
  }
  OwnershipRefusal refusal;
  const std::string_view details = status.details();
  if (details.empty() ||
      !refusal.ParseFromArray(details.data(), static_cast<int>(details.size()))) {
    return std::nullopt;
  }
  return refusal;
}

std::string QuoteKey(std::string_view key) {
  constexpr std::size_t kMost = 64;
  std::string text = "\"";
  for (const char c : key.substr(0, kMost)) {
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (c >= ' ' && c <= '~') {
      text += c;
    } else {
      char escape[5];
      std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned char>(c));
      text += escape;
    }
  }
  text += key.size() > kMost ? "...\"" : "\"";
  return text;
}

}  // namespace weir::kv
