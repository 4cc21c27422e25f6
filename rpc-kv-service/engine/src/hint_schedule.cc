#include "hint_schedule.h"

#include <algorithm>

#include "segment_run.h"
#include "weir/log.h"

namespace weir::kv {
namespace {

// A start that has to read this part of the data itself takes about twice as long as from hints.
constexpr std::uint64_t kPartUnhinted = 8;
// Less than this part of what may be without a hint at all is read so fast that the space for the
// hints is worth more, until the store is closed.
constexpr std::uint64_t kPartAtRest = 4;

double GarbageOf(const Segment& segment) {
  const auto length = static_cast<double>(segment.facts().length);
  const auto live = static_cast<double>(std::max<std::int64_t>(segment.live_bytes(), 0));
  return length <= live ? 0 : 1 - live / length;
}

}  // namespace

std::uint64_t MostUnhinted(const HintPolicy& policy, std::uint64_t data_bytes) noexcept {
  return std::max(policy.max_unhinted_bytes, data_bytes / kPartUnhinted);
}

std::vector<std::uint64_t> ChooseHints(std::vector<UnhintedSegment> segments, bool resting,
                                       double merged_above, std::uint64_t most_bytes) {
  std::sort(segments.begin(), segments.end(), [](const auto& a, const auto& b) {
    return a.garbage != b.garbage ? a.garbage < b.garbage : a.fid < b.fid;
  });
  std::uint64_t without = 0;
  for (const UnhintedSegment& segment : segments) without += segment.bytes;
  std::vector<std::uint64_t> chosen;
  for (const UnhintedSegment& segment : segments) {
    const bool stays = segment.garbage <= merged_above;
    if (without <= (resting && stays ? most_bytes / kPartAtRest : most_bytes)) break;
    without -= segment.bytes;
    chosen.push_back(segment.fid);
  }
  return chosen;
}

std::vector<UnhintedSegment> HintSchedule::FindUnhinted(std::uint64_t* data_bytes) {
  std::vector<UnhintedSegment> unhinted;
  std::set<std::uint64_t> done;
  for (const auto& segment : segments_.List()) {
    if (!segment->sealed()) continue;
    const std::uint64_t fid = segment->fid();
    *data_bytes += segment->facts().length;
    if (done_.contains(fid) || HasHint(directory_.vfs(), directory_.path(), fid)) {
      done.insert(fid);
    } else {
      unhinted.push_back(
          {.fid = fid, .bytes = segment->facts().length, .garbage = GarbageOf(*segment)});
    }
  }
  done_.swap(done);
  return unhinted;
}

void HintSchedule::Write(TimePoint now, const std::function<bool()>& stop) {
  std::uint64_t data_bytes = 0;
  auto unhinted = FindUnhinted(&data_bytes);
  if (unhinted.empty()) return;
  const double merged_above = options_.merge.automatic ? options_.merge.trigger : 1;
  for (const std::uint64_t fid :
       ChooseHints(std::move(unhinted), now - busy_at_ >= options_.hints.rest, merged_above,
                   MostUnhinted(options_.hints, data_bytes))) {
    if (stop()) return;
    const auto segment = segments_.Find(fid);
    if (segment == nullptr) continue;
    if (Status status = WriteHint(directory_.vfs(), directory_.path(), store_id_, segment->facts());
        !status.ok()) {
      LogWarning(std::string(status.message()) + "; the next start will read the segment itself");
    }
    done_.insert(fid);
  }
}

}  // namespace weir::kv
