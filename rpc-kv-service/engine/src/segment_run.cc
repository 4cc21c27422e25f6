#include "segment_run.h"

#include "parallel.h"
#include "segment_keys.h"
#include "weir/log.h"

namespace weir::kv {
namespace {

// Which field says that the hint was made for other contents, or nothing.
std::string Mismatch(const Hint& hint, const StoreId& store_id, std::uint64_t fid,
                     const LiveSegment& live) {
  const SegmentFacts& facts = hint.facts();
  if (hint.store_id() != store_id) return "belongs to store " + ToHex(hint.store_id());
  if (facts.fid != fid) return "belongs to " + SegmentName(facts.fid);
  if (facts.kind != live.kind) return "was made for another kind of segment";
  if (facts.length != live.length) {
    return "was made for " + std::to_string(facts.length) + " bytes, the segment has " +
           std::to_string(live.length);
  }
  if (facts.crc != live.crc) return "was made for other contents";
  return {};
}

struct OpenedSegment {
  std::unique_ptr<File> file;
  std::string path;
  std::uint64_t size = 0;
  LiveSegment live;
};

Result<OpenedSegment> OpenClosed(Vfs& vfs, const std::string& directory,
                                 const SegmentFacts& facts) {
  OpenedSegment opened;
  opened.path = directory + "/" + SegmentName(facts.fid);
  auto file = vfs.Open(opened.path, OpenMode::kRead);
  if (!file.ok()) return file.status();
  const auto size = (*file)->Size();
  if (!size.ok()) return size.status();
  opened.file = *std::move(file);
  opened.size = *size;
  opened.live = {.kind = facts.kind, .sealed = true, .length = facts.length, .crc = facts.crc};
  return opened;
}

}  // namespace

Result<std::shared_ptr<const Hint>> OpenHint(Vfs& vfs, const std::string& directory,
                                             const StoreId& store_id, std::uint64_t fid,
                                             const LiveSegment& live) {
  const std::string path = directory + "/" + HintName(fid);
  auto mapping = vfs.Map(path);
  if (!mapping.ok()) return mapping.status();
  struct Mappings {
    std::unique_ptr<Mapping> hint;
    std::unique_ptr<Mapping> segment;
  };
  auto owner = std::make_shared<Mappings>();
  owner->hint = *std::move(mapping);
  const std::string_view bytes = owner->hint->bytes();
  std::string_view segment;
  if (Hint::IsOrdered(bytes)) {
    auto mapped = vfs.Map(directory + "/" + SegmentName(fid));
    if (!mapped.ok()) return mapped.status();
    owner->segment = *std::move(mapped);
    segment = owner->segment->bytes();
  }
  auto [hint, error] = Hint::Parse(bytes, std::move(owner), segment);
  if (error.empty()) error = Mismatch(*hint, store_id, fid, live);
  if (!error.empty()) return DataLoss(path + ": " + error);
  return std::move(hint);
}

Result<ScannedSegment> ScanSegment(File& file, const std::string& path, std::uint64_t fid,
                                   std::uint64_t file_size, const LiveSegment& live,
                                   const StoreId& store_id, std::uint64_t last_seq) {
  SegmentKeys keys;
  auto replayed = ReplaySegment(file, path, fid, file_size, live, store_id, last_seq, keys);
  if (!replayed.ok()) return replayed.status();
  const SegmentPosition& end = replayed->position;
  HintBuilder builder;
  keys.ForEachNewest([&builder](const RunEntry& entry) { builder.Add(entry); });
  builder.Finish(store_id, {.fid = fid,
                            .kind = live.kind,
                            .length = end.length,
                            .crc = end.crc.Value(),
                            .min_seq = end.min_seq,
                            .max_seq = end.max_seq});
  auto bytes = std::make_shared<const std::string>(std::move(builder.bytes()));
  const std::string_view view = *bytes;
  auto [hint, error] = Hint::Parse(view, std::move(bytes));
  if (!error.empty()) return Internal(path + ": what was read of it " + error);
  return ScannedSegment{*std::move(replayed), std::move(hint)};
}

Result<std::unique_ptr<KeyRun>> OpenRun(Vfs& vfs, const std::string& directory,
                                        const StoreId& store_id, const SegmentFacts& facts) {
  const LiveSegment live{
      .kind = facts.kind, .sealed = true, .length = facts.length, .crc = facts.crc};
  auto hint = OpenHint(vfs, directory, store_id, facts.fid, live);
  if (hint.ok()) return Hint::NewRun(*std::move(hint));
  if (hint.status().code() != StatusCode::kNotFound) {
    LogWarning(std::string(hint.status().message()) + "; reading the segment instead");
  }
  auto opened = OpenClosed(vfs, directory, facts);
  if (!opened.ok()) return opened.status();
  auto scanned =
      ScanSegment(*opened->file, opened->path, facts.fid, opened->size, opened->live, store_id, 0);
  if (!scanned.ok()) return scanned.status();
  return Hint::NewRun(std::move(scanned->hint));
}

Status WriteHint(Vfs& vfs, const std::string& directory, const StoreId& store_id,
                 const SegmentFacts& facts, Durability durability) {
  const auto opened = OpenClosed(vfs, directory, facts);
  if (!opened.ok()) return opened.status();
  SegmentKeys keys;
  const auto replayed = ReplaySegment(*opened->file, opened->path, facts.fid, opened->size,
                                      opened->live, store_id, 0, keys);
  if (!replayed.ok()) return replayed.status();
  const auto writer = HintWriter::Create(vfs, directory, facts.fid, facts.kind);
  if (!writer.ok()) return writer.status();
  Status status;
  keys.ForEachNewest([&](const RunEntry& entry) {
    if (status.ok()) status = (*writer)->Add(entry);
  });
  if (!status.ok()) return status;
  SegmentFacts found = facts;
  found.min_seq = replayed->position.min_seq;
  found.max_seq = replayed->position.max_seq;
  return (*writer)->Finish(store_id, found, durability);
}

bool HasHint(Vfs& vfs, const std::string& directory, std::uint64_t fid) {
  return vfs.Inode(directory + "/" + HintName(fid)).ok();
}

void WriteMissingHints(Vfs& vfs, const std::string& directory, const StoreId& store_id,
                       const SegmentTable& segments, std::size_t threads,
                       std::uint64_t most_bytes) {
  std::vector<std::shared_ptr<Segment>> missing;
  for (auto& segment : segments.List()) {
    if (!segment->sealed() || HasHint(vfs, directory, segment->fid())) continue;
    if (segment->facts().length > most_bytes) break;
    most_bytes -= segment->facts().length;
    missing.push_back(std::move(segment));
  }
  InParallel(missing.size(), threads, [&](std::size_t i) {
    const SegmentFacts& facts = missing[i]->facts();
    if (Status status = WriteHint(vfs, directory, store_id, facts); !status.ok()) {
      LogWarning(directory + ": no hint for " + SegmentName(facts.fid) + ": " +
                 std::string(status.message()));
    }
  });
}

}  // namespace weir::kv
