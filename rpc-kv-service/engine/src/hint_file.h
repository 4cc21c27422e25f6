// A hint: what one closed segment knows, in the order of keys, so that a start need not read the
// segment. A hint that does not fit its segment in every field is worth nothing, and harmless.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "key_run.h"
#include "segment_table.h"
#include "store_id.h"
#include "weir/kv/vfs.h"

namespace weir::kv {

// "000012.hint"
std::string HintName(std::uint64_t fid);

}  // namespace weir::kv
