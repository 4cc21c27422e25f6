#include "salvage_writer.h"

#include "coding.h"
#include "record.h"
#include "segment_header.h"

namespace weir::kv {
namespace {

constexpr std::size_t kWriteSize = 1 << 20;

}  // namespace

Status SalvageWriter::Add(std::uint8_t tag, std::uint64_t seq, std::string_view key,
                          std::string_view value) {
  const std::uint64_t size = RecordSize(seq, key.size(), value.size());
  if (file_ != nullptr && end() > kSegmentHeaderSize && end() + size > segment_size_) {
    if (Status status = Finish(); !status.ok()) return status;
  }
  if (file_ == nullptr) {
    if (Status status = Start(); !status.ok()) return status;
  }
  const std::string record = EncodeRecord(fid_, end(), tag, seq, key, value);
  crc_.Extend(LoadFixed<std::uint32_t>(record.data()));
  pending_.append(record);
  return pending_.size() >= kWriteSize ? WriteOut() : Status();
}

Status SalvageWriter::Finish() {
  if (file_ == nullptr) return {};
  if (Status status = WriteOut(); !status.ok()) return status;
  if (Status status = file_->Sync(); !status.ok()) return status;
  manifest_.segments[fid_] = {
      .kind = SegmentKind::kMerged, .sealed = true, .length = written_, .crc = crc_.Value()};
  file_.reset();
  return {};
}

Status SalvageWriter::Start() {
  fid_ = manifest_.next_fid++;
  auto file = vfs_.Open(directory_.PathOf(SegmentName(fid_)), OpenMode::kCreateNew);
  if (!file.ok()) return file.status();
  file_ = *std::move(file);
  SegmentHeader header;
  header.store_id = manifest_.store_id;
  header.fid = fid_;
  header.kind = SegmentKind::kMerged;
  written_ = 0;
  pending_ = EncodeSegmentHeader(header);
  crc_ = Crc32c();
  crc_.Extend(pending_);
  return {};
}

Status SalvageWriter::WriteOut() {
  const std::string_view piece = pending_;
  if (Status status = file_->Write(written_, {&piece, 1}); !status.ok()) return status;
  written_ += pending_.size();
  pending_.clear();
  return {};
}

}  // namespace weir::kv
