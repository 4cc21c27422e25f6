#include "new_store_id.h"

#include <cstdint>
#include <cstring>
#include <random>

namespace weir::kv {

StoreId NewStoreId() {
  StoreId id;
  std::random_device random;
  for (std::size_t i = 0; i < id.size(); i += sizeof(std::uint32_t)) {
    const std::uint32_t word = random();
    std::memcpy(id.data() + i, &word, sizeof word);
  }
  return id;
}

}  // namespace weir::kv
