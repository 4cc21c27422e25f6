// How fast an automatic merge may go at this moment.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "merge_choice.h"
#include "read_latency.h"
#include "token_bucket.h"

namespace weir::kv {

// One thread.
//
// At most the policy's rate. Half of it, and half again, while reads take more than twice the time
// they take without a merge. But as space runs away from what is in use the limit is lifted, step
// by step, so that merging never starves, whatever is written.
class MergeThrottle {
 public:
  using TimePoint = TokenBucket::TimePoint;

  // `rate`: bytes a second; 0: no limit.
  MergeThrottle(std::uint64_t rate, ReadLatency& reads, TimePoint now);

  // Between merges, now and then: looks how long reads take when nothing is in their way.
  void Idle();
  // The time until which to wait after `bytes` of work. `use` is asked now and then.
  TimePoint Spend(std::uint64_t bytes, const std::function<StoreUse()>& use, TimePoint now);
  // The rate now; 0: no limit.
  std::uint64_t rate() const noexcept { return bucket_.rate(); }

 private:
  void Adjust(const StoreUse& use, TimePoint now);

  const std::uint64_t policy_rate_;
  ReadLatency& reads_;
  TokenBucket bucket_;
  std::chrono::nanoseconds usual_p99_{0};  // 0: not known
  double slower_ = 1;                      // 1: as fast as the policy says
  TimePoint adjusted_at_{};
};

}  // namespace weir::kv
