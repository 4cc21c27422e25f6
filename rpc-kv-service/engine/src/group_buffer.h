// The bytes of one gathered write: the records of many commits, encoded for their places.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "crc32c.h"
#include "index.h"
#include "record.h"

namespace weir::kv {

// One thread. Small records are copied into one buffer; large values stay where the caller has
// them, so keys and values must live until the group is written. Memory is used again.
class GroupBuffer {
 public:
  // Empties it; the first record will be at `offset` of segment `fid`, which is in `slot` of the
  // SegmentTable, behind contents whose segment CRC (see SegmentPosition) is `segment_crc`.
  void Start(std::uint64_t fid, std::uint32_t slot, std::uint64_t offset, Crc32c segment_crc);

  // `expiry_ms`: 0: none; else the tag gets its bit.
  void Add(std::uint8_t tag, std::uint64_t seq, std::string_view key, std::string_view value,
           std::uint64_t expiry_ms = 0);
  // Add, and note the key for the index.
  void AddPublished(std::uint8_t tag, std::uint64_t seq, std::string_view key,
                    std::string_view value, std::uint64_t expiry_ms);

  std::uint64_t size() const noexcept { return size_; }
  std::uint64_t end() const noexcept { return offset_ + size_; }
  Crc32c segment_crc() const noexcept { return segment_crc_; }
  // What the records mean for the index, in order.
  std::span<const Change> changes() const noexcept { return changes_; }
  // All bytes in order. Valid until the next call of Start or Add.
  std::span<const std::string_view> Pieces();

 private:
  struct Chunk {
    const char* outside;  // null: the next `size` bytes of copied_
    std::size_t size;
  };

  std::uint64_t fid_ = 0;
  std::uint32_t slot_ = 0;
  std::uint64_t offset_ = 0;
  std::uint64_t size_ = 0;
  Crc32c segment_crc_;
  std::vector<char> copied_;
  std::size_t used_ = 0;  // of copied_
  std::vector<Chunk> chunks_;
  std::vector<std::string_view> pieces_;
  std::vector<Change> changes_;
};

}  // namespace weir::kv
