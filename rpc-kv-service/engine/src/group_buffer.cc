#include "group_buffer.h"

#include <algorithm>

#include "coding.h"

namespace weir::kv {
namespace {

// Below this a copy is cheaper than one more piece of a gathered write.
constexpr std::size_t kCopyBelow = 4096;
// A buffer that one huge group has blown up is given back.
constexpr std::size_t kKeepCapacity = 32 << 20;

}  // namespace

void GroupBuffer::Start(std::uint64_t fid, std::uint32_t slot, std::uint64_t offset,
                        Crc32c segment_crc) {
  fid_ = fid;
  slot_ = slot;
  offset_ = offset;
  size_ = 0;
  segment_crc_ = segment_crc;
  used_ = 0;
  if (copied_.size() > kKeepCapacity) std::vector<char>().swap(copied_);
  chunks_.clear();
  changes_.clear();
}

void GroupBuffer::Add(std::uint8_t tag, std::uint64_t seq, std::string_view key,
                      std::string_view value, std::uint64_t expiry_ms) {
  const bool copy_value = value.size() < kCopyBelow;
  const std::size_t most =
      kMaxRecordHead + kMaxVarint64 + key.size() + (copy_value ? value.size() : 0);
  const std::size_t expiry_size = expiry_ms != 0 ? VarintSize(expiry_ms) : 0;
  if (expiry_ms != 0) tag |= kExpiryBit;
  if (copied_.size() - used_ < most) {
    copied_.resize(std::max<std::size_t>({used_ + most, copied_.size() * 2, 4096}));
  }
  char* const start = copied_.data() + used_;
  std::size_t size = EncodeRecordHead(start, tag, seq, key.size(), expiry_size + value.size());
  size += key.copy(start + size, key.size());
  if (expiry_ms != 0) size = static_cast<std::size_t>(StoreVarint(start + size, expiry_ms) - start);
  if (copy_value) size += value.copy(start + size, value.size());

  Crc32c crc = RecordSeed(fid_, end());
  crc.Extend(std::string_view(start + 4, size - 4));
  if (!copy_value) crc.Extend(value);
  StoreFixed(start, crc.Value());
  segment_crc_.Extend(crc.Value());

  used_ += size;
  size_ += size;
  if (chunks_.empty() || chunks_.back().outside != nullptr) chunks_.push_back({nullptr, 0});
  chunks_.back().size += size;
  if (!copy_value) {
    chunks_.push_back({value.data(), value.size()});
    size_ += value.size();
  }
}

void GroupBuffer::AddPublished(std::uint8_t tag, std::uint64_t seq, std::string_view key,
                               std::string_view value, std::uint64_t expiry_ms) {
  const std::uint64_t offset = end();
  Add(tag, seq, key, value, expiry_ms);
  const Location location{.slot = slot_,
                          .size = static_cast<std::uint32_t>(end() - offset),
                          .offset = offset,
                          .expires = expiry_ms != 0};
  const bool deleted = static_cast<RecordType>(tag & kTypeMask) == RecordType::kDeleted;
  changes_.push_back({key, location, deleted});
}

std::span<const std::string_view> GroupBuffer::Pieces() {
  pieces_.clear();
  const char* copied = copied_.data();
  for (const Chunk& chunk : chunks_) {
    if (chunk.outside != nullptr) {
      pieces_.emplace_back(chunk.outside, chunk.size);
    } else {
      pieces_.emplace_back(copied, chunk.size);
      copied += chunk.size;
    }
  }
  return pieces_;
}

}  // namespace weir::kv
