// The bytes of a hint.
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
// The footer's CRC vouches for the table, the table for the blocks: every byte is covered. The
// footer also is what readers of the last entries may read beyond them.
#pragma once

#include <cstdint>
#include <string>

#include "key_run.h"
#include "segment_table.h"
#include "store_id.h"

namespace weir::kv {

inline constexpr std::string_view kHintMagic{"weirhnt\0", 8};
inline constexpr std::uint32_t kHintVersion = 1;
inline constexpr std::size_t kHintFooterSize = 128;
inline constexpr std::size_t kHintBlockSize = 4096;  // a block ends when it has that much

// One thread. Memory: the bytes that were not taken yet, and a key a block.
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
  std::uint64_t entries_ = 0;
  std::uint64_t deleted_ = 0;
  std::uint64_t deleted_bytes_ = 0;
  std::uint64_t blocks_ = 0;
  std::uint64_t block_bytes_ = 0;
};

}  // namespace weir::kv
