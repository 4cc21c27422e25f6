// How weir-kv prints.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace weir::kv::tool {

// Fit for one line: backslash, tab, newline and other control characters as \\ \t \n \x01.
std::string Escape(std::string_view bytes);
// Indented, with a newline at the end. What is no UTF-8 becomes U+FFFD.
std::string JsonText(const nlohmann::ordered_json& json);
// "512 B", "4.5 MiB".
std::string Size(std::uint64_t bytes);

}  // namespace weir::kv::tool
