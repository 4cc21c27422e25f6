#include "address_order.h"

#include <algorithm>
#include <numeric>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace weir {

std::vector<Index> AddressOrder(std::span<const Provider> providers) {
  std::vector<Index> order(providers.size());
  std::iota(order.begin(), order.end(), Index{0});
  const auto before = [&](Index a, Index b) { return providers[a].address < providers[b].address; };
  // As a registry hands it out, a list is sorted.
  if (!std::is_sorted(order.begin(), order.end(), before)) {
    std::sort(order.begin(), order.end(), before);
  }
  return order;
}

std::uint64_t AddressHash(std::string_view address, std::uint64_t seed) {
  return XXH64(address.data(), address.size(), seed);
}

}  // namespace weir
