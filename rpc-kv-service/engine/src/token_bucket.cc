#include "token_bucket.h"

#include <algorithm>

namespace weir::kv {

TokenBucket::TokenBucket(std::uint64_t rate, std::uint64_t burst, TimePoint now)
    : rate_(rate),
      burst_(static_cast<double>(burst)),
      tokens_(static_cast<double>(burst)),
      filled_at_(now) {}

void TokenBucket::Refill(TimePoint now) {
  if (now <= filled_at_) return;
  const double seconds = std::chrono::duration<double>(now - filled_at_).count();
  tokens_ = std::min(burst_, tokens_ + seconds * static_cast<double>(rate_));
  filled_at_ = now;
}

TokenBucket::TimePoint TokenBucket::Take(std::uint64_t bytes, TimePoint now) {
  if (rate_ == 0) return now;
  Refill(now);
  tokens_ -= static_cast<double>(bytes);
  if (tokens_ >= 0) return now;
  const std::chrono::duration<double> wait(-tokens_ / static_cast<double>(rate_));
  return now + std::chrono::round<TimePoint::duration>(wait);
}

void TokenBucket::SetRate(std::uint64_t rate, TimePoint now) {
  Refill(now);
  // A debt was made at the old rate, and is forgotten when there is no limit any more.
  if (rate == 0 || rate_ == 0) tokens_ = burst_;
  rate_ = rate;
  filled_at_ = std::max(filled_at_, now);
}

}  // namespace weir::kv
