// Where a record lies, as the index remembers it.
#pragma once

#include <cstdint>

namespace weir::kv {

struct Location {
  std::uint32_t slot = 0;    // of the segment in SegmentTable; below 2^24
  std::uint32_t size = 0;    // bytes of the whole record
  std::uint64_t offset = 0;  // in the segment; below 2^40
  bool expires = false;      // the record says when the key vanishes

  friend bool operator==(const Location&, const Location&) = default;
};

// Told by the index, by its writer, how many bytes of which segment it names.
class SegmentUsage {
 public:
  virtual ~SegmentUsage() = default;
  virtual void AddLive(std::uint32_t slot, std::int64_t bytes) = 0;
};

}  // namespace weir::kv
