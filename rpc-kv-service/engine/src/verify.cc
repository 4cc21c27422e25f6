#include <algorithm>
#include <map>

#include "data_directory.h"
#include "segment_run.h"
#include "segment_survey.h"
#include "still_directory.h"
#include "weir/kv/repair.h"
#include "whole_file.h"

namespace weir::kv {
namespace {

// One verification, while it runs.
class Verifier {
 public:
  Verifier(std::shared_ptr<Vfs> vfs, const std::string& directory, const VerifyOptions& options)
      : vfs_(std::move(vfs)), directory_(TrimSlashes(directory)), options_(options) {}

  Result<Verification> Run();

 private:
  Status ReadManifest();
  Status FindFiles();
  Status Verify(std::uint64_t fid, const LiveSegment* live);
  Status VerifyUnnamed(std::uint64_t fid, std::uint64_t size);
  void VerifyTail(const std::string& name, const SegmentSurvey& survey);
  void VerifyChain(const std::string& name, const SegmentHeader& header);
  void VerifyHint(std::uint64_t fid, const LiveSegment& live);
  bool IsFirstLog(std::uint64_t fid) const;
  void Damaged(const std::string& file, std::uint64_t offset, std::uint64_t bytes,
               std::string what) {
    result_.damaged.push_back({file, offset, bytes, std::move(what)});
  }

  const std::shared_ptr<Vfs> vfs_;
  const std::string directory_;
  const VerifyOptions& options_;
  Verification result_;
  ManifestState manifest_;
  bool has_manifest_ = false;
  std::map<std::uint64_t, std::uint64_t> files_;  // segments that are there, and their sizes
  std::uint64_t total_ = 0;
};

Result<Verification> Verifier::Run() {
  const auto lock = LockStill(*vfs_, directory_);
  if (!lock.ok()) return lock.status();
  if (Status status = FindFiles(); !status.ok()) return status;
  if (Status status = ReadManifest(); !status.ok()) return status;
  for (const auto& [fid, live] : manifest_.segments) {
    if (!files_.contains(fid)) {
      Damaged(SegmentName(fid), 0, 0, "MANIFEST names this segment, but it is missing");
    } else if (Status status = Verify(fid, &live); !status.ok()) {
      return status;
    }
  }
  for (const auto& [fid, size] : files_) {
    if (manifest_.segments.contains(fid)) continue;
    if (Status status = has_manifest_ ? VerifyUnnamed(fid, size) : Verify(fid, nullptr);
        !status.ok()) {
      return status;
    }
  }
  return std::move(result_);
}

// As recovery decides: a crash leaves what MANIFEST has dropped, what a merge was writing, and new
// segments without records. Anything else holds commits that MANIFEST has lost.
Status Verifier::VerifyUnnamed(std::uint64_t fid, std::uint64_t size) {
  const std::string name = SegmentName(fid);
  if (manifest_.dropped.contains(fid)) {
    result_.notes.push_back(name + ": was merged away and only not removed yet");
    return {};
  }
  const auto file = vfs_->Open(directory_ + "/" + name, OpenMode::kRead);
  if (!file.ok()) return file.status();
  std::string bytes(kSegmentHeaderSize, '\0');
  const auto read = (*file)->Read(0, bytes.data(), bytes.size());
  if (!read.ok()) return read.status();
  const auto [header, error] = DecodeSegmentHeader(std::string_view(bytes).substr(0, *read));
  const bool known = fid < manifest_.next_fid;
  if (known && (!error.empty() || size <= kSegmentHeaderSize)) {
    result_.notes.push_back(name + ": a crash left it before it was used");
  } else if (known && header.kind == SegmentKind::kMerged &&
             header.store_id == manifest_.store_id && header.fid == fid) {
    result_.notes.push_back(name + ": a merge that did not come to its end was writing it");
  } else {
    Damaged(name, 0, size, "MANIFEST does not name this segment: it is damaged or too old");
  }
  return {};
}

Status Verifier::FindFiles() {
  const auto names = vfs_->List(directory_);
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    if (name == kManifestName) has_manifest_ = true;
    const auto fid = ParseSegmentName(name);
    if (!fid) continue;
    const auto file = vfs_->Open(directory_ + "/" + name, OpenMode::kRead);
    if (!file.ok()) return file.status();
    const auto size = (*file)->Size();
    if (!size.ok()) return size.status();
    files_[*fid] = *size;
    total_ += *size;
  }
  if (!has_manifest_ && files_.empty()) return NotFound(directory_ + ": holds no store");
  return {};
}

Status Verifier::ReadManifest() {
  const std::string name(kManifestName);
  if (!has_manifest_) {
    Damaged(name, 0, 0, "is missing");
    return {};
  }
  const auto bytes = ReadWholeFile(*vfs_, directory_ + "/" + name, kMaxManifestSize);
  if (!bytes.ok()) return bytes.status();
  ParsedManifest parsed = ParseManifest(*bytes);
  if (!parsed.error.empty()) {
    Damaged(name, 0, 0, parsed.error);
    has_manifest_ = false;
    return {};
  }
  if (parsed.length < bytes->size()) {
    result_.notes.push_back(name + ": the last edit was cut off, so it never counted");
  }
  manifest_ = std::move(parsed.state);
  result_.store_id = ToHex(manifest_.store_id);
  result_.last_seq = manifest_.change_floor - 1;
  return {};
}

Status Verifier::Verify(std::uint64_t fid, const LiveSegment* live) {
  const std::string name = SegmentName(fid);
  const auto file = vfs_->Open(directory_ + "/" + name, OpenMode::kRead);
  if (!file.ok()) return file.status();
  const std::uint64_t size = files_[fid];
  const auto survey = SurveySegment(**file, fid, size,
                                    live != nullptr ? live->end()
                                    : has_manifest_ ? SegmentEnd::kSealed
                                                    : SegmentEnd::kOpen,
                                    [](const auto&) {});
  if (!survey.ok()) return survey.status();
  ++result_.segments;
  result_.records += survey->records;
  result_.bytes += size;
  result_.last_seq = std::max(result_.last_seq, survey->max_seq);
  if (options_.progress) options_.progress(result_.bytes, total_);
  const SegmentHeader& header = survey->header;
  if (survey->header_error.empty() && has_manifest_ &&
      (header.store_id != manifest_.store_id || header.fid != fid)) {
    Damaged(name, 0, kSegmentHeaderSize,
            "belongs to store " + ToHex(header.store_id) + " as " + SegmentName(header.fid));
    return {};
  }
  if (live != nullptr && !live->sealed) {
    VerifyTail(name, *survey);
  } else {
    for (const BadPlace& place : survey->bad) Damaged(name, place.offset, place.size, place.what);
  }
  if (!survey->header_error.empty() || live == nullptr) return {};
  if (header.kind != live->kind) Damaged(name, 0, kSegmentHeaderSize, "is of another kind");
  if (header.kind == SegmentKind::kLog) VerifyChain(name, header);
  if (!live->sealed) return {};
  if (size != live->length) {
    Damaged(name, std::min(size, live->length),
            std::max(size, live->length) - std::min(size, live->length),
            "MANIFEST has sealed " + std::to_string(live->length) + " bytes, the file has " +
                std::to_string(size));
  } else if (survey->bad.empty() && survey->good_crc != live->crc) {
    Damaged(name, 0, size, "the contents are not those that MANIFEST has sealed");
  }
  VerifyHint(fid, *live);
  return {};
}

// As recovery decides: a bad end is a torn write only if nothing good is behind it, and if it is
// not before what a durable mark vouches for.
void Verifier::VerifyTail(const std::string& name, const SegmentSurvey& survey) {
  std::uint64_t end = survey.good_length;
  for (const BadPlace& place : survey.bad) {
    if (place.offset == end) end += place.size;
  }
  const bool torn =
      survey.header_error.empty() && end == survey.end && survey.good_length >= survey.durable;
  for (const BadPlace& place : survey.bad) {
    if (torn) {
      result_.notes.push_back(ToString(DamagedPlace{name, place.offset, place.size, place.what}) +
                              "; it is the torn end of the last write, which an open sets aside");
    } else {
      Damaged(name, place.offset, place.size, place.what);
    }
  }
}

bool Verifier::IsFirstLog(std::uint64_t fid) const {
  for (const auto& [other, live] : manifest_.segments) {
    if (live.kind == SegmentKind::kLog) return other == fid;
  }
  return false;
}

void Verifier::VerifyChain(const std::string& name, const SegmentHeader& header) {
  if (manifest_.dropped.contains(header.previous_fid)) return;
  if (header.previous_fid == 0 && IsFirstLog(header.fid)) return;
  const auto previous = manifest_.segments.find(header.previous_fid);
  if (previous == manifest_.segments.end() || !previous->second.sealed ||
      previous->second.length != header.previous_length ||
      previous->second.crc != header.previous_crc) {
    Damaged(name, 0, kSegmentHeaderSize,
            "was written behind " + SegmentName(header.previous_fid) + " with " +
                std::to_string(header.previous_length) + " bytes, which MANIFEST does not know");
  }
}

void Verifier::VerifyHint(std::uint64_t fid, const LiveSegment& live) {
  auto hint = OpenHint(*vfs_, directory_, manifest_.store_id, fid, live);
  Status status = hint.status();
  if (hint.ok()) {
    const auto run = Hint::NewRun(*std::move(hint));
    while (run->Next()) continue;
    status = run->status();
  }
  if (status.ok()) {
    ++result_.hints;
  } else if (status.code() != StatusCode::kNotFound) {
    result_.notes.push_back(std::string(status.message()) + "; an open makes it anew");
  }
}

}  // namespace

Result<Verification> VerifyDirectory(const std::string& directory, const VerifyOptions& options) {
  return Verifier(options.vfs != nullptr ? options.vfs : PosixVfs(), directory, options).Run();
}

}  // namespace weir::kv
