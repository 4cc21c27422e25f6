// The bytes of a hint, of which there are two kinds.
//
// Version 1 holds entries, so that the segment need not be read:
//
//   blocks | table | footer
//   block:   entries in ascending order of keys, about 4 KiB of them
//   entry:   flags 1 | shared varint | rest varint | record size varint | seq | offset | rest of
//   key
//            flags: 1 deleted, 2 expires, bits 2-4 bytes of seq - 1, bits 5-7 bytes of offset - 1
//            shared: bytes the key has in common with the one before it in the block, all of them
//   table:   for each block: size 4 | entries 4 | crc32c 4 | size of first key 4 | first key;
//            then, if there are blocks: size of last key 4 | last key
//   footer:  0 magic 8 "weirhnt\0" | 8 version 4 | 12 kind 1 | 13 zero 3 | 16 store id 16
//            32 fid 8 | 40 data length 8 | 48 segment crc 4 | 52 crc32c of the table 4
//            56 min seq 8 | 64 max seq 8 | 72 entries 8 | 80 deleted entries 8 | 88 blocks 8
//            96 bytes of blocks 8 | 104 bytes of table 8 | 112 bytes of deleting records 8
//            120 zero 4 | 124 crc32c of bytes 0..123 4
//
// Version 2 is for a segment whose records all lie in ascending order of keys, each key once, as a
// merge writes them: there the heads and keys of the records themselves are read, and the hint only
// says where to begin and what must be found. It is:
//
//   table | footer
//   as above, but a block is a piece of the segment, about 64 KiB of records; together they are all
//   of it behind its header. The crc32c of a block is that of, for each record, seq 8 | size of the
//   record 4 | flags as above 4 | key.
//
// The footer's CRC vouches for the table, the table for the blocks: every byte is covered, and of
// version 2 all that is believed of the segment. The footer also is what readers of the last
// entries may read beyond them.
#pragma once

#include <cstdint>
#include <string>

#include "crc32c.h"
#include "key_run.h"
#include "segment_header.h"
#include "segment_table.h"
#include "store_id.h"

namespace weir::kv {

inline constexpr std::string_view kHintMagic{"weirhnt\0", 8};
inline constexpr std::uint32_t kHintVersion = 1;
inline constexpr std::uint32_t kOrderedHintVersion = 2;
inline constexpr std::size_t kHintFooterSize = 128;
inline constexpr std::size_t kHintBlockSize = 4096;  // a block ends when it has that much
inline constexpr std::size_t kOrderedHintBlockSize = 64 << 10;  // the same, of records

// What a footer says of the entries.
struct HintCounts {
  std::uint64_t entries = 0;
  std::uint64_t deleted = 0;
  std::uint64_t deleted_bytes = 0;  // of deleting records
  std::uint64_t blocks = 0;
  std::uint64_t block_bytes = 0;

  void Add(const RunEntry& entry) noexcept {
    ++entries;
    if (!entry.deleted) return;
    ++deleted;
    deleted_bytes += entry.size;
  }
};

// One thread. Makes hints of version 1. Memory: the bytes that were not taken yet, and a key a
// block.
class HintBuilder {
 public:
  // `entry.key` is above all before it.
  void Add(const RunEntry& entry);
  // Appends all that is left; the last thing to be done. Counts the tombstone_bytes itself.
  void Finish(const StoreId& store_id, const SegmentFacts& facts);

  // Finished bytes, in order; the caller may clear what it has taken.
  std::string& bytes() noexcept { return bytes_; }

 private:
  void EndBlock();

  std::string bytes_;
  std::string block_;
  std::string table_;
  std::string last_key_;
  std::string first_key_;  // of the block
  std::uint32_t block_entries_ = 0;
  HintCounts counts_;
};

// One thread. Makes hints of version 2. Memory: the hint.
class OrderedHintBuilder {
 public:
  // As HintBuilder::Add; and `entry` is the next record of the segment.
  void Add(const RunEntry& entry);
  // False: some record was not where it had to be, or the segment has more; there is no hint.
  bool Finish(const StoreId& store_id, const SegmentFacts& facts);

  // Of the records so far.
  std::uint64_t record_bytes() const noexcept { return end_ - kSegmentHeaderSize; }
  std::string& bytes() noexcept { return table_; }  // once finished

 private:
  void EndBlock();

  std::string table_;
  std::string first_key_;  // of the block
  std::string last_key_;
  Crc32c block_crc_;
  std::uint64_t block_size_ = 0;
  std::uint32_t block_entries_ = 0;
  std::uint64_t end_ = kSegmentHeaderSize;  // of the last record
  bool in_order_ = true;
  HintCounts counts_;
};

// Makes `crc` that of one record more, as blocks of version 2 have it.
inline void ExtendOrderedCrc(Crc32c& crc, const RunEntry& entry) noexcept {
  const std::uint64_t flags = (entry.deleted ? 1U : 0U) | (entry.expires ? 2U : 0U);
  crc.Extend(entry.seq).Extend(std::uint64_t{entry.size} | flags << 32).Extend(entry.key);
}

}  // namespace weir::kv
