// MD5 (RFC 1321), for the one thing it is still good for: agreeing with others who hash by it. In a
// pick, where a cryptographic library would allocate. Not for anything that needs a safe hash.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace weir {

// The digest as four little-endian words: byte k of it is byte k % 4 of word k / 4. Allocates
// nothing.
std::array<std::uint32_t, 4> Md5(std::string_view text) noexcept;

}  // namespace weir
