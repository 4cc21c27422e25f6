// The record: the unit of a segment.
//
//   | crc32c 4 | tag 1 | stored key size varint <=5 | value size varint <=5 | stored key | value |
//   stored key = varint(seq) followed by the user's key
//
// The CRC covers everything behind it and starts from the fid and the offset of the record, so that
// a record is valid only where it was written: neither stale blocks nor records inside values
// parse.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crc32c.h"

namespace weir::kv {

enum class RecordType : std::uint8_t {
  kNormal = 1,
  kDeleted = 2,
  kTxnFinished =
      3,  // ends the batch of its seq; empty user key; value: varint(records in the batch)
  kDurableMark = 4,  // empty user key; value: varint(bytes of this file known to be on disk)
};
inline constexpr std::uint8_t kBatchBit = 0x80;  // valid only with a kTxnFinished of the same seq
inline constexpr std::uint8_t kExpiryBit =
    0x40;  // varint(expiry, ms) before the value, in its size
inline constexpr std::uint8_t kTypeMask = 0x3f;

inline constexpr std::uint64_t kMaxSeq = (std::uint64_t{1} << 63) - 1;
inline constexpr std::size_t kMaxRecordHead = 4 + 1 + 5 + 5 + 10;  // bytes before the user's key
inline constexpr std::size_t kMinRecordSize = 4 + 1 + 1 + 1 + 1;

// Everything before the user's key, decoded.
struct RecordHead {
  std::uint32_t crc = 0;
  std::uint8_t tag = 0;
  std::uint64_t seq = 0;
  std::uint32_t head_size = 0;  // bytes from the crc up to the user's key
  std::uint32_t key_size = 0;   // of the user's key
  std::uint32_t value_size = 0;

  RecordType type() const noexcept { return static_cast<RecordType>(tag & kTypeMask); }
  bool in_batch() const noexcept { return (tag & kBatchBit) != 0; }
  bool has_expiry() const noexcept { return (tag & kExpiryBit) != 0; }
  std::uint64_t size() const noexcept { return std::uint64_t{head_size} + key_size + value_size; }
};

// Bytes of the record with this seq and these sizes.
std::uint64_t RecordSize(std::uint64_t seq, std::size_t key_size, std::size_t value_size) noexcept;

// Writes all before the user's key to `to` (kMaxRecordHead bytes), the CRC left zero. Returns the
// number of bytes written.
std::size_t EncodeRecordHead(char* to, std::uint8_t tag, std::uint64_t seq, std::size_t key_size,
                             std::size_t value_size) noexcept;

// The CRC's start for a record at this place.
Crc32c RecordSeed(std::uint64_t fid, std::uint64_t offset) noexcept;
// What all records of a segment have in common: extended by the offset it is RecordSeed.
Crc32c SegmentSeed(std::uint64_t fid) noexcept;

// Decodes the head from the first bytes of a record: at least kMaxRecordHead of them, or all that
// the file has left. `left` is the number of bytes from the record's start to the file's end:
// no size beyond it, or beyond the limits of keys and values, is believed. Nothing if these bytes
// cannot be a record. Does not look at the CRC.
std::optional<RecordHead> DecodeRecordHead(std::string_view bytes, std::uint64_t left) noexcept;

// True if `record`, a whole record, carries the CRC of its place.
bool RecordIsIntact(std::string_view record, std::uint64_t fid, std::uint64_t offset) noexcept;

// One whole record.
std::string EncodeRecord(std::uint64_t fid, std::uint64_t offset, std::uint8_t tag,
                         std::uint64_t seq, std::string_view key, std::string_view value);

}  // namespace weir::kv
