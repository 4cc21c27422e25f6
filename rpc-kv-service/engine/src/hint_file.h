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
  // the bytes, checks every CRC, and allocates no more than they justify.
  struct Parsed {
    std::shared_ptr<const Hint> hint;
    std::string error;
  };
  static Parsed Parse(std::string_view bytes, std::shared_ptr<const void> owner);

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
  struct Block {
    const char* data;
    std::uint32_t size;
    std::uint32_t entries;
    std::string_view first_key;
  };
  Hint() = default;
  std::string ParseFooter(std::string_view footer, std::uint64_t size);
  std::string ParseTable(std::string_view bytes);

  std::shared_ptr<const void> owner_;
  StoreId store_id_{};
  SegmentFacts facts_;
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
class HintWriter {
 public:
  static Result<std::unique_ptr<HintWriter>> Create(Vfs& vfs, const std::string& directory,
                                                    std::uint64_t fid);
  ~HintWriter();  // removes a file that was not finished
  HintWriter(const HintWriter&) = delete;
  HintWriter& operator=(const HintWriter&) = delete;

  // `entry.key` is above all before it. After a failure nothing else may be called.
  Status Add(const RunEntry& entry);
  // `facts` of the whole segment. kNow: syncs the file and the directory. Replaces an older hint.
  Status Finish(const StoreId& store_id, const SegmentFacts& facts, Durability durability);

 private:
  HintWriter(Vfs& vfs, std::string directory, std::string name);
  Status WriteOut();

  Vfs& vfs_;
  const std::string directory_;
  const std::string path_;
  const std::string temporary_;
  std::unique_ptr<File> file_;
  std::uint64_t written_ = 0;
  HintBuilder builder_;
};

}  // namespace weir::kv
