#include "wire/frame.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <bit>
#include <concepts>
#include <cstring>

namespace weir::wire {
namespace {

template <std::unsigned_integral T>
T BigEndian(T value) noexcept {
  if constexpr (std::endian::native == std::endian::big || sizeof(T) == 1) return value;
  if constexpr (sizeof(T) == 2) return __builtin_bswap16(value);
  if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
  if constexpr (sizeof(T) == 8) return __builtin_bswap64(value);
}

template <std::unsigned_integral T>
void Put(char* out, T value) noexcept {
  value = BigEndian(value);
  std::memcpy(out, &value, sizeof value);
}

template <std::unsigned_integral T>
T Get(const char* in) noexcept {
  T value;
  std::memcpy(&value, in, sizeof value);
  return BigEndian(value);
}

constexpr std::size_t kCheckOffset = 28;

std::uint32_t Check(const char* header) noexcept {
  return static_cast<std::uint32_t>(XXH3_64bits(header, kCheckOffset));
}

}  // namespace

void EncodeHeader(const FrameHeader& header, char* out) noexcept {
  Put(out, kMagic);
  Put(out + 4, header.version);
  Put(out + 5, header.type);
  Put(out + 6, header.flags);
  Put(out + 8, header.meta_bytes);
  Put(out + 12, header.body_bytes);
  Put(out + 16, header.attachment_bytes);
  Put(out + 20, header.id);
  Put(out + kCheckOffset, Check(out));
}

HeaderError DecodeHeader(const char* in, FrameHeader* header) noexcept {
  if (Get<std::uint32_t>(in) != kMagic) return HeaderError::kBadMagic;
  if (Get<std::uint32_t>(in + kCheckOffset) != Check(in)) return HeaderError::kBadCheck;
  header->version = Get<std::uint8_t>(in + 4);
  header->type = Get<std::uint8_t>(in + 5);
  header->flags = Get<std::uint16_t>(in + 6);
  header->meta_bytes = Get<std::uint32_t>(in + 8);
  header->body_bytes = Get<std::uint32_t>(in + 12);
  header->attachment_bytes = Get<std::uint32_t>(in + 16);
  header->id = Get<std::uint64_t>(in + 20);
  return HeaderError::kNone;
}

bool MayBeMagic(const char* in, std::size_t bytes) noexcept {
  char magic[4];
  Put(magic, kMagic);
  return std::memcmp(in, magic, bytes < 4 ? bytes : 4) == 0;
}

}  // namespace weir::wire
