#include "record_reader.h"

#include "coding.h"
#include "record.h"

namespace weir::kv {
namespace {

Status BadRecord(const SegmentTable& segments, const Segment& segment, const Location& location,
                 std::string_view what) {
  return DataLoss(segments.PathOf(segment.fid()) + ": at offset " +
                  std::to_string(location.offset) + ": " + std::string(what) +
                  "; restore this file from a backup");
}

// All of a small record comes from memory at the same time.
void Prefetch(std::string_view bytes) noexcept {
  constexpr std::size_t kLine = 64;
  constexpr std::size_t kMost = 8 * kLine;  // what follows is fetched in time anyway
  const std::size_t end = bytes.size() < kMost ? bytes.size() : kMost;
  for (std::size_t at = 0; at < end; at += kLine) __builtin_prefetch(bytes.data() + at);
}

}  // namespace

Status ReadRecord(const SegmentTable& segments, const Location& location, std::string_view key,
                  ReadBuffer& buffer, RecordView* record) {
  Segment& segment = *segments.at(location.slot);
  std::string_view bytes;
  if (Status status = segments.Read(segment, location, buffer, &bytes); !status.ok()) return status;
  Prefetch(bytes);
  return CheckRecord(segments, segment, location, key, bytes, record);
}

Status CheckRecord(const SegmentTable& segments, const Segment& segment, const Location& location,
                   std::string_view key, std::string_view bytes, RecordView* record) {
  const auto head = DecodeRecordHead(bytes, location.size);
  if (!head || head->size() != location.size ||
      !RecordIsIntact(bytes, segment.fid(), location.offset)) {
    return BadRecord(segments, segment, location, "the record is damaged");
  }
  if (head->type() != RecordType::kNormal || bytes.substr(head->head_size, head->key_size) != key) {
    return BadRecord(segments, segment, location, "another key's record is there");
  }
  record->seq = head->seq;
  record->expiry_ms = 0;
  record->value = bytes.substr(head->head_size + head->key_size);
  if (head->has_expiry() && !TakeVarint(record->value, kMaxVarint64, record->expiry_ms)) {
    return BadRecord(segments, segment, location, "the record has no expiry");
  }
  return {};
}

}  // namespace weir::kv
