// From what each segment knows to the index of the whole store.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "hint_file.h"
#include "index.h"

namespace weir::kv {

struct SegmentToLoad {
  std::shared_ptr<const Hint> hint;
  std::uint32_t slot = 0;
};

// Loads the newest record of each key: of several the one with the highest seq, then fid. Keys
// whose newest record deletes them vanish. The result does not depend on `threads`.
//
// The keys are cut into ranges, each of which is merged from all hints by one thread. Memory: the
// index itself.
//
// If a hint turns out to be unusable, returns its place in `segments`; nothing is loaded then.
std::optional<std::size_t> LoadIndex(std::span<const SegmentToLoad> segments, std::size_t threads,
                                     Index& index);

}  // namespace weir::kv
