// What one segment knows, in the order of keys: from its hint, or from scanning it.
#pragma once

#include <cstdint>
#include <string_view>

#include "weir/status.h"

namespace weir::kv {

// The newest record of a key in one segment.
struct RunEntry {
  std::string_view key;  // until the next step
  std::uint64_t seq = 0;
  std::uint64_t offset = 0;  // of the record in the segment
  std::uint32_t size = 0;    // of the whole record
  bool deleted = false;
  bool expires = false;
};

// Goes through the entries in ascending order of keys, each key once. One thread.
class KeyRun {
 public:
  virtual ~KeyRun() = default;
  // Goes to the first entry >= key; only before the first Next.
  virtual void Seek(std::string_view key) = 0;
  // Goes to the next entry (at first: to the first). False: there is none, or, if status() is not
  // OK, the run cannot be read on and all that it said must be forgotten.
  virtual bool Next() = 0;
  virtual const RunEntry& entry() const noexcept = 0;
  virtual const Status& status() const noexcept = 0;
};

}  // namespace weir::kv
