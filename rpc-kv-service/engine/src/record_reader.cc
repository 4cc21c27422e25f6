#include "record_reader.h"

#include "record.h"
#include "segment_header.h"

namespace weir::kv {
namespace {

constexpr std::size_t kOnStack = 4096;

Status BadRecord(const std::string& directory, const Location& location, std::string_view what) {
  return DataLoss(directory + "/" + SegmentName(location.fid) + ": at offset " +
                  std::to_string(location.offset) + ": " + std::string(what) +
                  "; restore this file from a backup");
}

// The head of the record at `location`, read into `buffer`, if it is `key`'s and intact.
Result<RecordHead> ReadChecked(File& file, const std::string& directory, const Location& location,
                               std::string_view key, char* buffer) {
  const auto read = file.Read(location.offset, buffer, location.size);
  if (!read.ok()) return read.status();
  if (*read < location.size) return BadRecord(directory, location, "the file ends in the record");
  const std::string_view record(buffer, location.size);
  const auto head = DecodeRecordHead(record.substr(0, kMaxRecordHead), location.size);
  if (!head || head->size() != location.size ||
      !RecordIsIntact(record, location.fid, location.offset)) {
    return BadRecord(directory, location, "the record is damaged");
  }
  if (record.substr(head->head_size, head->key_size) != key) {
    return BadRecord(directory, location, "another key's record is there");
  }
  return *head;
}

}  // namespace

Status ReadValue(SegmentFiles& files, const std::string& directory, const Location& location,
                 std::string_view key, std::string* value) {
  const auto file = files.Get(location.fid);
  if (!file.ok()) return file.status();
  if (location.size <= kOnStack) {
    char buffer[kOnStack];
    const auto head = ReadChecked(**file, directory, location, key, buffer);
    if (!head.ok()) return head.status();
    value->assign(buffer + head->head_size + head->key_size, head->value_size);
    return {};
  }
  std::string record(location.size, '\0');
  const auto head = ReadChecked(**file, directory, location, key, record.data());
  if (!head.ok()) return head.status();
  record.erase(0, head->head_size + head->key_size);
  *value = std::move(record);
  return {};
}

}  // namespace weir::kv
