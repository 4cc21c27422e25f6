#include "segment_table.h"

#include <algorithm>
#include <utility>

#include "hint_file.h"
#include "weir/log.h"

namespace weir::kv {

SegmentTable::SegmentTable(Vfs& vfs, std::string directory, const Options& options, Epochs& epochs)
    : vfs_(vfs),
      directory_(std::move(directory)),
      epochs_(epochs),
      mapped_(options.read_path == ReadPath::kMapped),
      files_(vfs, options.max_open_files) {}

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
  auto segment = Insert(fid, SegmentKind::kLog);
  files_.Keep(segment->file_, std::move(file));
  return segment;
}

void SegmentTable::Seal(const SegmentFacts& facts) {
  {
    const std::lock_guard lock(mutex_);
    Segment& segment = *segments_.at(facts.fid);
    segment.facts_ = facts;
    segment.sealed_.store(true, std::memory_order_release);
    // Who finds no file from now on finds the segment sealed, and maps it.
    if (mapped_) {
      files_.Close(segment.file_);
    } else {
      files_.Release(segment.file_);
    }
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

// What nobody can find any more: the index does not name it, snapshots that did are gone, and so
// are all readers who were pinned when the last of them went.
std::vector<std::shared_ptr<Segment>> SegmentTable::TakeUnused(const Snapshots& snapshots) {
  std::vector<std::shared_ptr<Segment>> unused;
  const std::lock_guard lock(mutex_);
  std::erase_if(dropped_, [&](Dropped& dropped) {
    if (dropped.epoch == 0) {
      if (snapshots.AnyBelow(dropped.next_snapshot)) return false;
      dropped.epoch = Epochs::End();
    }
    if (!Epochs::Passed(dropped.epoch) || dropped.segment.use_count() > 1 ||
        dropped.segment->keepers_.load(std::memory_order_acquire) > 0) {
      return false;
    }
    const std::uint32_t slot = dropped.segment->slot();
    (*chunks_[slot / kChunk].load())[slot % kChunk].store(nullptr, std::memory_order_release);
    free_slots_.push_back(slot);
    files_.Close(dropped.segment->file_);
    unused.push_back(std::move(dropped.segment));
    return true;
  });
  return unused;
}

void SegmentTable::Reclaim(const Snapshots& snapshots) {
  files_.CloseUnused();
  for (const auto& segment : TakeUnused(snapshots)) {
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

Status SegmentTable::EndsInRecord(const Segment& segment, const Location& location) const {
  return DataLoss(PathOf(segment.fid()) + ": at offset " + std::to_string(location.offset) +
                  ": the file ends in the record; restore this file from a backup");
}

Status SegmentTable::ReadUnmapped(Segment& segment, const Location& location, ReadBuffer& buffer,
                                  std::string_view* bytes) const {
  if (Status status = ReadAt(segment, location.offset, location.size, buffer, bytes);
      !status.ok()) {
    return status;
  }
  return bytes->size() == location.size ? Status() : EndsInRecord(segment, location);
}

Status SegmentTable::ReadAt(Segment& segment, std::uint64_t offset, std::size_t size,
                            ReadBuffer& buffer, std::string_view* bytes) const {
  if (segment.mapped() == nullptr && mapped_ && segment.sealed()) {
    if (Status status = Map(segment); !status.ok()) return status;
  }
  if (const char* mapped = segment.mapped(); mapped != nullptr) {
    const std::string_view all(mapped, segment.facts_.length);
    *bytes = all.substr(std::min<std::uint64_t>(offset, all.size()), size);
    return {};
  }
  const auto pin = epochs_.Enter();
  File* file = segment.file_.Get();
  if (file == nullptr) {
    const auto opened = files_.Open(PathOf(segment.fid()), segment.file_);
    if (!opened.ok()) return opened.status();
    file = *opened;
  }
  char* room = buffer.Room(size);
  const auto read = file->Read(offset, room, size);
  if (!read.ok()) return read.status();
  *bytes = {room, *read};
  return {};
}

Status SegmentTable::Map(Segment& segment) const {
  if (segment.unmappable_.load(std::memory_order_relaxed)) return {};
  const std::lock_guard lock(map_mutex_);
  if (segment.mapped() != nullptr) return {};
  const std::string path = PathOf(segment.fid());
  auto mapping = vfs_.Map(path);
  if (!mapping.ok()) {
    if (mapping.status().code() == StatusCode::kUnavailable) return std::move(mapping).status();
    // Too many mappings, perhaps. Reading by system calls finds out what is wrong, if anything is.
    segment.unmappable_ = true;
    LogWarning(std::string(mapping.status().message()) + "; it is read by system calls instead");
    return {};
  }
  const std::size_t size = (*mapping)->bytes().size();
  if (size < segment.facts_.length) {
    return DataLoss(path + ": has " + std::to_string(size) + " bytes, but MANIFEST has sealed " +
                    std::to_string(segment.facts_.length) + "; restore this file from a backup");
  }
  segment.mapping_ = *std::move(mapping);
  segment.mapped_.store(segment.mapping_->bytes().data(), std::memory_order_release);
  return {};
}

void SegmentTable::AddLive(std::uint32_t slot, std::int64_t bytes) {
  at(slot)->live_.fetch_add(bytes, std::memory_order_relaxed);
}

}  // namespace weir::kv
