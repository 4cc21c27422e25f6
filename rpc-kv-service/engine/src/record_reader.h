// Reads one record by its location and checks all of it: CRC, place, key.
#pragma once

#include <string>
#include <string_view>

#include "index.h"
#include "segment_files.h"

namespace weir::kv {

// The value of `key`, whose record lies at `location`, into `*value`. DATA_LOSS, naming file and
// offset, if another or a damaged record is there. `*value` is unchanged by a failure. Thread-safe.
Status ReadValue(SegmentFiles& files, const std::string& directory, const Location& location,
                 std::string_view key, std::string* value);

}  // namespace weir::kv
