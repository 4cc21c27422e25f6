// The keys of one segment, gathered in the order of its records, to be put into the order of keys.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "hint_builder.h"
#include "key_run.h"

namespace weir::kv {

// One thread. Memory: the keys and 48 bytes for each record.
class SegmentKeys {
 public:
  void Add(const RunEntry& record);
  std::size_t size() const noexcept { return records_.size(); }
  // Forgets the records from the `size`-th on.
  void Truncate(std::size_t size) { records_.resize(size); }

  // Sorts, and gives the newest record of each key to `take`, in ascending order; a newer one has a
  // higher seq, or the same seq and a higher offset.
  template <class Take>
  void ForEachNewest(Take take) {
    Sort();
    const Record* last = nullptr;
    for (const Record& record : records_) {
      if (last != nullptr && last->key() == record.key()) continue;
      last = &record;
      take(RunEntry{.key = record.key(),
                    .seq = record.seq,
                    .offset = record.offset,
                    .size = record.size,
                    .deleted = record.deleted != 0,
                    .expires = record.expires != 0});
    }
  }

 private:
  struct Record {
    std::uint64_t prefix;  // the first bytes of the key, to be compared as a number
    const char* key_data;
    std::uint64_t seq;
    std::uint64_t offset;
    std::uint32_t size;
    std::uint32_t key_size : 30;
    std::uint32_t deleted : 1;
    std::uint32_t expires : 1;

    std::string_view key() const noexcept { return {key_data, key_size}; }
  };
  static bool Before(const Record& a, const Record& b) noexcept;
  void Sort();
  const char* Keep(std::string_view key);

  std::vector<Record> records_;
  std::vector<std::unique_ptr<char[]>> chunks_;
  char* free_ = nullptr;  // in the last chunk
  std::size_t free_size_ = 0;
};

}  // namespace weir::kv
