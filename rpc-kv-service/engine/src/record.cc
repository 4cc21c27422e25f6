#include "record.h"

#include <algorithm>

#include "coding.h"
#include "weir/kv/options.h"

namespace weir::kv {

std::uint64_t RecordSize(std::uint64_t seq, std::size_t key_size, std::size_t value_size) noexcept {
  const std::size_t stored_key = VarintSize(seq) + key_size;
  return 5 + VarintSize(stored_key) + VarintSize(value_size) + stored_key + value_size;
}

std::size_t EncodeRecordHead(char* to, std::uint8_t tag, std::uint64_t seq, std::size_t key_size,
                             std::size_t value_size) noexcept {
  StoreFixed<std::uint32_t>(to, 0);
  to[4] = static_cast<char>(tag);
  char* at = StoreVarint(to + 5, VarintSize(seq) + key_size);
  at = StoreVarint(at, value_size);
  at = StoreVarint(at, seq);
  return static_cast<std::size_t>(at - to);
}

Crc32c RecordSeed(std::uint64_t fid, std::uint64_t offset) noexcept {
  const std::uint64_t place[2] = {fid, offset};
  return Crc32c().Extend(std::string_view(reinterpret_cast<const char*>(place), sizeof place));
}

Crc32c SegmentSeed(std::uint64_t fid) noexcept {
  return Crc32c().Extend(fid);
}

std::optional<RecordHead> DecodeRecordHead(std::string_view bytes, std::uint64_t left) noexcept {
  if (bytes.size() < kMinRecordSize) return std::nullopt;
  RecordHead head;
  head.crc = LoadFixed<std::uint32_t>(bytes.data());
  head.tag = static_cast<std::uint8_t>(bytes[4]);
  const auto type = head.tag & kTypeMask;
  if (type < 1 || type > 4) return std::nullopt;
  std::string_view rest = bytes.substr(5);
  std::uint64_t stored_key = 0;
  std::uint64_t value = 0;
  if (!TakeVarint(rest, kMaxVarint32, stored_key) || !TakeVarint(rest, kMaxVarint32, value)) {
    return std::nullopt;
  }
  const std::size_t before_seq = rest.size();
  if (!TakeVarint(rest, kMaxVarint64, head.seq)) return std::nullopt;
  const std::size_t seq_size = before_seq - rest.size();
  if (stored_key < seq_size || stored_key - seq_size > kMaxKeySize || value > kMaxValueSize ||
      head.seq > kMaxSeq) {
    return std::nullopt;
  }
  head.head_size = static_cast<std::uint32_t>(bytes.size() - rest.size());
  head.key_size = static_cast<std::uint32_t>(stored_key - seq_size);
  head.value_size = static_cast<std::uint32_t>(value);
  if (head.size() > left) return std::nullopt;
  return head;
}

bool RecordIsIntact(std::string_view record, std::uint64_t fid, std::uint64_t offset) noexcept {
  return record.size() >= kMinRecordSize &&
         RecordSeed(fid, offset).Extend(record.substr(4)).Value() ==
             LoadFixed<std::uint32_t>(record.data());
}

std::string EncodeRecord(std::uint64_t fid, std::uint64_t offset, std::uint8_t tag,
                         std::uint64_t seq, std::string_view key, std::string_view value) {
  std::string record(kMaxRecordHead, '\0');
  record.resize(EncodeRecordHead(record.data(), tag, seq, key.size(), value.size()));
  record.append(key).append(value);
  StoreFixed(record.data(),
             RecordSeed(fid, offset).Extend(std::string_view(record).substr(4)).Value());
  return record;
}

}  // namespace weir::kv
