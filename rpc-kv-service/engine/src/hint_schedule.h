// When the hints of closed segments are written. They save time at the next start and nothing
// before, so they are not written beside writers who need the processor and the device, nor for
// segments that a merge is about to take.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <vector>

#include "data_directory.h"
#include "segment_table.h"
#include "store_id.h"
#include "weir/kv/options.h"

namespace weir::kv {

// A closed segment that has no hint.
struct UnhintedSegment {
  std::uint64_t fid = 0;
  std::uint64_t bytes = 0;
  double garbage = 0;  // the part of it that is not in use, 0..1
};

// How many bytes may be in closed segments without a hint, in a store of `data_bytes`.
std::uint64_t MostUnhinted(const HintPolicy& policy, std::uint64_t data_bytes) noexcept;

// Which get their hint now, in this order, those that will stay longest first: as many as keep the
// others within `most_bytes`; while the store rests within a quarter of that, but not for its sake
// those with more garbage than `merged_above`, which a merge takes next.
std::vector<std::uint64_t> ChooseHints(std::vector<UnhintedSegment> segments, bool resting,
                                       double merged_above, std::uint64_t most_bytes);

// Writes hints when they are due. One thread.
class HintSchedule {
 public:
  using TimePoint = Clock::TimePoint;

  HintSchedule(DataDirectory& directory, SegmentTable& segments, const StoreId& store_id,
               const Options& options, TimePoint now)
      : directory_(directory),
        segments_(segments),
        store_id_(store_id),
        options_(options),
        busy_at_(now) {}

  // There have been commits since it was last asked.
  void Busy(TimePoint now) noexcept { busy_at_ = now; }
  // Writes what is due, until `stop` says so. Cheap if nothing is.
  void Write(TimePoint now, const std::function<bool()>& stop);

 private:
  std::vector<UnhintedSegment> FindUnhinted(std::uint64_t* data_bytes);

  DataDirectory& directory_;
  SegmentTable& segments_;
  const StoreId store_id_;
  const Options& options_;
  TimePoint busy_at_;
  std::set<std::uint64_t> done_;  // their hint is there or cannot be made
};

}  // namespace weir::kv
