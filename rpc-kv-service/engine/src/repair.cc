#include <algorithm>
#include <map>
#include <tuple>

#include "data_directory.h"
#include "new_directory.h"
#include "new_store_id.h"
#include "salvage_writer.h"
#include "segment_survey.h"
#include "still_directory.h"
#include "weir/kv/repair.h"
#include "whole_file.h"

namespace weir::kv {
namespace {

// One repair, while it runs.
class Salvage {
 public:
  Salvage(std::shared_ptr<Vfs> vfs, std::string from, const RepairOptions& options)
      : vfs_(std::move(vfs)), from_(TrimSlashes(from)), options_(options) {}

  Result<RepairReport> Run(const std::string& to);

 private:
  struct Source {
    std::string name;
    std::uint64_t fid = 0;  // by which its records are read
    std::unique_ptr<File> file;
    std::uint64_t size = 0;
  };
  // The newest record of a key so far.
  struct Newest {
    std::uint64_t seq;
    std::size_t source;
    std::uint64_t offset;
    std::uint32_t size;
    bool deleted;
  };

  Status FindSources();
  Status ReadManifest(bool there);
  Status ChooseStore();
  Status Survey(std::size_t source);
  void Take(std::size_t source, const SurveyedRecord& record);
  Status WriteAll(const std::string& to);
  Status Copy(const std::string& key, const Newest& newest, SalvageWriter& writer);
  void Progress(std::uint64_t more);

  const std::shared_ptr<Vfs> vfs_;
  const std::string from_;
  const RepairOptions& options_;
  RepairReport report_;
  ManifestState manifest_;  // of the damaged store, as far as it can be read
  bool knows_store_ = false;
  std::vector<Source> sources_;
  std::map<std::string, Newest> keys_;
  std::uint64_t highest_fid_ = 0;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
};

Result<RepairReport> Salvage::Run(const std::string& to) {
  const auto lock = LockStill(*vfs_, from_);
  if (!lock.ok()) return lock.status();
  if (Status status = FindSources(); !status.ok()) return status;
  if (Status status = ChooseStore(); !status.ok()) return status;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    if (Status status = Survey(i); !status.ok()) return status;
  }
  if (Status status = WriteAll(to); !status.ok()) return status;
  return std::move(report_);
}

void Salvage::Progress(std::uint64_t more) {
  done_ += more;
  if (options_.progress) options_.progress(done_, total_);
}

Status Salvage::FindSources() {
  const auto names = vfs_->List(from_);
  if (!names.ok()) return names.status();
  const bool manifest = std::find(names->begin(), names->end(), kManifestName) != names->end();
  if (Status status = ReadManifest(manifest); !status.ok()) return status;
  std::map<std::uint64_t, std::string> segments;
  for (const std::string& name : *names) {
    if (const auto fid = ParseSegmentName(name)) segments.emplace(*fid, name);
  }
  for (const auto& [fid, name] : segments) {
    highest_fid_ = std::max(highest_fid_, fid);
    if (manifest_.dropped.contains(fid)) {
      // Its deleted keys may have been forgotten since.
      report_.notes.push_back(name + ": was merged away and only not removed yet; left out");
      continue;
    }
    Source source;
    source.name = name;
    source.fid = fid;
    auto file = vfs_->Open(from_ + "/" + name, OpenMode::kRead);
    if (!file.ok()) return file.status();
    source.file = *std::move(file);
    const auto size = source.file->Size();
    if (!size.ok()) return size.status();
    source.size = *size;
    total_ += *size;
    sources_.push_back(std::move(source));
  }
  for (const auto& [fid, live] : manifest_.segments) {
    if (!segments.contains(fid)) {
      report_.damaged.push_back(
          {SegmentName(fid), 0, 0, "MANIFEST names this segment, but it is missing"});
      report_.lost_bytes += live.length;
    }
  }
  if (sources_.empty()) return NotFound(from_ + ": holds no segments, so there is nothing to save");
  return {};
}

Status Salvage::ReadManifest(bool there) {
  if (!there) {
    report_.damaged.push_back({std::string(kManifestName), 0, 0, "is missing"});
    return {};
  }
  const std::string path = from_ + "/" + std::string(kManifestName);
  const auto bytes = ReadWholeFile(*vfs_, path, kMaxManifestSize);
  if (!bytes.ok()) {
    if (bytes.status().code() != StatusCode::kDataLoss) return bytes.status();
    report_.damaged.push_back({std::string(kManifestName), 0, 0, "is too large to be one"});
    return {};
  }
  ParsedManifest parsed = ParseManifest(*bytes);
  if (!parsed.error.empty()) {
    report_.damaged.push_back({std::string(kManifestName), 0, 0, parsed.error});
  }
  // Also of a damaged one: its first edits are checked, and what they drop stays dropped.
  manifest_ = std::move(parsed.state);
  knows_store_ = manifest_.store_id != StoreId{};
  return {};
}

Status Salvage::ChooseStore() {
  if (knows_store_) return {};
  std::map<StoreId, int> seen;
  for (const Source& source : sources_) {
    std::string bytes(std::min<std::uint64_t>(kSegmentHeaderSize, source.size), '\0');
    const auto read = source.file->Read(0, bytes.data(), bytes.size());
    if (!read.ok()) return read.status();
    const auto [header, error] = DecodeSegmentHeader(bytes.substr(0, *read));
    if (error.empty()) ++seen[header.store_id];
  }
  int most = 0;
  for (const auto& [id, count] : seen) {
    if (count > most) manifest_.store_id = id;
    most = std::max(most, count);
  }
  knows_store_ = most > 0;
  return {};
}

Status Salvage::Survey(std::size_t source) {
  Source& from = sources_[source];
  std::string bytes(std::min<std::uint64_t>(kSegmentHeaderSize, from.size), '\0');
  const auto read = from.file->Read(0, bytes.data(), bytes.size());
  if (!read.ok()) return read.status();
  const auto [header, error] = DecodeSegmentHeader(bytes.substr(0, *read));
  if (error.empty() && knows_store_ && header.store_id != manifest_.store_id) {
    report_.notes.push_back(from.name + ": belongs to store " + ToHex(header.store_id) +
                            "; left out");
    Progress(from.size);
    return {};
  }
  const auto named = manifest_.segments.find(from.fid);
  const SegmentEnd end =
      named != manifest_.segments.end() ? named->second.end() : SegmentEnd::kOpen;
  const auto survey = SurveySegment(*from.file, from.fid, from.size, end,
                                    [&](const SurveyedRecord& record) { Take(source, record); });
  if (!survey.ok()) return survey.status();
  from.fid = survey->fid;
  highest_fid_ = std::max(highest_fid_, survey->fid);
  ++report_.segments;
  report_.records += survey->records;
  report_.last_seq = std::max(report_.last_seq, survey->max_seq);
  for (const BadPlace& place : survey->bad) {
    report_.damaged.push_back({from.name, place.offset, place.size, place.what});
    report_.lost_bytes += place.size;
  }
  if (const auto live = manifest_.segments.find(survey->fid);
      live != manifest_.segments.end() && live->second.sealed && from.size < live->second.length) {
    const std::uint64_t missing = live->second.length - from.size;
    report_.damaged.push_back({from.name, from.size, missing, "the file ends too early"});
    report_.lost_bytes += missing;
  }
  Progress(from.size);
  return {};
}

void Salvage::Take(std::size_t source, const SurveyedRecord& record) {
  const Newest found{.seq = record.head.seq,
                     .source = source,
                     .offset = record.offset,
                     .size = static_cast<std::uint32_t>(record.head.size()),
                     .deleted = record.head.type() == RecordType::kDeleted};
  const auto [at, added] = keys_.try_emplace(std::string(record.key), found);
  const auto place = [](const Newest& n) { return std::tie(n.seq, n.source, n.offset); };
  if (!added && place(found) > place(at->second)) at->second = found;
}

Status Salvage::WriteAll(const std::string& to) {
  const auto directory = NewDirectory::Begin(*vfs_, to);
  if (!directory.ok()) return directory.status();
  ManifestState written;
  written.store_id = options_.new_id || !knows_store_ ? NewStoreId() : manifest_.store_id;
  // Ids and numbers go on behind all that there were; of commits, also behind those that may have
  // been in the damaged places.
  written.next_fid = std::max(manifest_.next_fid, highest_fid_ + 1);
  written.time_floor_ms = manifest_.time_floor_ms;
  report_.last_seq = std::max(report_.last_seq, manifest_.change_floor - 1);
  const std::uint64_t lost_commits = report_.lost_bytes / kMinRecordSize;
  written.change_floor = std::min(report_.last_seq + lost_commits, kMaxSeq - 1) + 1;
  report_.store_id = ToHex(written.store_id);
  SalvageWriter writer(*vfs_, **directory, options_.segment_size, written);
  for (const auto& [key, newest] : keys_) {
    if (newest.deleted) continue;
    if (Status status = Copy(key, newest, writer); !status.ok()) return status;
    ++report_.keys;
  }
  if (Status status = writer.Finish(); !status.ok()) return status;
  return (*directory)->Finish(written, NewDirectory::Identity::kStore);
}

Status Salvage::Copy(const std::string& key, const Newest& newest, SalvageWriter& writer) {
  const Source& source = sources_[newest.source];
  std::string bytes(newest.size, '\0');
  const auto read = source.file->Read(newest.offset, bytes.data(), bytes.size());
  if (!read.ok()) return read.status();
  const auto head = DecodeRecordHead(std::string_view(bytes).substr(0, kMaxRecordHead), *read);
  if (*read < bytes.size() || !head || head->size() != bytes.size() ||
      !RecordIsIntact(bytes, source.fid, newest.offset)) {
    return DataLoss(from_ + "/" + source.name + ": at offset " + std::to_string(newest.offset) +
                    ": the record was good when it was first read, and now is not; copy the "
                    "directory to a device that can be trusted and repair the copy");
  }
  return writer.Add(head->tag & static_cast<std::uint8_t>(~kBatchBit), head->seq, key,
                    std::string_view(bytes).substr(head->head_size + head->key_size));
}

}  // namespace

std::string ToString(const DamagedPlace& place) {
  std::string text = place.file;
  if (place.bytes != 0) {
    text += ": at offset " + std::to_string(place.offset) + ": " + std::to_string(place.bytes) +
            " bytes";
  }
  return text + ": " + place.what;
}

Result<RepairReport> Repair(const std::string& from, const std::string& to,
                            const RepairOptions& options) {
  return Salvage(options.vfs != nullptr ? options.vfs : PosixVfs(), from, options).Run(to);
}

}  // namespace weir::kv
