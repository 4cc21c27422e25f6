#include "read_latency.h"

#include <algorithm>
#include <bit>

namespace weir::kv {

std::size_t ReadLatency::BucketOf(std::uint64_t ns) noexcept {
  if (ns < 4) return static_cast<std::size_t>(ns);
  const auto log = static_cast<std::size_t>(std::bit_width(ns)) - 1;
  return std::min(kBuckets - 1, 4 * (log - 1) + static_cast<std::size_t>((ns >> (log - 2)) & 3));
}

std::uint64_t ReadLatency::UpperBound(std::size_t bucket) noexcept {
  if (bucket < 4) return bucket;
  const std::size_t log = bucket / 4 + 1;
  return (std::uint64_t{4 + bucket % 4 + 1} << (log - 2)) - 1;
}

ReadLatency::Window ReadLatency::Take() noexcept {
  std::array<std::uint32_t, kBuckets> counts;
  Window window;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    counts[i] = counts_[i].exchange(0, std::memory_order_relaxed);
    window.reads += counts[i];
  }
  if (window.reads == 0) return window;
  std::uint64_t above = window.reads / 100;  // reads that may be slower
  for (std::size_t i = kBuckets; i-- > 0;) {
    if (counts[i] > above) {
      window.p99 = std::chrono::nanoseconds(UpperBound(i));
      break;
    }
    above -= counts[i];
  }
  return window;
}

}  // namespace weir::kv
