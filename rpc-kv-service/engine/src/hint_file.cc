#include "hint_file.h"

#include "coding.h"
#include "crc32c.h"

namespace weir::kv {
namespace {

constexpr std::string_view kSuffix = ".hint";
constexpr std::size_t kTableEntrySize = 16;  // and the key
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

Hint::Parsed Hint::Parse(std::string_view bytes, std::shared_ptr<const void> owner) {
  Parsed parsed;
  if (bytes.size() < kHintFooterSize) {
    parsed.error = "is too short for a hint";
    return parsed;
  }
  std::shared_ptr<Hint> hint(new Hint());
  parsed.error = hint->ParseFooter(bytes.substr(bytes.size() - kHintFooterSize), bytes.size());
  if (parsed.error.empty()) parsed.error = hint->ParseTable(bytes);
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

std::string Hint::ParseFooter(std::string_view footer, std::uint64_t size) {
  const char* at = footer.data();
  if (footer.substr(0, kHintMagic.size()) != kHintMagic ||
      Crc32c().Extend(footer.substr(0, kFooterCrcOffset)).Value() !=
          LoadFixed<std::uint32_t>(at + kFooterCrcOffset)) {
    return "has a damaged footer";
  }
  if (const auto version = LoadFixed<std::uint32_t>(at + 8); version != kHintVersion) {
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
  const std::uint64_t left = size - kHintFooterSize;
  if (block_bytes_ > left || table_bytes_ != left - block_bytes_ ||
      block_count_ > table_bytes_ / kTableEntrySize) {
    return "has another length than its footer says";
  }
  return {};
}

std::string Hint::ParseTable(std::string_view bytes) {
  std::string_view table = bytes.substr(block_bytes_, table_bytes_);
  if (Crc32c().Extend(table).Value() != table_crc_) return "has a damaged table";
  blocks_.reserve(block_count_);
  std::uint64_t offset = 0;
  std::uint64_t entries = 0;
  for (std::uint64_t i = 0; i < block_count_; ++i) {
    Block block{};
    std::uint32_t crc = 0;
    std::uint32_t key_size = 0;
    if (!TakeFixed(table, block.size) || !TakeFixed(table, block.entries) ||
        !TakeFixed(table, crc) || !TakeFixed(table, key_size) || key_size > table.size() ||
        block.size > block_bytes_ - offset || block.entries == 0) {
      return "has a table that does not fit its blocks";
    }
    block.first_key = table.substr(0, key_size);
    table.remove_prefix(key_size);
    if (!blocks_.empty() && block.first_key <= blocks_.back().first_key) {
      return "has blocks that are not in order";
    }
    const std::string_view contents = bytes.substr(offset, block.size);
    if (Crc32c().Extend(contents).Value() != crc) {
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
                                                       std::uint64_t fid) {
  std::unique_ptr<HintWriter> writer(new HintWriter(vfs, directory, HintName(fid)));
  // Left by one that did not come to its end.
  if (Status status = vfs.Remove(writer->temporary_);
      !status.ok() && status.code() != StatusCode::kNotFound) {
    return status;
  }
  auto file = vfs.Open(writer->temporary_, OpenMode::kCreateNew);
  if (!file.ok()) return file.status();
  writer->file_ = *std::move(file);
  return writer;
}

HintWriter::~HintWriter() {
  if (file_ == nullptr) return;
  file_.reset();
  (void)vfs_.Remove(temporary_);
}

Status HintWriter::WriteOut() {
  std::string& bytes = builder_.bytes();
  const std::string_view piece = bytes;
  if (Status status = file_->Write(written_, {&piece, 1}); !status.ok()) return status;
  written_ += bytes.size();
  bytes.clear();
  return {};
}

Status HintWriter::Add(const RunEntry& entry) {
  constexpr std::size_t kWriteSize = 1 << 20;
  builder_.Add(entry);
  return builder_.bytes().size() >= kWriteSize ? WriteOut() : Status();
}

Status HintWriter::Finish(const StoreId& store_id, const SegmentFacts& facts,
                          Durability durability) {
  builder_.Finish(store_id, facts);
  if (Status status = WriteOut(); !status.ok()) return status;
  if (durability == Durability::kNow) {
    if (Status status = file_->Sync(); !status.ok()) return status;
  }
  if (Status status = vfs_.Rename(temporary_, path_); !status.ok()) return status;
  file_.reset();
  return durability == Durability::kNow ? vfs_.SyncDirectory(directory_) : Status();
}

}  // namespace weir::kv
