#include "record_group.h"

#include <bit>
#include <cstring>

#include "coding.h"
#include "record_reader.h"

namespace weir::kv {
namespace {

// At least 8 bytes.
bool SameBytes(const char* a, const char* b, std::size_t size) noexcept {
  if (size > 16) return std::memcmp(a, b, size) == 0;
  const std::size_t last = size - 8;
  return ((LoadFixed<std::uint64_t>(a) ^ LoadFixed<std::uint64_t>(b)) |
          (LoadFixed<std::uint64_t>(a + last) ^ LoadFixed<std::uint64_t>(b + last))) == 0;
}

// Where the value begins in a record of `key`, if it is as most are: the key is of 8 to 117 bytes,
// the value of less than 16 KiB, and there is no expiry. 0: it is not, or it is no record of the
// key.
std::size_t ValueOffset(const char* bytes, std::size_t size, std::string_view key) noexcept {
  constexpr std::uint64_t kBatch = kBatchBit;
  if (key.size() < 8 || key.size() > 117 || size < 5 + 1 + 1 + 1 + key.size()) return 0;
  const auto word = LoadFixed<std::uint64_t>(bytes + 4);
  const std::size_t seq_size = (word >> 8 & 0xff) - key.size();
  std::size_t value_size = word >> 16 & 0x7f;
  std::size_t seq_at = 7;
  if ((word >> 16 & 0x80) != 0) {
    value_size |= (word >> 24 & 0xff) << 7;
    // One byte more, or a longer form than is needed.
    if (value_size >= 0x4000 || value_size < 0x80) return 0;
    ++seq_at;
  }
  const std::uint64_t seq = LoadFixed<std::uint64_t>(bytes + seq_at);
  const std::size_t offset = seq_at + seq_size + key.size();
  if ((word & 0xff & ~kBatch) != static_cast<std::uint64_t>(RecordType::kNormal) ||
      seq_size - 1 >= 8 || offset + value_size != size) {
    return 0;
  }
  // The first byte without the high bit ends the seq; it is not zero, unless it is the only one.
  const std::uint64_t ends = ~seq & 0x8080'8080'8080'8080;
  const std::uint64_t last = seq >> (8 * seq_size - 8) & 0xff;
  if (ends == 0 || static_cast<std::size_t>(std::countr_zero(ends)) != 8 * seq_size - 1 ||
      (last == 0 && seq_size > 1)) {
    return 0;
  }
  return SameBytes(bytes + seq_at + seq_size, key.data(), key.size()) ? offset : 0;
}

}  // namespace

std::size_t RecordGroup::Check(const SegmentTable& segments, Iterator::Item* items,
                               std::uint64_t* expiries, Status* status) {
  Crc32c::ExtendEach({crcs_.data(), size_});
  for (std::size_t i = 0; i < size_; ++i) {
    const auto& [segment, location, bytes] = places_[i];
    const std::size_t size = location->size;
    const std::size_t value = ValueOffset(bytes, size, keys_[i]);
    items[i].key = keys_[i];
    expiries[i] = 0;
    if (value != 0 && crcs_[i].crc.Value() == LoadFixed<std::uint32_t>(bytes)) [[likely]] {
      items[i].value = {bytes + value, size - value};
      continue;
    }
    RecordView record;
    *status = CheckRecord(segments, *segment, *location, keys_[i], {bytes, size}, &record);
    if (!status->ok()) return i;
    items[i].value = record.value;
    expiries[i] = record.expiry_ms;
  }
  return size_;
}

}  // namespace weir::kv
