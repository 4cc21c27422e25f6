// The identity of a store that is being made.
#pragma once

#include "store_id.h"

namespace weir::kv {

// 16 bytes of the machine's randomness.
StoreId NewStoreId();

}  // namespace weir::kv
