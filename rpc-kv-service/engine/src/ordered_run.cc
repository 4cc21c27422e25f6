// Going through the records of a segment that has a hint of version 2.
#include <algorithm>

#include "hint_file.h"
#include "record.h"

namespace weir::kv {

class OrderedRun final : public KeyRun {
 public:
  explicit OrderedRun(std::shared_ptr<const Hint> hint) : hint_(std::move(hint)) {}

  void Seek(std::string_view key) override {
    next_block_ = hint_->BlockFor(key);
    while (Next()) {
      if (entry_.key >= key) {
        held_ = true;
        return;
      }
    }
  }

  bool Next() override {
    if (held_) [[unlikely]] {
      held_ = false;
      return true;
    }
    if (left_ == 0) [[unlikely]] {
      if (next_block_ == hint_->blocks_.size() || !NextBlock()) return false;
    }
    (void)Decode(at_, end_, entry_);
    at_ += entry_.size;
    --left_;
    return true;
  }

  const RunEntry& entry() const noexcept override { return entry_; }
  const Status& status() const noexcept override { return status_; }

 private:
  // Nothing of a block is believed before all of it has been looked at.
  bool NextBlock() {
    const Hint::Block& block = hint_->blocks_[next_block_++];
    const SegmentFacts& facts = hint_->facts_;
    at_ = block.data;
    end_ = at_ + block.size;
    left_ = block.entries;
    const char* at = at_;
    Crc32c crc;
    RunEntry entry;
    for (std::uint32_t i = 0; i < block.entries; ++i) {
      if (!Decode(at, end_, entry)) return Fail("has no record where one should be");
      if ((any_ && entry.key <= last_) || (i == 0 && entry.key != block.first_key)) {
        return Fail("has keys out of order");
      }
      if (entry.seq < facts.min_seq || entry.seq > facts.max_seq) {
        return Fail("has a record of another commit than it should");
      }
      ExtendOrderedCrc(crc, entry);
      last_ = entry.key;
      any_ = true;
      at += entry.size;
    }
    return (at == end_ && crc.Value() == block.crc) || Fail("has other records than it should");
  }

  // The record at `at`, if there can be one before `end`.
  bool Decode(const char* at, const char* end, RunEntry& entry) const noexcept {
    const auto left = static_cast<std::uint64_t>(end - at);
    const auto head = DecodeRecordHead({at, std::min<std::uint64_t>(left, kMaxRecordHead)}, left);
    if (!head || head->in_batch() ||
        (head->type() != RecordType::kNormal && head->type() != RecordType::kDeleted)) {
      return false;
    }
    entry = {.key = {at + head->head_size, head->key_size},
             .seq = head->seq,
             .offset = static_cast<std::uint64_t>(at - hint_->segment_),
             .size = static_cast<std::uint32_t>(head->size()),
             .deleted = head->type() == RecordType::kDeleted,
             .expires = head->has_expiry()};
    return true;
  }

  bool Fail(std::string_view what) {
    const Hint::Block& block = hint_->blocks_[next_block_ - 1];
    status_ = DataLoss(SegmentName(hint_->facts_.fid) + ": in the " + std::to_string(block.size) +
                       " bytes from offset " + std::to_string(block.data - hint_->segment_) +
                       ": by what its hint says, it " + std::string(what));
    left_ = 0;
    next_block_ = hint_->blocks_.size();
    return false;
  }

  const std::shared_ptr<const Hint> hint_;
  std::size_t next_block_ = 0;
  const char* at_ = nullptr;  // in the block
  const char* end_ = nullptr;
  std::uint32_t left_ = 0;  // records of the block
  bool held_ = false;       // the entry was found by Seek and not given out yet
  bool any_ = false;        // a block has been looked at
  std::string_view last_;   // its last key
  RunEntry entry_;          // its key lies in the segment
  Status status_;
};

std::unique_ptr<KeyRun> Hint::NewOrderedRun(std::shared_ptr<const Hint> hint) {
  return std::make_unique<OrderedRun>(std::move(hint));
}

}  // namespace weir::kv
