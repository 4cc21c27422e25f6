// Histogram: latencies with a relative error below 3 %, in constant memory.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

namespace weir {

// Log-linear buckets: 32 to every power of two. A value; confined to one thread.
class Histogram {
 public:
  void Add(std::uint64_t nanoseconds) noexcept {
    ++buckets_[BucketOf(nanoseconds)];
    ++count_;
    max_ = std::max(max_, nanoseconds);
    sum_ += static_cast<double>(nanoseconds);
  }
  void Add(const Histogram& other) noexcept {
    for (std::size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
    count_ += other.count_;
    max_ = std::max(max_, other.max_);
    sum_ += other.sum_;
  }
  std::uint64_t count() const noexcept { return count_; }
  // Exact, in microseconds; 0 if there is nothing.
  double MaxUs() const noexcept { return static_cast<double>(max_) / 1000.0; }
  double MeanUs() const noexcept {
    return count_ == 0 ? 0 : sum_ / 1000.0 / static_cast<double>(count_);
  }
  // The latency that the fraction `q` of all does not exceed, in microseconds; 0 if there is
  // nothing.
  double QuantileUs(double q) const noexcept {
    const double rank = std::ceil(q * static_cast<double>(count_));
    std::uint64_t left = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(rank));
    for (std::size_t i = 0; i < kBuckets; ++i) {
      if (left <= buckets_[i]) {
        return static_cast<double>(std::min(UpperBound(i), max_)) / 1000.0;
      }
      left -= buckets_[i];
    }
    return MaxUs();
  }
  // Calls `visit(upper_bound_ns, count)` for each bucket that holds something, in order.
  template <class Visit>
  void ForEachBucket(Visit visit) const {
    for (std::size_t i = 0; i < kBuckets; ++i) {
      if (buckets_[i] > 0) visit(UpperBound(i), buckets_[i]);
    }
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
  std::uint64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace weir
