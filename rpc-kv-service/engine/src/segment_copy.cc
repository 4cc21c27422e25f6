#include "segment_copy.h"

#include <algorithm>

#include "segment_scanner.h"

namespace weir::kv {
namespace {

constexpr std::uint64_t kChunk = 1 << 20;

Status Damaged(const std::string& path, std::uint64_t offset, std::string_view what) {
  return DataLoss(path + ": at offset " + std::to_string(offset) + ": " + std::string(what) +
                  "; restore this file from a backup");
}

Status Check(File& file, const std::string& path, const StoreId& store_id, std::uint64_t fid,
             const LiveSegment& live) {
  const auto size = file.Size();
  if (!size.ok()) return size.status();
  if (*size < live.length) {
    return Damaged(path, *size,
                   "the file ends, but " + std::to_string(live.length) + " bytes belong to it");
  }
  std::string bytes(kSegmentHeaderSize, '\0');
  const auto read = file.Read(0, bytes.data(), bytes.size());
  if (!read.ok()) return read.status();
  bytes.resize(*read);
  const auto [header, error] = DecodeSegmentHeader(bytes);
  if (!error.empty()) return Damaged(path, 0, error);
  if (header.store_id != store_id || header.fid != fid || header.kind != live.kind) {
    return Damaged(path, 0, "another segment is there");
  }
  Crc32c crc;
  crc.Extend(bytes);
  SegmentScanner scanner(file, fid, live.length);
  while (true) {
    const auto step = scanner.Next();
    if (!step.ok()) return step.status();
    if (*step == SegmentScanner::Step::kEnd) break;
    if (*step == SegmentScanner::Step::kBad) {
      return Damaged(path, scanner.offset(), "the record is damaged");
    }
    crc.Extend(scanner.head().crc);
  }
  if (crc.Value() != live.crc) {
    return Damaged(path, 0, "the contents are not those that were sealed");
  }
  return {};
}

}  // namespace

Status CheckSealedSegment(Vfs& vfs, const std::string& path, const StoreId& store_id,
                          std::uint64_t fid, const LiveSegment& live) {
  const auto file = vfs.Open(path, OpenMode::kRead);
  if (!file.ok()) return file.status();
  return Check(**file, path, store_id, fid, live);
}

Status CopySealedSegment(Vfs& vfs, const std::string& from, const std::string& to,
                         const StoreId& store_id, std::uint64_t fid, const LiveSegment& live) {
  const auto source = vfs.Open(from, OpenMode::kRead);
  if (!source.ok()) return source.status();
  const auto copy = vfs.Open(to, OpenMode::kCreateNew);
  if (!copy.ok()) return copy.status();
  std::string chunk;
  for (std::uint64_t at = 0; at < live.length; at += chunk.size()) {
    chunk.resize(std::min(live.length - at, kChunk));
    const auto read = (*source)->Read(at, chunk.data(), chunk.size());
    if (!read.ok()) return read.status();
    if (*read < chunk.size()) return Damaged(from, at + *read, "the file ends too early");
    const std::string_view piece = chunk;
    if (Status status = (*copy)->Write(at, {&piece, 1}); !status.ok()) return status;
  }
  if (Status status = (*copy)->Sync(); !status.ok()) return status;
  (*copy)->DropCache();
  // The copy is what counts; but if it is bad, it most often is because the original is.
  Status checked = Check(**copy, to, store_id, fid, live);
  if (checked.code() != StatusCode::kDataLoss) return checked;
  if (Status original = Check(**source, from, store_id, fid, live); !original.ok()) return original;
  return checked;
}

}  // namespace weir::kv
