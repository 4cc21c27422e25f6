// Histogram: latencies with a relative error below 3 %, in constant memory.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace weir::bench {

class Histogram {
 public:
  void Add(std::uint64_t nanoseconds) noexcept {
    ++buckets_[BucketOf(nanoseconds)];
    ++count_;
  }
  void Add(const Histogram& other) noexcept {
    for (std::size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
    count_ += other.count_;
  }
  std::uint64_t count() const noexcept { return count_; }
  // The latency that the fraction `q` of all stays below, in microseconds.
  double QuantileUs(double q) const noexcept {
    std::uint64_t left = static_cast<std::uint64_t>(q * static_cast<double>(count_));
    for (std::size_t i = 0; i < kBuckets; ++i) {
      if (left < buckets_[i]) return static_cast<double>(UpperBound(i)) / 1000.0;
      left -= buckets_[i];
    }
    return 0;
  }

 private:
  static constexpr std::size_t kSteps = 32;  // per power of two
  static constexpr std::size_t kBuckets = 64 * kSteps;

  static std::size_t BucketOf(std::uint64_t value) noexcept {
    if (value < kSteps) return value;
    const int shift = std::bit_width(value) - 6;
    return (static_cast<std::size_t>(shift) + 1) * kSteps + ((value >> shift) - kSteps);
  }
  static std::uint64_t UpperBound(std::size_t bucket) noexcept {
    if (bucket < kSteps) return bucket;
    const std::size_t shift = bucket / kSteps - 1;
    return (bucket % kSteps + kSteps + 1) << shift;
  }

  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
};

}  // namespace weir::bench
