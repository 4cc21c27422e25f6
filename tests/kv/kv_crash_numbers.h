// What the killed process writes for a number and the test expects of it.
#pragma once

#include <cstdint>
#include <string>

#include "weir/kv/write_batch.h"

namespace weir::kv {

inline std::string ValueOf(std::uint64_t number) {
  return std::string(number % 300, static_cast<char>('a' + number % 26)) + std::to_string(number);
}

// Two keys, so that half a commit would show.
inline WriteBatch BatchOf(std::uint64_t number) {
  WriteBatch batch;
  batch.Put("a" + std::to_string(number), ValueOf(number));
  batch.Put("b" + std::to_string(number), ValueOf(number));
  return batch;
}

}  // namespace weir::kv
