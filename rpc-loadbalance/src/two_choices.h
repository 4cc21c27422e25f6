// Two distinct providers to compare (Mitzenmacher, "The Power of Two Choices in Randomized Load
// Balancing", 2001), drawn by weight.
//
// The first is drawn in proportion to its weight, the second from all others alike. So a pair comes
// up in proportion to the sum of its weights and, given the pair, each of the two is the first in
// proportion to its own: where ties go to the first every provider gets exactly its weight's part.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "alias_table.h"
#include "arithmetic.h"
#include "weir/load_balance.h"

namespace weir {

// Immutable.
class TwoChoices {
 public:
  // kNone twice: nobody is left; the same twice: nobody else is.
  struct Pair {
    Index first;
    Index second;

    // Computed, because a branch on it would be mispredicted every other time.
    Index Choose(bool second_is_better) const noexcept {
      return first ^ ((first ^ second) & (Index{0} - Index{second_is_better}));
    }
  };

  explicit TwoChoices(std::span<const Provider> providers);

  // The list is not empty.
  Pair Draw(const PickContext& context) const noexcept {
    if (!context.excluded.empty()) return DrawIncluded(context);
    if (size_ == 1) return {0, 0};
    if (!equal_weights_) {
      const Index first = alias_.Choose(context.random);
      return {first, Other(first, NextWord(context.random, 0))};
    }
    // What the first draw leaves of the word is as random.
    const Wide product = static_cast<Wide>(context.random) * size_;
    const auto first = static_cast<Index>(product >> 64);
    return {first, Other(first, static_cast<std::uint64_t>(product))};
  }
  bool equal_weights() const noexcept { return equal_weights_; }
  std::uint32_t weight(Index i) const noexcept { return weights_[i]; }

 private:
  Index Other(Index first, std::uint64_t word) const noexcept {
    const Index i = Below(word, size_ - 1);
    return i + (i >= first ? 1 : 0);
  }
  Pair DrawIncluded(const PickContext& context) const noexcept;

  std::uint32_t size_;
  bool equal_weights_;
  std::vector<std::uint32_t> weights_;
  AliasTable alias_;
};

}  // namespace weir
