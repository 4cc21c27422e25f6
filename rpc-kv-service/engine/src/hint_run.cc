// Going through the entries of a hint.
#include <algorithm>

#include "coding.h"
#include "hint_file.h"
#include "record.h"
#include "weir/kv/options.h"

namespace weir::kv {
namespace {

// Reads a varint without looking where it ends: the footer lies behind, so a few bytes too many are
// still readable. More than 5 bytes are read as a number that fits nothing.
const char* LoadVarint(const char* at, std::uint64_t& value) noexcept {
  value = static_cast<std::uint8_t>(*at++);
  if (value < 0x80) [[likely]]
    return at;
  value &= 0x7f;
  for (unsigned shift = 7; shift < 35; shift += 7) {
    const auto byte = static_cast<std::uint8_t>(*at++);
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) return at;
  }
  value = ~std::uint64_t{0};
  return at;
}

std::uint64_t LoadWide(const char* at, unsigned width) noexcept {
  return LoadFixed<std::uint64_t>(at) & (~std::uint64_t{0} >> (64 - 8 * width));
}

}  // namespace

class HintRun final : public KeyRun {
 public:
  explicit HintRun(std::shared_ptr<const Hint> hint) : hint_(std::move(hint)) { Reserve(256); }

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
      if (at_ != end_) return Fail("holds more than its entries");
      if (next_block_ == hint_->blocks_.size()) return false;
      return NextBlock();
    }
    return Decode(false);
  }

  const RunEntry& entry() const noexcept override { return entry_; }
  const Status& status() const noexcept override { return status_; }

 private:
  static constexpr std::size_t kStep = 16;  // bytes of a key that are copied at a time

  bool NextBlock() {
    const Hint::Block& block = hint_->blocks_[next_block_++];
    at_ = block.data;
    end_ = at_ + block.size;
    left_ = block.entries;
    if (has_previous_ && block.first_key <= entry_.key) return Fail("has keys out of order");
    if (!Decode(true)) return false;
    has_previous_ = true;
    return entry_.key == block.first_key || Fail("has a table that does not fit its blocks");
  }

  bool Decode(bool first) {
    if (at_ >= end_) return Fail("ends inside its entries");
    const auto flags = static_cast<std::uint8_t>(*at_);
    std::uint64_t shared = 0;
    std::uint64_t rest = 0;
    std::uint64_t size = 0;
    const char* at = LoadVarint(at_ + 1, shared);
    at = LoadVarint(at, rest);
    at = LoadVarint(at, size);
    const unsigned seq_width = ((flags >> 2) & 7U) + 1;
    const unsigned offset_width = (flags >> 5) + 1U;
    entry_.seq = LoadWide(at, seq_width);
    at += seq_width;
    entry_.offset = LoadWide(at, offset_width);
    at += offset_width;
    const std::size_t previous = first ? 0 : entry_.key.size();
    if (at > end_ || rest > static_cast<std::uint64_t>(end_ - at) || shared > previous ||
        shared + rest > kMaxKeySize) {
      return Fail("has an entry that ends beyond its block");
    }
    // The shared part is as long as can be, so the next byte alone tells the order.
    if (!first &&
        (rest == 0 || (shared < previous && static_cast<std::uint8_t>(*at) <=
                                                static_cast<std::uint8_t>(key_[shared])))) {
      return Fail("has keys out of order");
    }
    const SegmentFacts& facts = hint_->facts_;
    if (entry_.offset < kSegmentHeaderSize || entry_.offset > facts.length ||
        size > facts.length - entry_.offset || size < kMinRecordSize ||
        entry_.seq < facts.min_seq || entry_.seq > facts.max_seq) {
      return Fail("names a place that its segment does not have");
    }
    if (shared + rest + kStep > capacity_) [[unlikely]]
      Reserve(shared + rest);
    CopyRest(key_.get() + shared, at, rest);
    entry_.key = std::string_view(key_.get(), shared + rest);
    entry_.size = static_cast<std::uint32_t>(size);
    entry_.deleted = (flags & 1U) != 0;
    entry_.expires = (flags & 2U) != 0;
    at_ = at + rest;
    --left_;
    return true;
  }

  // Both sides have kStep bytes more than `size`.
  static void CopyRest(char* to, const char* from, std::size_t size) noexcept {
    if (size <= kStep) [[likely]] {
      std::memcpy(to, from, kStep);
    } else {
      std::memcpy(to, from, size);
    }
  }

  void Reserve(std::size_t size) {
    const std::size_t capacity = std::max(2 * capacity_, size + kStep);
    std::unique_ptr<char[]> larger(new char[capacity]);
    if (capacity_ != 0) std::memcpy(larger.get(), key_.get(), entry_.key.size());
    key_ = std::move(larger);
    capacity_ = capacity;
  }

  bool Fail(std::string_view what) {
    status_ = DataLoss(HintName(hint_->facts_.fid) + ": " + std::string(what) +
                       "; remove it, it is built again from its segment");
    at_ = end_ = nullptr;
    left_ = 0;
    next_block_ = hint_->blocks_.size();
    return false;
  }

  const std::shared_ptr<const Hint> hint_;
  std::size_t next_block_ = 0;
  const char* at_ = nullptr;  // in the block
  const char* end_ = nullptr;
  std::uint32_t left_ = 0;  // entries of the block
  bool held_ = false;       // the entry was found by Seek and not given out yet
  bool has_previous_ = false;
  RunEntry entry_;
  std::unique_ptr<char[]> key_;
  std::size_t capacity_ = 0;
  Status status_;
};

std::unique_ptr<KeyRun> Hint::NewRun(std::shared_ptr<const Hint> hint) {
  if (hint->segment_ != nullptr) return NewOrderedRun(std::move(hint));
  return std::make_unique<HintRun>(std::move(hint));
}

}  // namespace weir::kv
