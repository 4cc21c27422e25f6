// Weighted random choice in constant time from one random word (Walker 1977; built as by Vose,
// "A Linear Algorithm for Generating Random Numbers with a Given Distribution", 1991).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "arithmetic.h"

namespace weir {

// Immutable. A weight's part of the choices is exact to 2^-32.
class AliasTable {
 public:
  // Not all weights are 0; each is at most kMaxWeight.
  explicit AliasTable(std::span<const std::uint32_t> weights);

  bool empty() const noexcept { return columns_.empty(); }
  // `word` is uniform. The table is not empty.
  Index Choose(std::uint64_t word) const noexcept {
    const Wide product = static_cast<Wide>(word) * columns_.size();
    const auto column = static_cast<Index>(product >> 64);
    const auto fraction = static_cast<std::uint32_t>(static_cast<std::uint64_t>(product) >> 32);
    return fraction < columns_[column].keep ? column : columns_[column].alias;
  }

 private:
  struct Column {
    std::uint32_t keep;  // of 2^32: how often the column itself is meant
    Index alias;         // who is meant otherwise
  };
  std::vector<Column> columns_;
};

}  // namespace weir
