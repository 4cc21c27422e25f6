#include "merge_choice.h"

#include <algorithm>

namespace weir::kv {
namespace {

// A little below the trigger, so that one merge is not followed by the next at once.
constexpr double kBelowTrigger = 0.005;
// When full: not worth the writing.
constexpr double kMinFreedWhenFull = 0.05;

double PartOf(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::vector<std::uint64_t> ByAge(std::vector<MergeCandidate> chosen) {
  std::sort(chosen.begin(), chosen.end(),
            [](const MergeCandidate& a, const MergeCandidate& b) { return a.min_seq < b.min_seq; });
  std::vector<std::uint64_t> fids;
  for (const MergeCandidate& segment : chosen) fids.push_back(segment.fid);
  return fids;
}

// The largest part of garbage first; of equals, to a percent, the oldest.
void SortByWorth(std::vector<MergeCandidate>& segments) {
  std::sort(segments.begin(), segments.end(), [](const MergeCandidate& a, const MergeCandidate& b) {
    const int part_a = static_cast<int>(100 * PartOf(a.free_now(), a.length));
    const int part_b = static_cast<int>(100 * PartOf(b.free_now(), b.length));
    return part_a != part_b ? part_a > part_b : a.min_seq < b.min_seq;
  });
}

}  // namespace

std::vector<std::uint64_t> ChooseMerge(std::vector<MergeCandidate> segments, const StoreUse& use,
                                       const MergePolicy& policy) {
  const auto over = [&](std::uint64_t garbage, std::uint64_t data, double bound) {
    return PartOf(garbage, data) > bound;
  };
  if (use.data <= use.live || !over(use.data - use.live, use.data, policy.trigger)) return {};
  std::uint64_t data = use.data;
  std::uint64_t garbage = use.data - use.live;
  std::uint64_t input = 0;
  std::uint64_t room = use.room;
  std::vector<MergeCandidate> chosen;
  SortByWorth(segments);
  for (const MergeCandidate& segment : segments) {
    if (!chosen.empty() && !over(garbage, data, policy.trigger - kBelowTrigger)) break;
    const double part = PartOf(segment.free_now(), segment.length);
    const double least =
        chosen.empty() ? std::min(policy.min_garbage, policy.trigger) : policy.min_garbage;
    if (segment.free_now() == 0 || part < least) break;
    const std::uint64_t kept = segment.live + segment.tombstones;
    if (kept > room || (!chosen.empty() && input + segment.length > kMaxMergeInput)) continue;
    room -= kept;
    input += segment.length;
    garbage -= std::min(garbage, segment.free_now());
    data -= std::min(data, segment.free_now());
    chosen.push_back(segment);
  }
  if (!chosen.empty()) return ByAge(std::move(chosen));

  // Nothing is worth it by itself. Are there deletions enough to be worth a merge of all? If one
  // had to be left out, it might keep them all.
  std::uint64_t tombstones = 0;
  std::uint64_t live = 0;
  std::uint64_t length = 0;
  for (const MergeCandidate& segment : segments) {
    tombstones += segment.tombstones;
    live += segment.live;
    length += segment.length;
  }
  const bool worth = use.all && tombstones != 0 &&
                     PartOf(length - std::min(length, live), length) >=
                         std::max(policy.trigger, policy.min_garbage);
  if (!worth || live > use.room) return {};
  return ByAge(std::move(segments));
}

std::vector<std::uint64_t> ChooseMergeForSpace(std::vector<MergeCandidate> segments,
                                               std::uint64_t room) {
  std::vector<MergeCandidate> chosen;
  SortByWorth(segments);
  for (const MergeCandidate& segment : segments) {
    if (PartOf(segment.free_now(), segment.length) < kMinFreedWhenFull) break;
    const std::uint64_t kept = segment.live + segment.tombstones;
    if (kept > room) continue;
    room -= kept;
    chosen.push_back(segment);
  }
  return ByAge(std::move(chosen));
}

}  // namespace weir::kv
