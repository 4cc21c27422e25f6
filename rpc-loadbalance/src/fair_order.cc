#include "fair_order.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "arithmetic.h"
#include "weights.h"

namespace weir {
namespace {

// A set of times below 64^3, of which the earliest is at hand at once.
class TimeSet {
 public:
  explicit TimeSet(std::size_t times) : each_(times / 64 + 1), words_(times / 4096 + 1) {}
  void Insert(std::uint64_t time) {
    each_[time >> 6] |= 1ULL << (time & 63);
    words_[time >> 12] |= 1ULL << (time >> 6 & 63);
    top_ |= 1ULL << (time >> 12);
  }
  void Erase(std::uint64_t time) {
    if ((each_[time >> 6] &= ~(1ULL << (time & 63))) != 0) return;
    if ((words_[time >> 12] &= ~(1ULL << (time >> 6 & 63))) != 0) return;
    top_ &= ~(1ULL << (time >> 12));
  }
  std::uint64_t Earliest() const {  // the set is not empty
    const auto high = static_cast<std::uint64_t>(std::countr_zero(top_));
    const std::uint64_t middle =
        high << 6 | static_cast<std::uint64_t>(std::countr_zero(words_[high]));
    return middle << 6 | static_cast<std::uint64_t>(std::countr_zero(each_[middle]));
  }

 private:
  std::vector<std::uint64_t> each_;
  std::vector<std::uint64_t> words_;  // which of `each_` are not 0
  std::uint64_t top_ = 0;             // which of `words_` are not 0
};
static_assert(kMaxOrder < 64 * 64 * 64);

constexpr std::uint16_t kNobody = 0xffff;

// Where a provider stands: its next turn may be taken from `release` on. Turn j is released at
// floor(j * length / weight), and due at the ceiling of the release of turn j + 1.
struct Windows {
  std::uint32_t release = 0;
  std::uint32_t part = 0;  // of the release, behind the point, times weight
  std::uint32_t step = 0;  // length / weight
  std::uint32_t step_part = 0;
  std::uint32_t weight = 0;
  std::uint16_t next = kNobody;  // in the list of those who wait for, or are due at, the same time

  // Advances to the next turn and gives the time at which the one that was is due.
  std::uint32_t Advance() {
    release += step;
    part += step_part;
    if (part >= weight) {
      part -= weight;
      ++release;
    }
    return release + (part > 0 ? 1 : 0);
  }
};

}  // namespace

std::vector<std::uint16_t> FairOrder(std::span<const std::uint32_t> weights) {
  std::uint32_t divisor = 0;
  for (const std::uint32_t weight : weights) divisor = std::gcd(divisor, weight);
  if (divisor == 0) return {};
  const std::uint64_t length = Sum(weights) / divisor;
  if (length > kMaxOrder || weights.size() >= kNobody) return {};

  std::vector<Windows> windows(weights.size());
  std::vector<std::uint16_t> waiting(length + 1, kNobody);  // by release: the first of a list
  std::vector<std::uint16_t> due(length + 1, kNobody);      // of those released, by deadline
  TimeSet deadlines(length + 1);
  const auto make_ready = [&](std::uint16_t i) {
    const std::uint32_t deadline = windows[i].Advance();
    windows[i].next = due[deadline];
    due[deadline] = i;
    deadlines.Insert(deadline);
  };
  for (std::size_t i = weights.size(); i-- > 0;) {
    const std::uint32_t weight = weights[i] / divisor;
    if (weight == 0) continue;
    windows[i].weight = weight;
    windows[i].step = static_cast<std::uint32_t>(length / weight);
    windows[i].step_part = static_cast<std::uint32_t>(length % weight);
    make_ready(static_cast<std::uint16_t>(i));
  }
  std::vector<std::uint16_t> order(length);
  for (std::uint32_t now = 0; now < length; ++now) {
    for (std::uint16_t i = waiting[now]; i != kNobody;) {
      const std::uint16_t next = windows[i].next;
      make_ready(i);
      i = next;
    }
    const std::uint64_t deadline = deadlines.Earliest();
    const std::uint16_t i = due[deadline];
    due[deadline] = windows[i].next;
    if (due[deadline] == kNobody) deadlines.Erase(deadline);
    order[now] = i;
    if (windows[i].release <= now) {  // of its next turn
      make_ready(i);
    } else {  // after its last turn that is `length`, when nobody asks any more
      windows[i].next = waiting[windows[i].release];
      waiting[windows[i].release] = i;
    }
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
