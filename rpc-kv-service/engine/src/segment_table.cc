#include "segment_table.h"

#include <utility>

#include "hint_file.h"
#include "weir/log.h"

namespace weir::kv {

SegmentTable::SegmentTable(Vfs& vfs, std::string directory, const Options& options, Epochs& epochs)
    : vfs_(vfs),
      directory_(std::move(directory)),
      epochs_(epochs),
      files_(vfs, directory_, options.max_open_files) {}

SegmentTable::~SegmentTable() {
  for (auto& chunk : chunks_) delete chunk.load();
}

std::shared_ptr<Segment> SegmentTable::Insert(std::uint64_t fid, SegmentKind kind) {
  std::uint32_t slot = next_slot_;
  if (!free_slots_.empty()) {
    slot = free_slots_.back();
    free_slots_.pop_back();
  } else {
    ++next_slot_;
  }
  auto segment = std::make_shared<Segment>(fid, kind, slot);
  auto& chunk = chunks_[slot / kChunk];
  if (chunk.load() == nullptr) chunk.store(new Chunk());
  (*chunk.load())[slot % kChunk].store(segment.get(), std::memory_order_release);
  segments_[fid] = segment;
  return segment;
}

std::shared_ptr<Segment> SegmentTable::AddActive(std::uint64_t fid, std::shared_ptr<File> file) {
  const std::lock_guard lock(mutex_);
  files_.SetActive(fid, std::move(file));
  return Insert(fid, SegmentKind::kLog);
}

void SegmentTable::Seal(const SegmentFacts& facts) {
  {
    const std::lock_guard lock(mutex_);
    Segment& segment = *segments_.at(facts.fid);
    segment.facts_ = facts;
    segment.sealed_.store(true, std::memory_order_release);
  }
  if (seal_listener_) seal_listener_();
}

std::shared_ptr<Segment> SegmentTable::AddSealed(const SegmentFacts& facts) {
  const std::lock_guard lock(mutex_);
  auto segment = Insert(facts.fid, facts.kind);
  segment->facts_ = facts;
  segment->sealed_.store(true, std::memory_order_release);
  return segment;
}

void SegmentTable::Drop(std::uint64_t fid, SnapshotId next_snapshot) {
  const std::lock_guard lock(mutex_);
  const auto at = segments_.find(fid);
  dropped_.push_back({std::move(at->second), next_snapshot});
  segments_.erase(at);
}

void SegmentTable::Reclaim(const Snapshots& snapshots) {
  std::vector<std::shared_ptr<Segment>> gone;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(dropped_, [&](Dropped& dropped) {
      if (snapshots.AnyBelow(dropped.next_snapshot) || dropped.segment.use_count() > 1)
        return false;
      gone.push_back(std::move(dropped.segment));
      return true;
    });
  }
  for (const auto& segment : gone) {
    // Best effort: what stays behind is removed by the next open, MANIFEST says that it is dropped.
    for (const std::string& path :
         {PathOf(segment->fid()), directory_ + "/" + HintName(segment->fid())}) {
      if (Status status = vfs_.Remove(path);
          !status.ok() && status.code() != StatusCode::kNotFound) {
        LogWarning(std::string(status.message()) + "; it is not needed any more");
      }
    }
  }
}

std::size_t SegmentTable::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_.size();
}

Segment* SegmentTable::at(std::uint32_t slot) const noexcept {
  return (*chunks_[slot / kChunk].load(std::memory_order_acquire))[slot % kChunk].load(
      std::memory_order_acquire);
}

std::vector<std::shared_ptr<Segment>> SegmentTable::List() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Segment>> list;
  list.reserve(segments_.size());
  for (const auto& [fid, segment] : segments_) {
    if (segment->sealed()) list.push_back(segment);
  }
  for (const auto& [fid, segment] : segments_) {
    if (!segment->sealed()) list.push_back(segment);
  }
  return list;
}

std::shared_ptr<Segment> SegmentTable::Find(std::uint64_t fid) const {
  const std::lock_guard lock(mutex_);
  const auto at = segments_.find(fid);
  return at != segments_.end() ? at->second : nullptr;
}

Status SegmentTable::Read(const Location& location, std::string& buffer,
                          std::string_view* bytes) const {
  const std::uint64_t fid = at(location.slot)->fid();
  const auto file = files_.Get(fid);
  if (!file.ok()) return file.status();
  buffer.resize(location.size);
  const auto read = (*file)->Read(location.offset, buffer.data(), buffer.size());
  if (!read.ok()) return read.status();
  if (*read < location.size) {
    return DataLoss(PathOf(fid) + ": at offset " + std::to_string(location.offset) +
                    ": the file ends in the record; restore this file from a backup");
  }
  *bytes = buffer;
  return {};
}

void SegmentTable::AddLive(std::uint32_t slot, std::int64_t bytes) {
  at(slot)->live_.fetch_add(bytes, std::memory_order_relaxed);
}

}  // namespace weir::kv
