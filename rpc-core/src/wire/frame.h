// The frame header of the native protocol (docs/wire.md).
#pragma once

#include <cstddef>
#include <cstdint>

namespace weir::wire {

inline constexpr std::uint32_t kMagic = 0x57454952;  // "WEIR"
inline constexpr std::uint8_t kVersion = 1;
inline constexpr std::size_t kHeaderBytes = 32;

// Types from 0x80 on may be ignored by who does not know them.
enum class FrameType : std::uint8_t {
  kSettings = 1,
  kRequest = 2,
  kResponse = 3,
  kCancel = 4,
  kPing = 5,
  kPong = 6,
  kGoAway = 7,
  kError = 8,
  kLoadAsk = 0x80,
  kLoad = 0x81,
};
inline constexpr std::uint8_t kFirstIgnorableType = 0x80;

// The upper half must be understood; the lower half may be ignored.
inline constexpr std::uint16_t kMustUnderstandFlags = 0xFF00;

struct FrameHeader {
  std::uint8_t version = kVersion;
  std::uint8_t type = 0;
  std::uint16_t flags = 0;
  std::uint32_t meta_bytes = 0;
  std::uint32_t body_bytes = 0;
  std::uint32_t attachment_bytes = 0;
  std::uint64_t id = 0;

  // 32 bytes + meta + body; the attachment follows.
  std::uint64_t head_bytes() const noexcept {
    return std::uint64_t{kHeaderBytes} + meta_bytes + body_bytes;
  }
};

// Writes kHeaderBytes.
void EncodeHeader(const FrameHeader& header, char* out) noexcept;

enum class HeaderError : std::uint8_t { kNone, kBadMagic, kBadCheck };
// Reads kHeaderBytes. Nothing but magic and check is judged.
HeaderError DecodeHeader(const char* in, FrameHeader* header) noexcept;
// True if the first `bytes` (<= 4) can be the beginning of a frame.
bool MayBeMagic(const char* in, std::size_t bytes) noexcept;

}  // namespace weir::wire
