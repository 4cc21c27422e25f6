#include "manifest.h"

#include <optional>

#include "coding.h"
#include "crc32c.h"

namespace weir::kv {
namespace {

constexpr std::string_view kMagic{"weirmft\0", 8};
constexpr std::size_t kHeaderSize = 16;
constexpr std::size_t kFrameHeadSize = 8;
constexpr std::uint32_t kMaxEditsSize = 1 << 20;

enum EditKind : char {
  kIdentity = 1,
  kNextFid = 2,
  kAdd = 3,
  kSeal = 4,
  kDrop = 5,
  kTimeFloor = 6,
  kChangeFloor = 7
};

std::uint32_t FrameCrc(std::uint64_t offset, std::string_view size_and_edits) {
  return Crc32c().Extend(offset).Extend(size_and_edits).Value();
}

// The edits of the frame at `offset`, if one is there.
std::optional<std::string_view> FrameAt(std::string_view bytes, std::uint64_t offset) {
  const std::string_view rest = bytes.substr(offset);
  if (rest.size() <= kFrameHeadSize) return std::nullopt;
  const auto size = LoadFixed<std::uint32_t>(rest.data() + 4);
  if (size == 0 || size > kMaxEditsSize || size > rest.size() - kFrameHeadSize) {
    return std::nullopt;
  }
  if (FrameCrc(offset, rest.substr(4, 4 + size)) != LoadFixed<std::uint32_t>(rest.data())) {
    return std::nullopt;
  }
  return rest.substr(kFrameHeadSize, size);
}

// Applies one edit taken off the front of `edits`. Returns what is wrong, or nothing.
std::string ApplyOne(std::string_view& edits, ManifestState& state) {
  const char kind = edits.front();
  edits.remove_prefix(1);
  std::uint64_t fid = 0;
  switch (kind) {
    case kIdentity: {
      if (edits.size() < state.store_id.size()) return "an identity edit is cut short";
      std::memcpy(state.store_id.data(), edits.data(), state.store_id.size());
      edits.remove_prefix(state.store_id.size());
      if (!TakeFixed(edits, state.directory_inode) || !TakeFixed(edits, state.manifest_inode)) {
        return "an identity edit is cut short";
      }
      return {};
    }
    case kNextFid:
      if (!TakeFixed(edits, fid) || fid < state.next_fid) return "a next_fid edit goes backwards";
      state.next_fid = fid;
      return {};
    case kAdd: {
      char segment_kind = 0;
      if (!TakeFixed(edits, fid) || !TakeFixed(edits, segment_kind) || fid >= state.next_fid) {
        return "an add edit names an id that was not given out";
      }
      if (segment_kind != static_cast<char>(SegmentKind::kLog) &&
          segment_kind != static_cast<char>(SegmentKind::kMerged)) {
        return "an add edit names a kind of segment of a newer version";
      }
      const LiveSegment added{.kind = static_cast<SegmentKind>(segment_kind)};
      if (state.dropped.contains(fid) || !state.segments.emplace(fid, added).second) {
        return "a segment is added twice";
      }
      return {};
    }
    case kSeal: {
      LiveSegment sealed{.sealed = true};
      if (!TakeFixed(edits, fid) || !TakeFixed(edits, sealed.length) ||
          !TakeFixed(edits, sealed.crc)) {
        return "a seal edit is cut short";
      }
      const auto segment = state.segments.find(fid);
      if (segment == state.segments.end() || segment->second.sealed) {
        return "a seal edit names a segment that is not open";
      }
      sealed.kind = segment->second.kind;
      segment->second = sealed;
      return {};
    }
    case kDrop:
      if (!TakeFixed(edits, fid) || state.segments.erase(fid) == 0) {
        return "a drop edit names a segment that is not there";
      }
      state.dropped.insert(fid);
      return {};
    case kTimeFloor:
      if (!TakeFixed(edits, fid) || fid < state.time_floor_ms) {
        return "a time_floor edit goes backwards";
      }
      state.time_floor_ms = fid;
      return {};
    case kChangeFloor:
      if (!TakeFixed(edits, fid) || fid < state.change_floor) {
        return "a change_floor edit goes backwards";
      }
      state.change_floor = fid;
      return {};
    default:
      return "an edit of kind " + std::to_string(static_cast<unsigned char>(kind)) +
             " was written by a newer version of this program";
  }
}

}  // namespace

ManifestEdit& ManifestEdit::Identity(const StoreId& id, std::uint64_t directory_inode,
                                     std::uint64_t manifest_inode) {
  bytes_.push_back(kIdentity);
  bytes_.append(id.data(), id.size());
  AppendFixed(bytes_, directory_inode);
  AppendFixed(bytes_, manifest_inode);
  return *this;
}

ManifestEdit& ManifestEdit::NextFid(std::uint64_t next_fid) {
  bytes_.push_back(kNextFid);
  AppendFixed(bytes_, next_fid);
  return *this;
}

ManifestEdit& ManifestEdit::Add(std::uint64_t fid, SegmentKind kind) {
  bytes_.push_back(kAdd);
  AppendFixed(bytes_, fid);
  bytes_.push_back(static_cast<char>(kind));
  return *this;
}

ManifestEdit& ManifestEdit::Seal(std::uint64_t fid, std::uint64_t length, std::uint32_t crc) {
  bytes_.push_back(kSeal);
  AppendFixed(bytes_, fid);
  AppendFixed(bytes_, length);
  AppendFixed(bytes_, crc);
  return *this;
}

ManifestEdit& ManifestEdit::Drop(std::uint64_t fid) {
  bytes_.push_back(kDrop);
  AppendFixed(bytes_, fid);
  return *this;
}

ManifestEdit& ManifestEdit::TimeFloor(std::uint64_t ms) {
  bytes_.push_back(kTimeFloor);
  AppendFixed(bytes_, ms);
  return *this;
}

ManifestEdit& ManifestEdit::ChangeFloor(std::uint64_t seq) {
  bytes_.push_back(kChangeFloor);
  AppendFixed(bytes_, seq);
  return *this;
}

std::string EncodeManifestHeader() {
  std::string bytes(kMagic);
  AppendFixed(bytes, kManifestVersion);
  AppendFixed(bytes, Crc32c().Extend(bytes).Value());
  return bytes;
}

std::string EncodeManifestFrame(std::uint64_t offset, const ManifestEdit& edit) {
  std::string frame(4, '\0');
  AppendFixed(frame, static_cast<std::uint32_t>(edit.bytes().size()));
  frame.append(edit.bytes());
  StoreFixed(frame.data(), FrameCrc(offset, std::string_view(frame).substr(4)));
  return frame;
}

std::string EncodeManifest(const ManifestState& state) {
  std::string bytes = EncodeManifestHeader();
  ManifestEdit edit;
  edit.Identity(state.store_id, state.directory_inode, state.manifest_inode)
      .NextFid(state.next_fid);
  const auto end_frame = [&](std::size_t least) {
    if (edit.bytes().size() < least) return;
    bytes.append(EncodeManifestFrame(bytes.size(), edit));
    edit = ManifestEdit();
  };
  for (const std::uint64_t fid : state.dropped) {
    edit.Add(fid, SegmentKind::kLog).Drop(fid);
    end_frame(kMaxEditsSize / 2);
  }
  for (const auto& [fid, live] : state.segments) {
    edit.Add(fid, live.kind);
    if (live.sealed) edit.Seal(fid, live.length, live.crc);
    end_frame(kMaxEditsSize / 2);
  }
  if (state.time_floor_ms != 0) edit.TimeFloor(state.time_floor_ms);
  if (state.change_floor > 1) edit.ChangeFloor(state.change_floor);
  end_frame(1);
  return bytes;
}

ParsedManifest ParseManifest(std::string_view bytes) {
  ParsedManifest result;
  if (bytes.size() < kHeaderSize || bytes.substr(0, kMagic.size()) != kMagic) {
    result.error = "does not begin as a MANIFEST";
    return result;
  }
  if (Crc32c().Extend(bytes.substr(0, 12)).Value() != LoadFixed<std::uint32_t>(bytes.data() + 12)) {
    result.error = "has a damaged header";
    return result;
  }
  if (const auto version = LoadFixed<std::uint32_t>(bytes.data() + 8);
      version != kManifestVersion) {
    result.error = "is of version " + std::to_string(version) + "; this program knows version " +
                   std::to_string(kManifestVersion);
    return result;
  }
  std::uint64_t offset = kHeaderSize;
  while (auto edits = FrameAt(bytes, offset)) {
    const std::size_t frame_size = kFrameHeadSize + edits->size();
    while (!edits->empty()) {
      if (std::string wrong = ApplyOne(*edits, result.state); !wrong.empty()) {
        result.error = "at offset " + std::to_string(offset) + ": " + wrong;
        return result;
      }
    }
    offset += frame_size;
  }
  result.length = offset;
  if (offset == kHeaderSize) {
    result.error = "at offset " + std::to_string(offset) + ": the first edit is damaged";
    return result;
  }
  // Only the last append can be torn: anything valid behind the bad place means damage.
  if (bytes.size() - offset > kFrameHeadSize + kMaxEditsSize) {
    result.error = "at offset " + std::to_string(offset) + ": an edit is damaged";
    return result;
  }
  for (std::uint64_t at = offset + 1; at < bytes.size(); ++at) {
    if (FrameAt(bytes, at)) {
      result.error = "at offset " + std::to_string(offset) + ": an edit is damaged";
      return result;
    }
  }
  std::size_t unsealed = 0;
  for (const auto& [fid, segment] : result.state.segments) unsealed += segment.sealed ? 0 : 1;
  if (unsealed > 1) result.error = "names two segments that are open for writing";
  return result;
}

Status Manifest::AppendLocked(const ManifestEdit& edit) {
  if (broken_) {
    return FailedPrecondition("MANIFEST takes nothing more since a failure; open the store again");
  }
  const std::string frame = EncodeManifestFrame(length_, edit);
  const std::string_view piece = frame;
  if (Status status = file_->Write(length_, {&piece, 1}); !status.ok()) {
    // What was written of it must not lie before the next frame.
    broken_ = !file_->Truncate(length_).ok();
    return status;
  }
  if (Status status = file_->Sync(); !status.ok()) {
    broken_ = true;
    return status;
  }
  length_ += frame.size();
  return {};
}

Status Manifest::Append(ManifestEdit edit) {
  const std::lock_guard lock(mutex_);
  // Reserving the next id along with what is written anyway saves a sync.
  const bool reserve = reserved_below_ <= next_fid_;
  if (reserve) edit.NextFid(next_fid_ + 1);
  Status status = AppendLocked(edit);
  if (status.ok() && reserve) reserved_below_ = next_fid_ + 1;
  return status;
}

Result<std::uint64_t> Manifest::AllocateFid() {
  const std::lock_guard lock(mutex_);
  if (next_fid_ >= reserved_below_) {
    if (Status status = AppendLocked(ManifestEdit().NextFid(next_fid_ + 1)); !status.ok()) {
      return status;
    }
    reserved_below_ = next_fid_ + 1;
  }
  return next_fid_++;
}

bool Manifest::broken() const {
  const std::lock_guard lock(mutex_);
  return broken_;
}

}  // namespace weir::kv
