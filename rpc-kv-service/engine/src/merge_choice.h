// Which segments are worth merging. Pure: numbers in, a choice out.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "weir/kv/options.h"

namespace weir::kv {

// A closed segment, as the choice sees it.
struct MergeCandidate {
  std::uint64_t fid = 0;
  std::uint64_t length = 0;      // bytes of records
  std::uint64_t live = 0;        // of those in use
  std::uint64_t tombstones = 0;  // of those that say a key is deleted, as far as it is known
  std::uint64_t min_seq = 0;

  std::uint64_t garbage() const noexcept { return length - live; }
  // What merging this one alone is sure to free.
  std::uint64_t free_now() const noexcept {
    return length > live + tombstones ? length - live - tombstones : 0;
  }
};

// The whole store.
struct StoreUse {
  std::uint64_t data = 0;  // bytes of records, the active segment included
  std::uint64_t live = 0;  // of those in use
  // Of data in use that may be written anew at a time: what the device has left.
  std::uint64_t room = ~std::uint64_t{0};
  bool all = true;  // the candidates are all closed segments
};

// Most bytes of input of one automatic merge: its output lies beside it for a while, and what
// inputs without a hint know is in memory.
inline constexpr std::uint64_t kMaxMergeInput = std::uint64_t{512} << 20;

// What an automatic merge should take now; nothing: all is well. The fids are in the order of age.
//
// Segments with the largest part of garbage first, and of equals the oldest, until what is left is
// under the trigger: under even overwriting these are the oldest, and what an old segment still
// has in use is what it costs (Rosenblum and Ousterhout, "The design and implementation of a
// log-structured file system", 1992). Deletions can only be dropped with all that is older; when
// they alone are what is over the trigger, all segments are taken. If none has the policy's
// min_garbage, the worst is taken all the same, so that the trigger holds.
std::vector<std::uint64_t> ChooseMerge(std::vector<MergeCandidate> segments, const StoreUse& use,
                                       const MergePolicy& policy);

// The same when the device is full: what frees most for the least room, whatever the policy says.
std::vector<std::uint64_t> ChooseMergeForSpace(std::vector<MergeCandidate> segments,
                                               std::uint64_t room);

}  // namespace weir::kv
