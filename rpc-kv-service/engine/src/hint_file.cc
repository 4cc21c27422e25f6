#include "hint_file.h"

#include <algorithm>

#include "coding.h"
#include "crc32c.h"

namespace weir::kv {
namespace {

constexpr std::string_view kSuffix = ".hint";
constexpr std::size_t kTableEntrySize = 16;  // and the key
constexpr std::size_t kWriteSize = 1 << 20;
// A hint with entries is worth it when it is less than this part of its segment.
constexpr std::uint64_t kPartOfSegment = 8;
constexpr std::size_t kFooterCrcOffset = kHintFooterSize - 4;

}  // namespace

std::string HintName(std::uint64_t fid) {
  std::string name = SegmentName(fid);
  return name.replace(name.rfind('.'), std::string::npos, kSuffix);
}

std::optional<std::uint64_t> ParseHintName(std::string_view name) {
  if (!name.ends_with(kSuffix)) return std::nullopt;
  name.remove_suffix(kSuffix.size());
  return ParseSegmentName(std::string(name) + ".data");
}

bool Hint::IsOrdered(std::string_view bytes) noexcept {
  if (bytes.size() < kHintFooterSize) return false;
  const std::string_view footer = bytes.substr(bytes.size() - kHintFooterSize);
  return footer.substr(0, kHintMagic.size()) == kHintMagic &&
         LoadFixed<std::uint32_t>(footer.data() + 8) == kOrderedHintVersion;
}

Hint::Parsed Hint::Parse(std::string_view bytes, std::shared_ptr<const void> owner,
                         std::string_view segment) {
  Parsed parsed;
  if (bytes.size() < kHintFooterSize) {
    parsed.error = "is too short for a hint";
    return parsed;
  }
  std::shared_ptr<Hint> hint(new Hint());
  std::string_view blocks = bytes;
  std::string_view table = bytes.substr(0, bytes.size() - kHintFooterSize);
  const bool ordered = IsOrdered(bytes);
  parsed.error = hint->ParseFooter(bytes.substr(table.size()), ordered ? 0 : table.size());
  if (!parsed.error.empty()) return parsed;
  if (ordered) {
    if (segment.size() < hint->facts_.length) {
      parsed.error = "was made for a longer segment";
      return parsed;
    }
    hint->segment_ = segment.data();
    blocks = segment.substr(kSegmentHeaderSize, hint->block_bytes_);
  } else {
    table.remove_prefix(hint->block_bytes_);
  }
  if (table.size() != hint->table_bytes_ ||
      hint->block_count_ > hint->table_bytes_ / kTableEntrySize) {
    parsed.error = "has another length than its footer says";
    return parsed;
  }
  parsed.error = hint->ParseTable(table, blocks);
  if (!parsed.error.empty()) return parsed;
  hint->owner_ = std::move(owner);
  if (!hint->blocks_.empty()) {
    const auto run = NewRun(hint);
    run->Seek(hint->blocks_.back().first_key);
    std::string last;
    while (run->Next()) last = run->entry().key;
    if (!run->status().ok() || last != hint->last_key_) {
      parsed.error = "has a last key that it does not hold";
      return parsed;
    }
  }
  parsed.hint = std::move(hint);
  return parsed;
}

std::size_t Hint::BlockFor(std::string_view key) const noexcept {
  const auto above =
      std::upper_bound(blocks_.begin(), blocks_.end(), key,
                       [](std::string_view k, const Block& block) { return k < block.first_key; });
  return above == blocks_.begin() ? 0 : static_cast<std::size_t>(above - blocks_.begin()) - 1;
}

// `blocks_within`: no more bytes than that can be blocks in the hint itself.
std::string Hint::ParseFooter(std::string_view footer, std::uint64_t blocks_within) {
  const char* at = footer.data();
  if (footer.substr(0, kHintMagic.size()) != kHintMagic ||
      Crc32c().Extend(footer.substr(0, kFooterCrcOffset)).Value() !=
          LoadFixed<std::uint32_t>(at + kFooterCrcOffset)) {
    return "has a damaged footer";
  }
  const auto version = LoadFixed<std::uint32_t>(at + 8);
  if (version != kHintVersion && version != kOrderedHintVersion) {
    return "is of version " + std::to_string(version) + ", which this program does not know";
  }
  facts_.kind = static_cast<SegmentKind>(at[12]);
  std::memcpy(store_id_.data(), at + 16, store_id_.size());
  facts_.fid = LoadFixed<std::uint64_t>(at + 32);
  facts_.length = LoadFixed<std::uint64_t>(at + 40);
  facts_.crc = LoadFixed<std::uint32_t>(at + 48);
  table_crc_ = LoadFixed<std::uint32_t>(at + 52);
  facts_.min_seq = LoadFixed<std::uint64_t>(at + 56);
  facts_.max_seq = LoadFixed<std::uint64_t>(at + 64);
  entries_ = LoadFixed<std::uint64_t>(at + 72);
  deleted_ = LoadFixed<std::uint64_t>(at + 80);
  block_count_ = LoadFixed<std::uint64_t>(at + 88);
  block_bytes_ = LoadFixed<std::uint64_t>(at + 96);
  table_bytes_ = LoadFixed<std::uint64_t>(at + 104);
  facts_.tombstone_bytes = LoadFixed<std::uint64_t>(at + 112);
  const bool fits = version == kHintVersion
                        ? block_bytes_ <= blocks_within
                        : facts_.length >= kSegmentHeaderSize &&
                              block_bytes_ == facts_.length - kSegmentHeaderSize;
  return fits ? "" : "has another length than its footer says";
}

std::string Hint::ParseTable(std::string_view table, std::string_view blocks) {
  if (Crc32c().Extend(table).Value() != table_crc_) return "has a damaged table";
  blocks_.reserve(block_count_);
  std::uint64_t offset = 0;
  std::uint64_t entries = 0;
  for (std::uint64_t i = 0; i < block_count_; ++i) {
    Block block{};
    std::uint32_t key_size = 0;
    if (!TakeFixed(table, block.size) || !TakeFixed(table, block.entries) ||
        !TakeFixed(table, block.crc) || !TakeFixed(table, key_size) || key_size > table.size() ||
        block.size > block_bytes_ - offset || block.entries == 0) {
      return "has a table that does not fit its blocks";
    }
    block.first_key = table.substr(0, key_size);
    table.remove_prefix(key_size);
    if (!blocks_.empty() && block.first_key <= blocks_.back().first_key) {
      return "has blocks that are not in order";
    }
    const std::string_view contents = blocks.substr(offset, block.size);
    if (segment_ == nullptr && Crc32c().Extend(contents).Value() != block.crc) {
      return "at offset " + std::to_string(offset) + ": has a damaged block";
    }
    block.data = contents.data();
    offset += block.size;
    entries += block.entries;
    blocks_.push_back(block);
  }
  std::uint32_t key_size = 0;
  if (!blocks_.empty()) {
    if (!TakeFixed(table, key_size) || key_size > table.size()) {
      return "has a table that is cut short";
    }
    last_key_ = table.substr(0, key_size);
    table.remove_prefix(key_size);
  }
  if (!table.empty() || offset != block_bytes_ || entries != entries_ || deleted_ > entries_) {
    return "has a table that does not fit its blocks";
  }
  return {};
}

HintWriter::HintWriter(Vfs& vfs, std::string directory, std::string name)
    : vfs_(vfs),
      directory_(std::move(directory)),
      path_(directory_ + "/" + name),
      temporary_(path_ + std::string(kHintTemporarySuffix)) {}

Result<std::unique_ptr<HintWriter>> HintWriter::Create(Vfs& vfs, const std::string& directory,
                                                       std::uint64_t fid, SegmentKind kind) {
  std::unique_ptr<HintWriter> writer(new HintWriter(vfs, directory, HintName(fid)));
  // Left by one that did not come to its end.
  if (Status status = vfs.Remove(writer->temporary_);
      !status.ok() && status.code() != StatusCode::kNotFound) {
    return status;
  }
  auto file = vfs.Open(writer->temporary_, OpenMode::kCreateNew);
  if (!file.ok()) return file.status();
  writer->file_ = *std::move(file);
  writer->entries_.emplace();
  if (kind == SegmentKind::kMerged) writer->ordered_.emplace();
  return writer;
}

HintWriter::~HintWriter() {
  if (file_ == nullptr) return;
  file_.reset();
  (void)vfs_.Remove(temporary_);
}

Status HintWriter::WriteOut(std::string& bytes) {
  const std::string_view piece = bytes;
  if (Status status = file_->Write(written_, {&piece, 1}); !status.ok()) return status;
  written_ += bytes.size();
  bytes.clear();
  return {};
}

void HintWriter::Choose() {
  if (!ordered_ || !entries_) return;
  if (ordered_->record_bytes() / kPartOfSegment <= entries_->bytes().size()) {
    entries_.reset();
  } else {
    ordered_.reset();
  }
}

Status HintWriter::Add(const RunEntry& entry) {
  if (ordered_) ordered_->Add(entry);
  if (!entries_) return {};
  entries_->Add(entry);
  if (entries_->bytes().size() < kWriteSize) return {};
  Choose();
  return entries_ ? WriteOut(entries_->bytes()) : Status();
}

Status HintWriter::Finish(const StoreId& store_id, const SegmentFacts& facts,
                          Durability durability) {
  if (entries_) entries_->Finish(store_id, facts);
  Choose();
  if (ordered_ && !ordered_->Finish(store_id, facts)) {
    return Internal(path_ + ": the records of the segment are not in the order of keys");
  }
  if (Status status = WriteOut(ordered_ ? ordered_->bytes() : entries_->bytes()); !status.ok()) {
    return status;
  }
  if (durability == Durability::kNow) {
    if (Status status = file_->Sync(); !status.ok()) return status;
  }
  if (Status status = vfs_.Rename(temporary_, path_); !status.ok()) return status;
  file_.reset();
  return durability == Durability::kNow ? vfs_.SyncDirectory(directory_) : Status();
}

}  // namespace weir::kv
