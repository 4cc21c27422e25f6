// The meta of frames: the messages of meta.proto, read and written by hand without allocation.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "weir/call_options.h"

namespace weir::wire {

inline constexpr std::size_t kMaxMetaBytes = 64 * 1024;
// Sum of the sizes of all metadata pairs, each counted with 32 bytes more.
inline constexpr std::size_t kMaxMetadataBytes = 16 * 1024;

struct RequestMeta {
  std::string_view method;
  std::uint32_t method_id = 0;
  std::uint64_t timeout_us = 0;
  std::uint32_t attempt = 0;
  std::optional<std::uint64_t> checksum;

  // At most a year, whatever the peer says: sums with a clock must not overflow.
  std::chrono::microseconds Timeout() const noexcept {
    constexpr std::uint64_t kMost = std::uint64_t{365} * 24 * 3600 * 1'000'000;
    return std::chrono::microseconds(std::min(timeout_us, kMost));
  }
  // Upper bound of what Encode writes.
  std::size_t MaxBytes(const Metadata* metadata) const noexcept;
  // Returns the bytes written.
  std::size_t Encode(char* out, const Metadata* metadata) const noexcept;
  enum class Error : std::uint8_t { kNone, kMalformed, kTooMuchMetadata };
  // Views point into `in`. Pairs are added to `metadata`.
  Error Decode(std::string_view in, Metadata* metadata);
};

struct ResponseMeta {
  std::uint32_t code = 0;
  std::string_view message;
  std::string_view details;
  std::optional<std::uint64_t> checksum;
  bool not_started = false;
  std::optional<std::uint64_t> load;  // LoadReport::Pack

  // Of a checksum or a load.
  static constexpr std::size_t kFixedBytes = 9;
  std::size_t MaxBytes() const noexcept;
  std::size_t Encode(char* out) const noexcept;
  bool Decode(std::string_view in) noexcept;
};

struct SettingsMeta {
  std::uint32_t max_message_bytes = 0;
  std::uint32_t max_attachment_bytes = 0;
  std::uint32_t max_calls = 0;
  std::uint64_t min_ping_interval_us = 0;
  bool load_reports = false;

  static constexpr std::size_t kMaxBytes = 40;
  std::size_t Encode(char* out) const noexcept;
  bool Decode(std::string_view in) noexcept;
};

struct LoadMeta {
  std::uint64_t load = 0;  // LoadReport::Pack

  static constexpr std::size_t kMaxBytes = 9;
  std::size_t Encode(char* out) const noexcept;
  bool Decode(std::string_view in) noexcept;
};

struct NoticeMeta {
  std::uint32_t code = 0;
  std::string_view message;

  std::size_t MaxBytes() const noexcept { return 16 + message.size(); }
  std::size_t Encode(char* out) const noexcept;
  bool Decode(std::string_view in) noexcept;
};

}  // namespace weir::wire
