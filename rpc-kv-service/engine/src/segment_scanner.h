// Reads the records of a segment one after the other and checks each.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "record.h"
#include "segment_header.h"
#include "weir/kv/vfs.h"

namespace weir::kv {

// The offset behind the last byte of [begin, end) of `file` that is not 0; `begin` if there is
// none.
Result<std::uint64_t> EndOfContents(File& file, std::uint64_t begin, std::uint64_t end);

// One thread. `file` must outlive it. Memory stays bounded whatever the sizes in the file say.
class SegmentScanner {
 public:
  enum class Step : std::uint8_t { kRecord, kEnd, kBad };

  SegmentScanner(File& file, std::uint64_t fid, std::uint64_t file_size,
                 SegmentEnd segment_end = SegmentEnd::kSealed)
      : file_(file), fid_(fid), file_size_(file_size), segment_end_(segment_end) {}

  // Goes to the next record. kEnd: the segment ends here. kBad: what begins at offset() is no
  // intact record; Next must not be called again. A failure is one of reading.
  Result<Step> Next();

  // Of the current record, after kRecord; the views until the next call.
  std::uint64_t offset() const noexcept { return offset_; }
  std::uint64_t end() const noexcept { return offset_ + head_.size(); }
  const RecordHead& head() const noexcept { return head_; }
  std::string_view key() const noexcept;
  // Empty unless the whole record is small (kWindow).
  std::string_view value() const noexcept;

  // The offset of the first intact record behind `offset`, if there is one, whose seq is at least
  // `last_seq` and no more than the bytes left allow.
  Result<std::optional<std::uint64_t>> FindRecordBehind(std::uint64_t offset,
                                                        std::uint64_t last_seq);

  // The same, whatever its seq.
  Result<std::optional<std::uint64_t>> FindAnyRecordBehind(std::uint64_t offset);

  static constexpr std::size_t kWindow = 256 * 1024;

 private:
  Result<std::optional<std::uint64_t>> Find(std::uint64_t offset, std::uint64_t min_seq,
                                            std::uint64_t max_seq);
  // Points offset_ and head_ at `offset` if an intact record is there.
  Result<bool> CheckAt(std::uint64_t offset, std::uint64_t min_seq, std::uint64_t max_seq);
  // Bytes [offset, offset + size) of the file, which has them; size <= kWindow.
  Result<std::string_view> View(std::uint64_t offset, std::size_t size);
  Result<bool> IsIntactStreamed(std::uint64_t offset, const RecordHead& head);

  File& file_;
  const std::uint64_t fid_;
  const std::uint64_t file_size_;
  const SegmentEnd segment_end_;
  std::uint64_t offset_ = kSegmentHeaderSize;
  RecordHead head_{};  // size 0 before the first record
  std::vector<char> window_;
  std::uint64_t window_offset_ = 0;
};

}  // namespace weir::kv
