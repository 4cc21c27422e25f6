// What the key strategies make of addresses, so that their mapping depends neither on the order of
// the list nor on the process.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "weir/load_balance.h"

namespace weir {

// The positions in `providers`, sorted by address.
std::vector<Index> AddressOrder(std::span<const Provider> providers);

// XXH64 of the address.
std::uint64_t AddressHash(std::string_view address, std::uint64_t seed);

// The word that a key strategy goes by: the key's hash, or without a key the random word.
inline std::uint64_t KeyWord(const RequestView& request, const PickContext& context) noexcept {
  return request.has_key ? request.key_hash : context.random;
}

}  // namespace weir
