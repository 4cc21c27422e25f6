// A hint: what one closed segment knows, in the order of keys, so that a start need not read the
// segment. A hint that does not fit its segment in every field is worth nothing, and harmless: the
// segment itself is read instead. The format: hint_builder.h.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hint_builder.h"
#include "key_run.h"
#include "segment_table.h"
#include "store_id.h"
#include "weir/kv/vfs.h"

namespace weir::kv {

// "000012.hint"
std::string HintName(std::uint64_t fid);
// 12 from "000012.hint"; nothing for any other name.
std::optional<std::uint64_t> ParseHintName(std::string_view name);
inline constexpr std::string_view kHintTemporarySuffix = ".tmp";  // behind the name, while written

// The checked contents of a hint. Immutable; any threads.
class Hint {
 public:
  // What is wrong with the bytes; else the hint, which `owner` keeps readable. Looks at nothing but
  // the bytes, checks every CRC, and allocates no more than they justify. If they are of version 2,
  // see IsOrdered, `segment` has the bytes of the segment; what is wrong with these is found when
  // the hint is gone through, but for the last block.
  struct Parsed {
    std::shared_ptr<const Hint> hint;
    std::string error;
  };
  static Parsed Parse(std::string_view bytes, std::shared_ptr<const void> owner,
                      std::string_view segment = {});
  // True: cannot be used without the segment itself.
  static bool IsOrdered(std::string_view bytes) noexcept;

  const StoreId& store_id() const noexcept { return store_id_; }
  const SegmentFacts& facts() const noexcept { return facts_; }
  std::uint64_t entries() const noexcept { return entries_; }
  std::uint64_t deleted() const noexcept { return deleted_; }  // of the entries

  // Blocks have about as many bytes each, so that their first keys cut the keys into even parts.
  std::size_t blocks() const noexcept { return blocks_.size(); }
  std::string_view first_key(std::size_t block) const noexcept { return blocks_[block].first_key; }
  std::string_view last_key() const noexcept { return last_key_; }  // of all; if there are blocks

  // Goes through the entries; keeps the hint. Entries that no intact segment can have (a key out of
  // order, a place beyond its end) end it with DATA_LOSS.
  static std::unique_ptr<KeyRun> NewRun(std::shared_ptr<const Hint> hint);

 private:
  friend class HintRun;
  friend class OrderedRun;
  struct Block {
    const char* data;
    std::uint32_t size;
    std::uint32_t entries;
    std::uint32_t crc;
    std::string_view first_key;
  };
  Hint() = default;
  static std::unique_ptr<KeyRun> NewOrderedRun(std::shared_ptr<const Hint> hint);
  std::string ParseFooter(std::string_view footer, std::uint64_t blocks_within);
  std::string ParseTable(std::string_view table, std::string_view blocks);
  // The block that holds the first key from `key` on, or the one before it.
  std::size_t BlockFor(std::string_view key) const noexcept;

  std::shared_ptr<const void> owner_;
  StoreId store_id_{};
  SegmentFacts facts_;
  const char* segment_ = nullptr;  // version 2
  std::uint32_t table_crc_ = 0;
  std::uint64_t entries_ = 0;
  std::uint64_t deleted_ = 0;
  std::uint64_t block_count_ = 0;
  std::uint64_t block_bytes_ = 0;
  std::uint64_t table_bytes_ = 0;
  std::vector<Block> blocks_;
  std::string_view last_key_;
};

// Must it survive a crash of the machine? A hint that does not is only built again.
enum class Durability : std::uint8_t { kLater, kNow };

// Writes the hint of a segment under a temporary name, then gives it its own. One thread.
//
// Of a merged segment it is one of version 2, unless a version 1 would be less than an eighth of
// the segment: what is saved on disk is then little, and what has to be read at a start is much.
// Memory: up to 1 MiB, and what one of version 2 takes, about a thousandth of the segment.
class HintWriter {
 public:
  static Result<std::unique_ptr<HintWriter>> Create(Vfs& vfs, const std::string& directory,
                                                    std::uint64_t fid, SegmentKind kind);
  ~HintWriter();  // removes a file that was not finished
  HintWriter(const HintWriter&) = delete;
  HintWriter& operator=(const HintWriter&) = delete;

  // `entry.key` is above all before it. After a failure nothing else may be called.
  Status Add(const RunEntry& entry);
  // `facts` of the whole segment. kNow: syncs the file and the directory. Replaces an older hint.
  Status Finish(const StoreId& store_id, const SegmentFacts& facts, Durability durability);

 private:
  HintWriter(Vfs& vfs, std::string directory, std::string name);
  Status WriteOut(std::string& bytes);
  void Choose();

  Vfs& vfs_;
  const std::string directory_;
  const std::string path_;
  const std::string temporary_;
  std::unique_ptr<File> file_;
  std::uint64_t written_ = 0;
  // Both until it is clear which is better.
  std::optional<HintBuilder> entries_;
  std::optional<OrderedHintBuilder> ordered_;
};

}  // namespace weir::kv
