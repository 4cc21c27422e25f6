#define XXH_INLINE_ALL
#include <xxhash.h>

#include "weir/load_balance.h"

namespace weir {

std::uint64_t HashKey(std::string_view key) noexcept {
  return XXH3_64bits(key.data(), key.size());
}

}  // namespace weir
