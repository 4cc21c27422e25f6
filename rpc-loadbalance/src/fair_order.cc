#include "fair_order.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <queue>

#include "arithmetic.h"
#include "weights.h"

namespace weir {
namespace {

struct Turn {
  std::uint64_t time;  // of release while it waits, of deadline once it may be taken
  Index provider;

  friend bool operator>(const Turn& a, const Turn& b) noexcept {
    return a.time != b.time ? a.time > b.time : a.provider > b.provider;
  }
};
using EarliestFirst = std::priority_queue<Turn, std::vector<Turn>, std::greater<>>;

}  // namespace

std::vector<std::uint16_t> FairOrder(std::span<const std::uint32_t> weights) {
  std::uint64_t divisor = 0;
  for (const std::uint32_t weight : weights) divisor = std::gcd(divisor, weight);
  if (divisor == 0) return {};
  const std::uint64_t length = Sum(weights) / divisor;
  if (length > kMaxOrder || weights.size() > kMaxOrder) return {};

  EarliestFirst waiting;
  EarliestFirst ready;
  std::vector<std::uint64_t> taken(weights.size(), 0);
  for (Index i = 0; i < weights.size(); ++i) {
    if (weights[i] > 0) waiting.push({0, i});
  }
  std::vector<std::uint16_t> order;
  order.reserve(length);
  while (order.size() < length) {
    while (!waiting.empty() && waiting.top().time <= order.size()) {
      const Index i = waiting.top().provider;
      waiting.pop();
      const std::uint64_t weight = weights[i] / divisor;
      ready.push({((taken[i] + 1) * length + weight - 1) / weight, i});
    }
    const Index i = ready.top().provider;
    ready.pop();
    order.push_back(static_cast<std::uint16_t>(i));
    ++taken[i];
    const std::uint64_t weight = weights[i] / divisor;
    if (taken[i] < weight) waiting.push({taken[i] * length / weight, i});
  }
  return order;
}

WeightedRotation::WeightedRotation(std::span<const std::uint32_t> weights) : last_(weights.size()) {
  const std::uint64_t sum = Sum(weights);
  std::uint64_t before = 0;
  for (Index i = 0; i < weights.size(); ++i) {
    before += weights[i];
    // A provider of weight 0 ends where the one before it ends, and so owns nothing; in front of
    // all others that would be "before 0", so the search starts behind it.
    const Wide end = (static_cast<Wide>(before) << 64) / sum;
    last_[i] = end == 0 ? 0 : static_cast<std::uint64_t>(end - 1);
  }
  const Index begin = static_cast<Index>(
      std::find_if(weights.begin(), weights.end(), [](std::uint32_t w) { return w > 0; }) -
      weights.begin());
  const int bits = std::max(static_cast<int>(std::bit_width(weights.size())), 1);
  shift_ = static_cast<std::uint32_t>(64 - bits);
  first_.resize(std::size_t{1} << bits);
  Index i = begin;
  for (std::uint64_t bucket = 0; bucket < first_.size(); ++bucket) {
    while (bucket << shift_ > last_[i]) ++i;
    first_[bucket] = i;
  }
}

}  // namespace weir
