// Facts about a provider as the text that registries keep: one JSON object of texts.
#pragma once

#include <string>
#include <string_view>

#include "weir/registry.h"

namespace weir::discovery {

// No valid facts take more than this as text; nobody needs to read more of it.
inline constexpr std::size_t kMaxFactsText = 32 * 1024;

// One line. What is no UTF-8 becomes U+FFFD.
std::string FactsText(const Facts& facts);
// What others wrote: numbers and truth values are taken as their text; anything else that is no
// text, and what goes beyond kMaxFactsBytes, is left out. Empty when it is no JSON object.
Facts ParseFacts(std::string_view text);

// Whether a text may be a zone: 1 to 64 bytes, no spaces or control characters.
bool IsZone(std::string_view text);
// Fills in what consumers are told: zone and started_ms. A fact that is missing or makes no sense
// leaves its field as if unknown.
void TakeFacts(const Facts& facts, Provider& provider);

// The facts with what a registry adds: "started" in milliseconds since 1970, now, unless the
// provider says it itself.
Facts WithStart(Facts facts);

}  // namespace weir::discovery
