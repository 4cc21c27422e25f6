// Orders in which providers take turns in proportion to their weights, evenly spread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "weir/load_balance.h"

namespace weir {

// Longest order that is written out. An order has sum / gcd turns, so every list up to this sum is
// exact; a longer one is served by WeightedRotation.
inline constexpr std::uint64_t kMaxOrder = 65'536;

// The turns of one round: sum / gcd of them, provider i in w/gcd. In every prefix of k turns, over
// any number of rounds, each provider has had strictly between k*w/W - 1 and k*w/W + 1. Empty if
// the round would be longer than kMaxOrder.
// Earliest deadline first over the windows in which the bound allows a provider's j-th turn
// (Baruah, Cohen, Plaxton, Varvel, "Proportionate Progress", 1996; Steiner and Yeomans 1993).
std::vector<std::uint16_t> FairOrder(std::span<const std::uint32_t> weights);

// Turns for any sum of weights in memory proportional to the number of providers: turn k falls on
// the point k * phi mod 1, phi the golden ratio, of a line divided by weight (a Kronecker
// sequence). In k consecutive turns a provider has k*w/W, give or take 2 per Fibonacci number in
// the Zeckendorf sum of k, that is less than 1.45*log2(k) + 2 (inequality of Denjoy and Koksma).
// Immutable.
class WeightedRotation {
 public:
  WeightedRotation() = default;
  // Not all weights are 0.
  explicit WeightedRotation(std::span<const std::uint32_t> weights);

  Index Turn(std::uint64_t k) const noexcept { return At(k * 0x9e3779b97f4a7c15); }
  // Whose part of the line holds the fraction point / 2^64.
  Index At(std::uint64_t point) const noexcept {
    Index i = first_[point >> shift_];
    while (point > last_[i]) ++i;
    return i;
  }

 private:
  std::uint32_t shift_ = 63;
  std::vector<std::uint64_t> last_;  // by provider: the last point that is its own
  std::vector<Index> first_;         // by the top bits of a point: who owns the first of them
};

}  // namespace weir
