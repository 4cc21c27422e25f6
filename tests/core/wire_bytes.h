// Frames as bytes, for tests that speak the protocol by hand.
#pragma once

#include <cstring>
#include <string>
#include <string_view>

#include "wire/frame.h"

namespace weir::test {

// The vectors of docs/wire.md.
inline constexpr std::string_view kGoldenPing =
    "57454952010500000000000000000000000000000000000000000000e306d143";
inline constexpr std::string_view kGoldenEveryField =
    "5745495201020102030405060708090a0b0c0d0e1112131415161718672614a3";

inline std::string HeaderBytes(const wire::FrameHeader& header) {
  std::string bytes(wire::kHeaderBytes, '\0');
  wire::EncodeHeader(header, bytes.data());
  return bytes;
}

inline std::string FrameBytes(wire::FrameType type, std::uint64_t id, std::string_view meta = {},
                              std::string_view body = {}, std::string_view attachment = {}) {
  wire::FrameHeader header;
  header.type = static_cast<std::uint8_t>(type);
  header.id = id;
  header.meta_bytes = static_cast<std::uint32_t>(meta.size());
  header.body_bytes = static_cast<std::uint32_t>(body.size());
  header.attachment_bytes = static_cast<std::uint32_t>(attachment.size());
  return HeaderBytes(header).append(meta).append(body).append(attachment);
}

inline std::string Hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text += kDigits[static_cast<unsigned char>(c) >> 4];
    text += kDigits[c & 15];
  }
  return text;
}

}  // namespace weir::test
