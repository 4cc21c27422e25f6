#include "merge_throttle.h"

#include <algorithm>
#include <cmath>

namespace weir::kv {
namespace {

// Short, so that a merge never holds the processor or the device for long.
constexpr std::uint64_t kBurst = 512 << 10;
constexpr std::chrono::milliseconds kAdjustEvery{50};
// Of sampled reads: fewer say nothing of the slowest in a hundred.
constexpr std::uint64_t kEnoughReads = 100;
constexpr double kSlowest = 1.0 / 16;
// Of all data to what is in use: from here on the limit doubles with every step, ...
constexpr double kLiftFrom = 1.5;
constexpr double kLiftStep = 0.125;
// ... reads are not looked at any more, ...
constexpr double kIgnoreReadsFrom = 2.0;
// ... and there is none.
constexpr double kNoLimitFrom = 3.0;

}  // namespace

MergeThrottle::MergeThrottle(std::uint64_t rate, ReadLatency& reads, TimePoint now)
    : policy_rate_(rate), reads_(reads), bucket_(rate, kBurst, now) {}

void MergeThrottle::Idle() {
  const ReadLatency::Window window = reads_.Take();
  if (window.reads < kEnoughReads) return;
  usual_p99_ = usual_p99_.count() == 0 ? window.p99 : (3 * usual_p99_ + window.p99) / 4;
}

void MergeThrottle::Adjust(const StoreUse& use, TimePoint now) {
  adjusted_at_ = now;
  const ReadLatency::Window window = reads_.Take();
  if (window.reads >= kEnoughReads && usual_p99_.count() != 0 && window.p99 > 2 * usual_p99_) {
    slower_ = std::max(kSlowest, slower_ / 2);
  } else {
    slower_ = std::min(1.0, slower_ * 1.25);
  }
  const double ratio =
      static_cast<double>(use.data) / static_cast<double>(std::max<std::uint64_t>(use.live, 1));
  double rate = static_cast<double>(policy_rate_);
  if (ratio >= kNoLimitFrom) {
    rate = 0;
  } else {
    if (ratio < kIgnoreReadsFrom) rate *= slower_;
    if (ratio > kLiftFrom) rate *= std::exp2((ratio - kLiftFrom) / kLiftStep);
    rate = std::max(rate, 1.0);
  }
  bucket_.SetRate(static_cast<std::uint64_t>(rate), now);
}

MergeThrottle::TimePoint MergeThrottle::Spend(std::uint64_t bytes,
                                              const std::function<StoreUse()>& use, TimePoint now) {
  if (policy_rate_ == 0) return now;
  if (now - adjusted_at_ >= kAdjustEvery) Adjust(use(), now);
  return bucket_.Take(bytes, now);
}

}  // namespace weir::kv
