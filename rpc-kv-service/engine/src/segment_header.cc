#include "segment_header.h"

#include <charconv>

#include "coding.h"
#include "crc32c.h"

namespace weir::kv {
namespace {

constexpr std::string_view kMagic{"weirseg\0", 8};
constexpr std::string_view kSuffix = ".data";

}  // namespace

std::string EncodeSegmentHeader(const SegmentHeader& header) {
  std::string bytes(kMagic);
  AppendFixed(bytes, kSegmentVersion);
  bytes.push_back(static_cast<char>(header.kind));
  bytes.append(3, '\0');
  bytes.append(header.store_id.data(), header.store_id.size());
  AppendFixed(bytes, header.fid);
  AppendFixed(bytes, header.previous_fid);
  AppendFixed(bytes, header.previous_length);
  AppendFixed(bytes, header.previous_crc);
  AppendFixed(bytes, Crc32c().Extend(bytes).Value());
  return bytes;
}

namespace {

bool IsKnown(std::uint8_t kind) {
  return kind == static_cast<std::uint8_t>(SegmentKind::kLog) ||
         kind == static_cast<std::uint8_t>(SegmentKind::kMerged);
}

}  // namespace

DecodedSegmentHeader DecodeSegmentHeader(std::string_view bytes) {
  DecodedSegmentHeader result;
  if (bytes.size() < kSegmentHeaderSize || bytes.substr(0, kMagic.size()) != kMagic) {
    result.error = "does not begin as a segment";
    return result;
  }
  const char* at = bytes.data();
  if (Crc32c().Extend(bytes.substr(0, 60)).Value() != LoadFixed<std::uint32_t>(at + 60)) {
    result.error = "has a damaged header";
    return result;
  }
  const auto version = LoadFixed<std::uint32_t>(at + 8);
  const auto kind = static_cast<std::uint8_t>(at[12]);
  if (version != kSegmentVersion || !IsKnown(kind)) {
    result.error = "is of version " + std::to_string(version) + ", kind " + std::to_string(kind) +
                   ", which this program does not know (a newer one wrote it)";
    return result;
  }
  SegmentHeader& header = result.header;
  header.kind = static_cast<SegmentKind>(kind);
  std::memcpy(header.store_id.data(), at + 16, header.store_id.size());
  header.fid = LoadFixed<std::uint64_t>(at + 32);
  header.previous_fid = LoadFixed<std::uint64_t>(at + 40);
  header.previous_length = LoadFixed<std::uint64_t>(at + 48);
  header.previous_crc = LoadFixed<std::uint32_t>(at + 56);
  return result;
}

std::string SegmentName(std::uint64_t fid) {
  std::string digits = std::to_string(fid);
  if (digits.size() < 6) digits.insert(0, 6 - digits.size(), '0');
  return digits.append(kSuffix);
}

std::optional<std::uint64_t> ParseSegmentName(std::string_view name) {
  if (!name.ends_with(kSuffix)) return std::nullopt;
  const std::string_view digits = name.substr(0, name.size() - kSuffix.size());
  std::uint64_t fid = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), fid);
  if (error != std::errc() || end != digits.data() + digits.size() || SegmentName(fid) != name) {
    return std::nullopt;
  }
  return fid;
}

}  // namespace weir::kv
