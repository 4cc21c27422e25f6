#include "wire/meta.h"

#include <bit>
#include <cstring>

namespace weir::wire {
namespace {

// The protobuf encoding: tag = field number << 3 | kind.
enum Kind : std::uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

// The number as the wire has it, or back.
constexpr std::uint64_t LittleEndian(std::uint64_t value) noexcept {
  return std::endian::native == std::endian::little ? value : __builtin_bswap64(value);
}

class Writer {
 public:
  explicit Writer(char* out) noexcept : start_(out), out_(out) {}

  void Number(std::uint32_t field, std::uint64_t value) noexcept {
    if (value == 0) return;
    Varint(field << 3 | kVarint);
    Varint(value);
  }
  void Text(std::uint32_t field, std::string_view value, bool even_if_empty = false) noexcept {
    if (value.empty() && !even_if_empty) return;
    Varint(field << 3 | kBytes);
    Varint(value.size());
    std::memcpy(out_, value.data(), value.size());
    out_ += value.size();
  }
  void Fixed(std::uint32_t field, const std::optional<std::uint64_t>& value) noexcept {
    if (!value) return;
    Varint(field << 3 | kFixed64);
    const std::uint64_t little = LittleEndian(*value);
    std::memcpy(out_, &little, sizeof little);
    out_ += sizeof little;
  }
  void Varint(std::uint64_t value) noexcept {
    while (value >= 0x80) {
      *out_++ = static_cast<char>(value | 0x80);
      value >>= 7;
    }
    *out_++ = static_cast<char>(value);
  }
  std::size_t written() const noexcept { return static_cast<std::size_t>(out_ - start_); }

 private:
  char* start_;
  char* out_;
};

constexpr std::size_t VarintBytes(std::uint64_t value) noexcept {
  std::size_t bytes = 1;
  for (; value >= 0x80; value >>= 7) ++bytes;
  return bytes;
}

// Walks over the fields of a message; unknown ones are skipped.
class Reader {
 public:
  explicit Reader(std::string_view in) noexcept : at_(in.data()), end_(in.data() + in.size()) {}

  // False at the end, or if the bytes are malformed.
  bool Next() noexcept {
    if (at_ == end_) return false;
    std::uint64_t tag = 0;
    if (!Varint(&tag) || tag >> 3 == 0 || tag >> 3 > 0x1FFFFFFF) return Fail();
    field_ = static_cast<std::uint32_t>(tag >> 3);
    kind_ = static_cast<std::uint32_t>(tag & 7);
    number_ = 0;
    bytes_ = {};
    switch (kind_) {
      case kVarint:
        return Varint(&number_) || Fail();
      case kFixed64:
        return Fixed(8) || Fail();
      case kFixed32:
        return Fixed(4) || Fail();
      case kBytes: {
        std::uint64_t size = 0;
        if (!Varint(&size) || size > static_cast<std::uint64_t>(end_ - at_)) return Fail();
        bytes_ = {at_, static_cast<std::size_t>(size)};
        at_ += size;
        return true;
      }
      default:
        return Fail();
    }
  }
  bool ok() const noexcept { return ok_; }

  bool Is(std::uint32_t field, Kind kind) const noexcept {
    return field_ == field && kind_ == kind;
  }
  std::uint64_t number() const noexcept { return number_; }
  std::uint32_t small_number() const noexcept { return static_cast<std::uint32_t>(number_); }
  std::string_view bytes() const noexcept { return bytes_; }

 private:
  bool Varint(std::uint64_t* value) noexcept {
    std::uint64_t result = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ == end_) return false;
      const auto byte = static_cast<unsigned char>(*at_++);
      result |= std::uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) {
        *value = result;
        return true;
      }
    }
    return false;
  }
  bool Fixed(int bytes) noexcept {
    if (end_ - at_ < bytes) return false;
    std::memcpy(&number_, at_, static_cast<std::size_t>(bytes));
    number_ = LittleEndian(number_);
    at_ += bytes;
    return true;
  }
  bool Fail() noexcept {
    ok_ = false;
    return false;
  }

  const char* at_;
  const char* end_;
  std::uint32_t field_ = 0;
  std::uint32_t kind_ = 0;
  std::uint64_t number_ = 0;
  std::string_view bytes_;
  bool ok_ = true;
};

std::size_t PairBytes(const std::pair<std::string, std::string>& pair) noexcept {
  return 2 + VarintBytes(pair.first.size()) + pair.first.size() + VarintBytes(pair.second.size()) +
         pair.second.size();
}

}  // namespace

std::size_t RequestMeta::MaxBytes(const Metadata* metadata) const noexcept {
  std::size_t bytes = 48 + method.size();
  if (metadata != nullptr) {
    for (const auto& pair : *metadata) bytes += 12 + PairBytes(pair);
  }
  return bytes;
}

std::size_t RequestMeta::Encode(char* out, const Metadata* metadata) const noexcept {
  Writer writer(out);
  writer.Text(1, method);
  writer.Number(2, method_id);
  writer.Number(3, timeout_us);
  writer.Number(4, attempt);
  writer.Fixed(5, checksum);
  if (metadata != nullptr) {
    for (const auto& pair : *metadata) {
      writer.Varint(6 << 3 | kBytes);
      writer.Varint(PairBytes(pair));
      writer.Text(1, pair.first, true);
      writer.Text(2, pair.second, true);
    }
  }
  return writer.written();
}

RequestMeta::Error RequestMeta::Decode(std::string_view in, Metadata* metadata) {
  std::size_t metadata_bytes = 0;
  Reader reader(in);
  while (reader.Next()) {
    if (reader.Is(1, kBytes)) {
      method = reader.bytes();
    } else if (reader.Is(2, kVarint)) {
      method_id = reader.small_number();
    } else if (reader.Is(3, kVarint)) {
      timeout_us = reader.number();
    } else if (reader.Is(4, kVarint)) {
      attempt = reader.small_number();
    } else if (reader.Is(5, kFixed64)) {
      checksum = reader.number();
    } else if (reader.Is(6, kBytes)) {
      std::string_view key;
      std::string_view value;
      Reader pair(reader.bytes());
      while (pair.Next()) {
        if (pair.Is(1, kBytes)) key = pair.bytes();
        if (pair.Is(2, kBytes)) value = pair.bytes();
      }
      if (!pair.ok()) return Error::kMalformed;
      metadata_bytes += key.size() + value.size() + 32;
      if (metadata_bytes > kMaxMetadataBytes) return Error::kTooMuchMetadata;
      metadata->emplace_back(key, value);
    }
  }
  return reader.ok() ? Error::kNone : Error::kMalformed;
}

std::size_t ResponseMeta::MaxBytes() const noexcept {
  return 48 + message.size() + details.size();
}

std::size_t ResponseMeta::Encode(char* out) const noexcept {
  Writer writer(out);
  writer.Number(1, code);
  writer.Text(2, message);
  writer.Text(3, details);
  writer.Fixed(4, checksum);
  writer.Number(5, not_started ? 1 : 0);
  writer.Fixed(6, load);
  return writer.written();
}

bool ResponseMeta::Decode(std::string_view in) noexcept {
  Reader reader(in);
  while (reader.Next()) {
    if (reader.Is(1, kVarint)) code = reader.small_number();
    if (reader.Is(2, kBytes)) message = reader.bytes();
    if (reader.Is(3, kBytes)) details = reader.bytes();
    if (reader.Is(4, kFixed64)) checksum = reader.number();
    if (reader.Is(5, kVarint)) not_started = reader.number() != 0;
    if (reader.Is(6, kFixed64)) load = reader.number();
  }
  return reader.ok();
}

std::size_t SettingsMeta::Encode(char* out) const noexcept {
  Writer writer(out);
  writer.Number(1, max_message_bytes);
  writer.Number(2, max_attachment_bytes);
  writer.Number(3, max_calls);
  writer.Number(4, min_ping_interval_us);
  writer.Number(5, load_reports ? 1 : 0);
  return writer.written();
}

bool SettingsMeta::Decode(std::string_view in) noexcept {
  Reader reader(in);
  while (reader.Next()) {
    if (reader.Is(1, kVarint)) max_message_bytes = reader.small_number();
    if (reader.Is(2, kVarint)) max_attachment_bytes = reader.small_number();
    if (reader.Is(3, kVarint)) max_calls = reader.small_number();
    if (reader.Is(4, kVarint)) min_ping_interval_us = reader.number();
    if (reader.Is(5, kVarint)) load_reports = reader.number() != 0;
  }
  return reader.ok();
}

std::size_t LoadMeta::Encode(char* out) const noexcept {
  Writer writer(out);
  if (load != 0) writer.Fixed(1, load);  // as protobuf has it
  return writer.written();
}

bool LoadMeta::Decode(std::string_view in) noexcept {
  Reader reader(in);
  while (reader.Next()) {
    if (reader.Is(1, kFixed64)) load = reader.number();
  }
  return reader.ok();
}

std::size_t NoticeMeta::Encode(char* out) const noexcept {
  Writer writer(out);
  writer.Number(1, code);
  writer.Text(2, message);
  return writer.written();
}

bool NoticeMeta::Decode(std::string_view in) noexcept {
  Reader reader(in);
  while (reader.Next()) {
    if (reader.Is(1, kVarint)) code = reader.small_number();
    if (reader.Is(2, kBytes)) message = reader.bytes();
  }
  return reader.ok();
}

}  // namespace weir::wire
