#include "hint_builder.h"

#include <algorithm>
#include <bit>

#include "coding.h"

namespace weir::kv {
namespace {

// Bytes that `value` needs, at least 1.
unsigned WidthOf(std::uint64_t value) noexcept {
  return value == 0 ? 1 : (static_cast<unsigned>(std::bit_width(value)) + 7) / 8;
}

void AppendTableEntry(std::string& table, std::uint64_t size, std::uint32_t entries,
                      const Crc32c& crc, std::string_view first_key) {
  AppendFixed(table, static_cast<std::uint32_t>(size));
  AppendFixed(table, entries);
  AppendFixed(table, crc.Value());
  AppendFixed(table, static_cast<std::uint32_t>(first_key.size()));
  table.append(first_key);
}

// Appends the last key and the footer.
void FinishTable(std::string& table, std::uint32_t version, const StoreId& store_id,
                 const SegmentFacts& facts, std::string_view last_key, const HintCounts& counts) {
  if (counts.blocks != 0) {
    AppendFixed(table, static_cast<std::uint32_t>(last_key.size()));
    table.append(last_key);
  }
  std::string footer(kHintMagic);
  AppendFixed(footer, version);
  footer.push_back(static_cast<char>(facts.kind));
  footer.append(3, '\0');
  footer.append(store_id.data(), store_id.size());
  AppendFixed(footer, facts.fid);
  AppendFixed(footer, facts.length);
  AppendFixed(footer, facts.crc);
  AppendFixed(footer, Crc32c().Extend(table).Value());
  AppendFixed(footer, facts.min_seq);
  AppendFixed(footer, facts.max_seq);
  AppendFixed(footer, counts.entries);
  AppendFixed(footer, counts.deleted);
  AppendFixed(footer, counts.blocks);
  AppendFixed(footer, counts.block_bytes);
  AppendFixed(footer, std::uint64_t{table.size()});
  AppendFixed(footer, counts.deleted_bytes);
  AppendFixed(footer, std::uint32_t{0});
  AppendFixed(footer, Crc32c().Extend(footer).Value());
  table.append(footer);
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
  counts_.Add(entry);
  if (block_.size() >= kHintBlockSize) EndBlock();
}

void HintBuilder::EndBlock() {
  AppendTableEntry(table_, block_.size(), block_entries_, Crc32c().Extend(block_), first_key_);
  bytes_.append(block_);
  counts_.block_bytes += block_.size();
  ++counts_.blocks;
  block_.clear();
  block_entries_ = 0;
}

void HintBuilder::Finish(const StoreId& store_id, const SegmentFacts& facts) {
  if (block_entries_ != 0) EndBlock();
  FinishTable(table_, kHintVersion, store_id, facts, last_key_, counts_);
  bytes_.append(table_);
}

void OrderedHintBuilder::Add(const RunEntry& entry) {
  in_order_ = in_order_ && entry.offset == end_;
  if (block_entries_ == 0) first_key_ = entry.key;
  last_key_ = entry.key;
  ExtendOrderedCrc(block_crc_, entry);
  block_size_ += entry.size;
  end_ += entry.size;
  ++block_entries_;
  counts_.Add(entry);
  if (block_size_ >= kOrderedHintBlockSize) EndBlock();
}

void OrderedHintBuilder::EndBlock() {
  AppendTableEntry(table_, block_size_, block_entries_, block_crc_, first_key_);
  counts_.block_bytes += block_size_;
  ++counts_.blocks;
  block_size_ = 0;
  block_entries_ = 0;
  block_crc_ = Crc32c();
}

bool OrderedHintBuilder::Finish(const StoreId& store_id, const SegmentFacts& facts) {
  if (!in_order_ || end_ != facts.length) return false;
  if (block_entries_ != 0) EndBlock();
  FinishTable(table_, kOrderedHintVersion, store_id, facts, last_key_, counts_);
  return true;
}

}  // namespace weir::kv
