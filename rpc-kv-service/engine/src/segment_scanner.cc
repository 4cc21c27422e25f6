#include "segment_scanner.h"

#include <algorithm>

#include "coding.h"

namespace weir::kv {

Result<std::uint64_t> EndOfContents(File& file, std::uint64_t begin, std::uint64_t end) {
  std::vector<char> chunk(std::min<std::uint64_t>(end - begin, SegmentScanner::kWindow));
  std::uint64_t found = begin;
  for (std::uint64_t at = begin; at < end;) {
    const auto read = file.Read(at, chunk.data(), std::min<std::uint64_t>(chunk.size(), end - at));
    if (!read.ok()) return read.status();
    if (*read == 0) break;
    const std::string_view bytes(chunk.data(), *read);
    if (const auto last = bytes.find_last_not_of('\0'); last != bytes.npos) found = at + last + 1;
    at += *read;
  }
  return found;
}

Result<std::string_view> SegmentScanner::View(std::uint64_t offset, std::size_t size) {
  if (offset < window_offset_ || offset + size > window_offset_ + window_.size()) {
    window_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kWindow, file_size_ - offset)));
    window_offset_ = offset;
    const auto read = file_.Read(offset, window_.data(), window_.size());
    if (!read.ok()) return read.status();
    if (*read < size) {
      return DataLoss("segment " + SegmentName(fid_) + " became shorter while it was read");
    }
    window_.resize(*read);
  }
  return std::string_view(window_.data() + (offset - window_offset_), size);
}

Result<SegmentScanner::Step> SegmentScanner::Next() {
  offset_ = end();
  head_ = {};
  if (offset_ >= file_size_) return Step::kEnd;
  const auto intact = CheckAt(offset_, 0, kMaxSeq);
  if (!intact.ok()) return intact.status();
  if (*intact) return Step::kRecord;
  if (segment_end_ == SegmentEnd::kOpen) {
    const auto contents = EndOfContents(file_, offset_, file_size_);
    if (!contents.ok()) return contents.status();
    if (*contents == offset_) return Step::kEnd;
  }
  return Step::kBad;
}

Result<bool> SegmentScanner::CheckAt(std::uint64_t offset, std::uint64_t min_seq,
                                     std::uint64_t max_seq) {
  const std::uint64_t left = file_size_ - offset;
  const auto first = View(offset, std::min<std::uint64_t>(left, kMaxRecordHead));
  if (!first.ok()) return first.status();
  const auto head = DecodeRecordHead(*first, left);
  if (!head || head->seq < min_seq || head->seq > max_seq) return false;
  if (head->size() <= kWindow) {
    const auto record = View(offset, head->size());
    if (!record.ok()) return record.status();
    if (!RecordIsIntact(*record, fid_, offset)) return false;
  } else {
    const auto intact = IsIntactStreamed(offset, *head);
    if (!intact.ok() || !*intact) return intact;
    const auto key = View(offset, head->head_size + head->key_size);
    if (!key.ok()) return key.status();
  }
  offset_ = offset;
  head_ = *head;
  return true;
}

Result<bool> SegmentScanner::IsIntactStreamed(std::uint64_t offset, const RecordHead& head) {
  Crc32c crc = RecordSeed(fid_, offset);
  const std::uint64_t record_end = offset + head.size();
  for (std::uint64_t at = offset + 4; at < record_end;) {
    const std::size_t size = std::min<std::uint64_t>(kWindow, record_end - at);
    const auto bytes = View(at, size);
    if (!bytes.ok()) return bytes.status();
    crc.Extend(*bytes);
    at += size;
  }
  return crc.Value() == head.crc;
}

std::string_view SegmentScanner::key() const noexcept {
  return {window_.data() + (offset_ - window_offset_) + head_.head_size, head_.key_size};
}

std::string_view SegmentScanner::value() const noexcept {
  if (head_.size() > kWindow) return {};
  return {key().data() + head_.key_size, head_.value_size};
}

Result<std::optional<std::uint64_t>> SegmentScanner::FindRecordBehind(std::uint64_t offset,
                                                                      std::uint64_t last_seq) {
  // Every record takes a few bytes and commits count up by one, so this bounds what is plausible;
  // without it each byte of a large tail of noise could ask for the CRC of megabytes.
  const std::uint64_t max_seq = last_seq + (file_size_ - offset);
  return Find(offset, last_seq, max_seq);
}

Result<std::optional<std::uint64_t>> SegmentScanner::FindAnyRecordBehind(std::uint64_t offset) {
  return Find(offset, 0, kMaxSeq);
}

Result<std::optional<std::uint64_t>> SegmentScanner::Find(std::uint64_t offset,
                                                          std::uint64_t min_seq,
                                                          std::uint64_t max_seq) {
  for (std::uint64_t at = offset + 1; at + kMinRecordSize <= file_size_; ++at) {
    // No tag is 0, so zeroes, of which there may be many, are passed over by the window.
    const auto tag = View(at + sizeof(RecordHead::crc), 1);
    if (!tag.ok()) return tag.status();
    if (tag->front() == 0) {
      const std::string_view window(tag->data(), window_.size() - (tag->data() - window_.data()));
      at += std::min(window.find_first_not_of('\0'), window.size()) - 1;
      continue;
    }
    const auto intact = CheckAt(at, min_seq, max_seq);
    if (!intact.ok()) return intact.status();
    if (*intact) return std::optional(at);
  }
  return std::optional<std::uint64_t>();
}

}  // namespace weir::kv
