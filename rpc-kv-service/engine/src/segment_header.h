// The first 64 bytes of every segment. They bind the file to its store, its id and the segment that
// was written before it, so that a missing or foreign file is seen.
//
//   0 magic 8 "weirseg\0" | 8 version 4 | 12 kind 1 | 13 zero 3 | 16 store id 16 | 32 fid 8
//   40 previous fid 8 | 48 previous length 8 | 56 previous crc 4 | 60 crc32c of bytes 0..59 4
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "store_id.h"

namespace weir::kv {

inline constexpr std::size_t kSegmentHeaderSize = 64;
inline constexpr std::uint32_t kSegmentVersion = 1;

enum class SegmentKind : std::uint8_t {
  kLog = 1,     // written by commits, in the order of their seq
  kMerged = 2,  // written by a merge, in the order of keys; its header names no previous segment
};

// What may follow the last record of a segment.
enum class SegmentEnd : std::uint8_t {
  kSealed,  // nothing
  kOpen,    // zeroes: space that was prepared for records to come
};

struct SegmentHeader {
  StoreId store_id{};
  std::uint64_t fid = 0;
  SegmentKind kind = SegmentKind::kLog;
  std::uint64_t previous_fid = 0;  // 0: the first of the store; the next two are then 0 as well
  std::uint64_t previous_length = 0;
  std::uint32_t previous_crc = 0;  // of the previous segment's contents, see SegmentCrc
};

std::string EncodeSegmentHeader(const SegmentHeader& header);

// Why a header is not one of this version; empty `error` means it is.
struct DecodedSegmentHeader {
  SegmentHeader header;
  std::string error;  // "is not a segment", "has a damaged header", ...
};
DecodedSegmentHeader DecodeSegmentHeader(std::string_view bytes);

// "000012.data"
std::string SegmentName(std::uint64_t fid);
// 12 from "000012.data"; nothing for any other name.
std::optional<std::uint64_t> ParseSegmentName(std::string_view name);

}  // namespace weir::kv
