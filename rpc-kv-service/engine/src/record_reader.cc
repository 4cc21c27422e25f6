#include "record_reader.h"

#include "coding.h"
#include "record.h"

namespace weir::kv {
namespace {

Status BadRecord(const SegmentTable& segments, const Location& location, std::string_view what) {
  return DataLoss(segments.PathOf(segments.at(location.slot)->fid()) + ": at offset " +
                  std::to_string(location.offset) + ": " + std::string(what) +
                  "; restore this file from a backup");
}

}  // namespace

Status ReadRecord(const SegmentTable& segments, const Location& location, std::string_view key,
                  ReadBuffer& buffer, RecordView* record) {
  std::string_view bytes;
  if (Status status = segments.Read(location, buffer, &bytes); !status.ok()) return status;
  const auto head = DecodeRecordHead(bytes.substr(0, kMaxRecordHead), location.size);
  if (!head || head->size() != location.size ||
      !RecordIsIntact(bytes, segments.at(location.slot)->fid(), location.offset)) {
    return BadRecord(segments, location, "the record is damaged");
  }
  if (bytes.substr(head->head_size, head->key_size) != key) {
    return BadRecord(segments, location, "another key's record is there");
  }
  record->seq = head->seq;
  record->expiry_ms = 0;
  record->value = bytes.substr(head->head_size + head->key_size);
  if (head->has_expiry() && !TakeVarint(record->value, kMaxVarint64, record->expiry_ms)) {
    return BadRecord(segments, location, "the record has no expiry");
  }
  return {};
}

}  // namespace weir::kv
