// Reads all that can be read of one segment, whatever state it is in: for verifying, repairing and
// backing up stores that are not open.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "segment_scanner.h"
#include "weir/kv/vfs.h"

namespace weir::kv {

// A record of a whole commit. Views are valid during the call.
struct SurveyedRecord {
  RecordHead head;
  std::uint64_t offset = 0;
  std::string_view key;
};

// A part of a segment that holds no record that counts.
struct BadPlace {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::string what;
};

struct SegmentSurvey {
  SegmentHeader header;
  std::string header_error;  // not empty: it could not be read, and why
  std::uint64_t fid = 0;     // by which the records were read
  std::uint64_t records = 0;
  std::uint64_t min_seq = ~std::uint64_t{0};  // of the records; ~0, 0: there are none
  std::uint64_t max_seq = 0;
  // Up to here everything is good, and every commit whole; and the segment CRC there.
  std::uint64_t good_length = 0;
  std::uint32_t good_crc = 0;
  std::uint64_t durable = 0;  // bytes that the durable marks up to there vouch for
  std::uint64_t end = 0;      // of what was read; of an open segment without the zeroes behind it
  std::vector<BadPlace> bad;  // in order, up to `end`
};

// Reads the first `length` bytes of `file`, behind whose records may be what `end` says; bytes that
// are not records are passed over. `fid` is
// what the name of the file says; the header's counts if it is readable and other. `take` gets
// every record that is intact and, if it belongs to a batch, whose batch is whole. A failure is one
// of reading.
Result<SegmentSurvey> SurveySegment(File& file, std::uint64_t fid, std::uint64_t length,
                                    SegmentEnd end,
                                    const std::function<void(const SurveyedRecord&)>& take);

}  // namespace weir::kv
