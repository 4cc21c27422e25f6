#include "alias_table.h"

#include "weights.h"

namespace weir {

AliasTable::AliasTable(std::span<const std::uint32_t> weights) : columns_(weights.size()) {
  // In units of 1 / (n * sum), so that everything is an integer and a full column is `sum`.
  const std::uint64_t full = Sum(weights);
  std::vector<std::uint64_t> left(weights.size());
  std::vector<Index> small;
  std::vector<Index> large;
  small.reserve(weights.size());
  large.reserve(weights.size());
  for (Index i = 0; i < weights.size(); ++i) {
    left[i] = std::uint64_t{weights[i]} * weights.size();
    (left[i] < full ? small : large).push_back(i);
  }
  while (!small.empty() && !large.empty()) {
    const Index poor = small.back();
    const Index rich = large.back();
    small.pop_back();
    // 64 bits are enough for anything but enormous lists, and their division is a third as long.
    const std::uint64_t keep =
        full <= ~std::uint32_t{0}
            ? (left[poor] << 32) / full
            : static_cast<std::uint64_t>((static_cast<Wide>(left[poor]) << 32) / full);
    columns_[poor] = {static_cast<std::uint32_t>(keep), rich};
    left[rich] -= full - left[poor];
    if (left[rich] < full) {
      large.pop_back();
      small.push_back(rich);
    }
  }
  // Integers leave no remainder: what is left over fills its column exactly.
  for (const Index i : large) columns_[i] = {0, i};
}

}  // namespace weir
