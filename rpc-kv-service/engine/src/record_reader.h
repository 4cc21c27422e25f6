// Reads one record by its location and checks all of it: CRC, place, key.
#pragma once

#include <cstdint>
#include <string_view>

#include "location.h"
#include "segment_table.h"

namespace weir::kv {

struct RecordView {
  std::string_view value;       // as long as what SegmentTable::Read gives
  std::uint64_t seq = 0;        // the commit that wrote it
  std::uint64_t expiry_ms = 0;  // 0: never
};

// The record of `key`, which lies at `location`. DATA_LOSS, naming file and offset, if another or a
// damaged record is there. `buffer` is memory that may be used. Thread-safe; see SegmentTable::Read
// for what must be held, and for UNAVAILABLE.
Status ReadRecord(const SegmentTable& segments, const Location& location, std::string_view key,
                  ReadBuffer& buffer, RecordView* record);

// How often reading is tried while it is UNAVAILABLE, with SegmentTable::MakeRoom in between.
inline constexpr int kReadAttempts = 1000;

// The same, when the record's `bytes` have been read: location.size of them.
Status CheckRecord(const SegmentTable& segments, const Segment& segment, const Location& location,
                   std::string_view key, std::string_view bytes, RecordView* record);

}  // namespace weir::kv
