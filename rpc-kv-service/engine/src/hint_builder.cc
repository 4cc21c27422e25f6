#include "hint_builder.h"

#include <algorithm>
#include <bit>

#include "coding.h"
#include "crc32c.h"

namespace weir::kv {
namespace {

// Bytes that `value` needs, at least 1.
unsigned WidthOf(std::uint64_t value) noexcept {
  return value == 0 ? 1 : (static_cast<unsigned>(std::bit_width(value)) + 7) / 8;
}

}  // namespace

void HintBuilder::Add(const RunEntry& entry) {
  std::size_t shared = 0;
  if (block_entries_ == 0) {
    first_key_ = entry.key;
  } else {
    const std::size_t most = std::min(last_key_.size(), entry.key.size());
    while (shared < most && last_key_[shared] == entry.key[shared]) ++shared;
  }
  const unsigned seq_width = WidthOf(entry.seq);
  const unsigned offset_width = WidthOf(entry.offset);
  char head[1 + 3 * kMaxVarint32 + 2 * sizeof(std::uint64_t)];
  head[0] = static_cast<char>((entry.deleted ? 1U : 0U) | (entry.expires ? 2U : 0U) |
                              (seq_width - 1) << 2 | (offset_width - 1) << 5);
  char* at = StoreVarint(head + 1, shared);
  at = StoreVarint(at, entry.key.size() - shared);
  at = StoreVarint(at, entry.size);
  std::memcpy(at, &entry.seq, seq_width);
  at += seq_width;
  std::memcpy(at, &entry.offset, offset_width);
  at += offset_width;
  block_.append(head, static_cast<std::size_t>(at - head));
  block_.append(entry.key.substr(shared));
  last_key_.resize(shared);
  last_key_.append(entry.key.substr(shared));
  ++block_entries_;
  ++entries_;
  if (entry.deleted) {
    ++deleted_;
    deleted_bytes_ += entry.size;
  }
  if (block_.size() >= kHintBlockSize) EndBlock();
}

void HintBuilder::EndBlock() {
  AppendFixed(table_, static_cast<std::uint32_t>(block_.size()));
  AppendFixed(table_, block_entries_);
  AppendFixed(table_, Crc32c().Extend(block_).Value());
  AppendFixed(table_, static_cast<std::uint32_t>(first_key_.size()));
  table_.append(first_key_);
  bytes_.append(block_);
  block_bytes_ += block_.size();
  ++blocks_;
  block_.clear();
  block_entries_ = 0;
}

void HintBuilder::Finish(const StoreId& store_id, const SegmentFacts& facts) {
  if (block_entries_ != 0) EndBlock();
  if (blocks_ != 0) {
    AppendFixed(table_, static_cast<std::uint32_t>(last_key_.size()));
    table_.append(last_key_);
  }
  std::string footer(kHintMagic);
  AppendFixed(footer, kHintVersion);
  footer.push_back(static_cast<char>(facts.kind));
  footer.append(3, '\0');
  footer.append(store_id.data(), store_id.size());
  AppendFixed(footer, facts.fid);
  AppendFixed(footer, facts.length);
  AppendFixed(footer, facts.crc);
  AppendFixed(footer, Crc32c().Extend(table_).Value());
  AppendFixed(footer, facts.min_seq);
  AppendFixed(footer, facts.max_seq);
  AppendFixed(footer, entries_);
  AppendFixed(footer, deleted_);
  AppendFixed(footer, blocks_);
  AppendFixed(footer, block_bytes_);
  AppendFixed(footer, std::uint64_t{table_.size()});
  AppendFixed(footer, deleted_bytes_);
  AppendFixed(footer, std::uint32_t{0});
  AppendFixed(footer, Crc32c().Extend(footer).Value());
  bytes_.append(table_).append(footer);
}

}  // namespace weir::kv
