#include "weir/kv/inspect.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "coding.h"
#include "data_directory.h"
#include "sealed_segments.h"
#include "segment_run.h"
#include "segment_survey.h"
#include "still_directory.h"
#include "whole_file.h"

namespace weir::kv {
namespace {

// The segments that MANIFEST names, read one after the other.
class Inspector {
 public:
  // Where the newest record of a key lies.
  struct Place {
    std::uint64_t seq;
    std::uint64_t fid;
    std::uint64_t offset;
    std::uint64_t size;
    bool deletes;
  };
  using Newest = std::map<std::string, Place, std::less<>>;

  Inspector(std::shared_ptr<Vfs> vfs, std::string_view directory)
      : vfs_(vfs != nullptr ? std::move(vfs) : PosixVfs()), directory_(TrimSlashes(directory)) {}

  Status Open() {
    auto lock = LockStill(*vfs_, directory_);
    if (!lock.ok()) return lock.status();
    lock_ = *std::move(lock);
    auto state = ReadManifestState(*vfs_, directory_);
    if (!state.ok()) return state.status();
    manifest_ = *std::move(state);
    return {};
  }

  // Surveys segment `fid`; what is bad in it is noted.
  Result<SegmentSurvey> Survey(std::uint64_t fid, const LiveSegment& live,
                               const std::function<void(const SurveyedRecord&)>& take) {
    const std::string name = SegmentName(fid);
    auto file = vfs_->Open(directory_ + "/" + name, OpenMode::kRead);
    if (!file.ok()) {
      if (file.status().code() != StatusCode::kNotFound) return file.status();
      damaged_.push_back({name, 0, 0, "MANIFEST names this segment, but it is missing"});
      return SegmentSurvey();
    }
    file_ = *std::move(file);
    const auto size = file_->Size();
    if (!size.ok()) return size.status();
    const std::uint64_t length = live.sealed ? std::min(live.length, *size) : *size;
    auto survey = SurveySegment(*file_, fid, length, live.end(), take);
    if (!survey.ok()) return survey.status();
    for (const BadPlace& place : survey->bad) {
      damaged_.push_back({name, place.offset, place.size, place.what});
    }
    return survey;
  }

  Result<Newest> FindNewest() {
    Newest newest;
    for (const auto& [fid, live] : manifest_.segments) {
      const auto survey = Survey(fid, live, [&, id = fid](const SurveyedRecord& record) {
        const Place place{.seq = record.head.seq,
                          .fid = id,
                          .offset = record.offset,
                          .size = record.head.size(),
                          .deletes = record.head.type() == RecordType::kDeleted};
        const auto [at, added] = newest.try_emplace(std::string(record.key), place);
        const auto rank = [](const Place& p) { return std::tie(p.seq, p.fid, p.offset); };
        if (!added && rank(place) > rank(at->second)) at->second = place;
      });
      if (!survey.ok()) return survey.status();
    }
    return newest;
  }

  // Reads the record of `size` bytes at `offset` of `file`, which has been found intact there.
  Status Read(File& file, std::uint64_t fid, std::uint64_t offset, std::uint64_t size,
              const std::function<void(const StoredRecord&)>& take) {
    buffer_.resize(size);
    const auto read = file.Read(offset, buffer_.data(), buffer_.size());
    if (!read.ok()) return read.status();
    const std::string_view bytes = std::string_view(buffer_).substr(0, *read);
    const auto head = DecodeRecordHead(bytes.substr(0, kMaxRecordHead), bytes.size());
    if (!head || head->size() != size || !RecordIsIntact(bytes, fid, offset)) {
      return DataLoss(directory_ + "/" + SegmentName(fid) + ": changed while it was read");
    }
    StoredRecord record{.fid = fid,
                        .offset = offset,
                        .bytes = size,
                        .seq = head->seq,
                        .deletes = head->type() == RecordType::kDeleted,
                        .in_batch = head->in_batch(),
                        .key = bytes.substr(head->head_size, head->key_size),
                        .value = bytes.substr(head->head_size + head->key_size)};
    if (head->has_expiry()) (void)TakeVarint(record.value, kMaxVarint64, record.expiry_ms);
    take(record);
    return {};
  }

  Vfs& vfs() noexcept { return *vfs_; }
  const std::string& directory() const noexcept { return directory_; }
  const ManifestState& manifest() const noexcept { return manifest_; }
  File& file() noexcept { return *file_; }  // the last that was surveyed
  std::vector<DamagedPlace>& damaged() noexcept { return damaged_; }

 private:
  const std::shared_ptr<Vfs> vfs_;
  const std::string directory_;
  std::unique_ptr<FileLock> lock_;
  ManifestState manifest_;
  std::unique_ptr<File> file_;
  std::vector<DamagedPlace> damaged_;
  std::string buffer_;
};

Status ReadNewest(Inspector& inspector, const RecordQuery& query,
                  const std::function<void(const StoredRecord&)>& take) {
  const auto newest = inspector.FindNewest();
  if (!newest.ok()) return newest.status();
  std::map<std::uint64_t, std::unique_ptr<File>> files;
  for (auto at = newest->lower_bound(query.prefix); at != newest->end(); ++at) {
    if (!at->first.starts_with(query.prefix)) break;
    const Inspector::Place& place = at->second;
    if (place.deletes || (query.fid && place.fid != *query.fid)) continue;
    auto& file = files[place.fid];
    if (file == nullptr) {
      auto opened = inspector.vfs().Open(inspector.directory() + "/" + SegmentName(place.fid),
                                         OpenMode::kRead);
      if (!opened.ok()) return opened.status();
      file = *std::move(opened);
    }
    if (Status status = inspector.Read(*file, place.fid, place.offset, place.size, take);
        !status.ok()) {
      return status;
    }
  }
  return {};
}

Status ReadEvery(Inspector& inspector, const RecordQuery& query,
                 const std::function<void(const StoredRecord&)>& take) {
  for (const auto& [fid, live] : inspector.manifest().segments) {
    if (query.fid && fid != *query.fid) continue;
    Status status;
    const auto survey = inspector.Survey(fid, live, [&, id = fid](const SurveyedRecord& record) {
      if (!status.ok() || !record.key.starts_with(query.prefix)) return;
      status = inspector.Read(inspector.file(), id, record.offset, record.head.size(), take);
    });
    if (!survey.ok()) return survey.status();
    if (!status.ok()) return status;
  }
  return {};
}

}  // namespace

Result<std::vector<DamagedPlace>> ReadRecords(
    const std::string& directory, const RecordQuery& query,
    const std::function<void(const StoredRecord&)>& take) {
  Inspector inspector(query.vfs, directory);
  if (Status status = inspector.Open(); !status.ok()) return status;
  if (query.fid && !inspector.manifest().segments.contains(*query.fid)) {
    return NotFound(directory + ": has no segment " + std::to_string(*query.fid));
  }
  Status status =
      query.newest_only ? ReadNewest(inspector, query, take) : ReadEvery(inspector, query, take);
  if (!status.ok()) return status;
  return std::move(inspector.damaged());
}

Result<Inspection> InspectDirectory(const std::string& directory, std::shared_ptr<Vfs> vfs) {
  Inspector inspector(std::move(vfs), directory);
  if (Status status = inspector.Open(); !status.ok()) return status;
  const auto newest = inspector.FindNewest();
  if (!newest.ok()) return newest.status();
  inspector.damaged().clear();  // the second reading finds it again
  std::map<std::uint64_t, std::uint64_t> live_bytes;
  Inspection result;
  for (const auto& [key, place] : *newest) {
    if (place.deletes) continue;
    ++result.keys;
    live_bytes[place.fid] += place.size;
  }
  const ManifestState& manifest = inspector.manifest();
  result.store_id = ToHex(manifest.store_id);
  result.last_seq = manifest.change_floor - 1;
  result.first_change = manifest.change_floor;
  result.time_floor_ms = manifest.time_floor_ms;
  result.next_fid = manifest.next_fid;
  result.dropped_segments = manifest.dropped.size();
  const std::string path = inspector.directory() + "/" + std::string(kManifestName);
  const auto file = inspector.vfs().Open(path, OpenMode::kRead);
  if (!file.ok()) return file.status();
  const auto size = (*file)->Size();
  if (!size.ok()) return size.status();
  result.manifest_bytes = *size;
  for (const auto& [fid, live] : manifest.segments) {
    const auto survey = inspector.Survey(fid, live, [](const auto&) {});
    if (!survey.ok()) return survey.status();
    InspectedSegment segment{.fid = fid,
                             .merged = live.kind == SegmentKind::kMerged,
                             .sealed = live.sealed,
                             .bytes = live.sealed ? live.length : survey->good_length,
                             .live_bytes = live_bytes[fid],
                             .records = survey->records};
    if (survey->records > 0) {
      segment.min_seq = survey->min_seq;
      segment.max_seq = survey->max_seq;
    }
    if (live.sealed) {
      const auto hint =
          OpenHint(inspector.vfs(), inspector.directory(), manifest.store_id, fid, live);
      segment.hint = hint.ok()                                       ? HintState::kGood
                     : hint.status().code() == StatusCode::kNotFound ? HintState::kNone
                                                                     : HintState::kBad;
    }
    result.last_seq = std::max(result.last_seq, segment.max_seq);
    result.segments.push_back(segment);
  }
  result.damaged = std::move(inspector.damaged());
  return result;
}

Result<std::uint64_t> RebuildHints(
    const std::string& directory, std::shared_ptr<Vfs> vfs,
    const std::function<void(std::uint64_t done, std::uint64_t total)>& progress) {
  if (vfs == nullptr) vfs = PosixVfs();
  const auto held = DataDirectory::Acquire(vfs, std::string(TrimSlashes(directory)), false);
  if (!held.ok()) return held.status();
  const auto state = ReadManifestState(*vfs, (*held)->path());
  if (!state.ok()) return state.status();
  std::uint64_t total = 0;
  std::uint64_t done = 0;
  std::uint64_t count = 0;
  for (const auto& [fid, live] : state->segments) total += live.length;
  for (const auto& [fid, live] : state->segments) {
    if (!live.sealed) continue;
    if (progress) progress(done, total);
    SegmentFacts facts;
    facts.fid = fid;
    facts.kind = live.kind;
    facts.length = live.length;
    facts.crc = live.crc;
    if (Status status = WriteHint(*vfs, (*held)->path(), state->store_id, facts, Durability::kNow);
        !status.ok()) {
      return status;
    }
    done += live.length;
    ++count;
  }
  if (progress) progress(total, total);
  return count;
}

}  // namespace weir::kv
