#include "scan_iterator.h"

#include <algorithm>
#include <limits>

namespace weir::kv {
namespace {

constexpr std::size_t kFirstPortion = 16;
constexpr std::size_t kMaxPortion = 256;
constexpr std::size_t kAhead = 8;              // records whose memory is asked for in advance
constexpr std::size_t kMostPrefetched = 1024;  // bytes of each
constexpr std::size_t kWindow = 64 << 10;      // bytes read at a time of records in a row
constexpr std::uint64_t kMaxGap = 4096;        // bytes between records that count as in a row

// The smallest key that is above all keys with this prefix; empty: there is none.
std::string BehindPrefix(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

}  // namespace

ScanIterator::ScanIterator(const Index& index, const Epochs& epochs, const SegmentTable& segments,
                           const WallTime& time, std::shared_ptr<const SnapshotHandle> snapshot,
                           ScanOptions options)
    : index_(index),
      epochs_(epochs),
      segments_(segments),
      time_(time),
      snapshot_(std::move(snapshot)),
      options_(std::move(options)),
      start_(std::max(options_.start, options_.prefix)),
      end_(options_.end),
      left_(options_.limit != 0 ? options_.limit : std::numeric_limits<std::uint64_t>::max()),
      portion_size_(kFirstPortion) {
  if (const std::string behind = BehindPrefix(options_.prefix);
      !behind.empty() && (end_.empty() || behind < end_)) {
    end_ = behind;
  }
  // An empty `end_` means no end, also to the index.
  if (!end_.empty() && start_ >= end_) more_ = false;
  Advance();
}

void ScanIterator::Advance() {
  for (;;) {
    if (left_ != 0) {
      if (ShowRecords()) return;
      if (failure_.ok() && (at_ < portion_.size() || TakePortion())) {
        if (ShowKeys()) return;
        TakeRecords();
        continue;
      }
    }
    Show(nullptr, 0);
    status_ = failure_;
    return;
  }
}

bool ScanIterator::TakePortion() {
  if (!more_) return false;
  if (portion_.size() > 0) {
    const std::string_view last = portion_.key(portion_.size() - 1);
    if (options_.reverse) {
      // An empty end would mean none; nothing is below the empty key.
      more_ = !last.empty();
      end_ = last;
    } else {
      start_ = last;
      behind_start_ = true;
    }
  }
  if (options_.reverse && !end_.empty() && start_ >= end_) more_ = false;
  at_ = 0;
  portion_.Clear();
  ReleaseSegments();
  if (!more_) return false;
  const std::size_t most = std::min<std::uint64_t>(portion_size_, left_);
  const auto pin = epochs_.Enter();
  index_.Collect(
      pin,
      {.start = start_, .behind_start = behind_start_, .end = end_, .reverse = options_.reverse},
      snapshot_->id(), most, portion_);
  failure_ = snapshot_->Check();
  if (!failure_.ok()) {
    portion_.Clear();
    more_ = false;
    return false;
  }
  more_ = portion_.size() == most;
  portion_size_ = std::min(portion_size_ * 2, kMaxPortion);
  prefetched_ = 1;
  PrefetchRecords();
  KeepSegments();
  return portion_.size() > 0;
}

// With the pin under which the portion was taken.
void ScanIterator::KeepSegments() {
  constexpr std::uint32_t kNone = ~std::uint32_t{0};
  std::array<std::uint32_t, 32> recent;  // keeping one twice does no harm
  recent.fill(kNone);
  for (std::size_t i = 0; i < portion_.size(); ++i) {
    const Location& location = portion_.location(i);
    if (!NeedsRecord(i)) continue;
    std::uint32_t& seen = recent[location.slot % recent.size()];
    if (seen == location.slot) continue;
    seen = location.slot;
    kept_.push_back(segments_.at(location.slot));
    kept_.back()->Keep();
  }
}

void ScanIterator::ReleaseSegments() {
  for (Segment* segment : kept_) segment->Release();
  kept_.clear();
}

bool ScanIterator::ShowKeys() {
  std::size_t count = 0;
  for (; at_ < portion_.size() && count < items_.size() && left_ > 0; ++at_, ++count, --left_) {
    if (NeedsRecord(at_)) break;
    items_[count] = {portion_.key(at_), {}};
  }
  Show(items_.data(), count);
  return count > 0;
}

bool ScanIterator::ShowRecords() {
  // Whether a key has expired counts when it is shown, not when it was read.
  while (shown_ < checked_ && time_.Expired(expiries_[shown_])) ++shown_;
  const std::size_t from = shown_;
  if (from == checked_) return false;
  const std::size_t until = from + std::min<std::uint64_t>(checked_ - from, left_);
  do {
    ++shown_;
  } while (expiries_[from] == 0 && shown_ < until && expiries_[shown_] == 0);
  left_ -= shown_ - from;
  Show(items_.data() + from, shown_ - from);
  return true;
}

void ScanIterator::TakeRecords() {
  shown_ = 0;
  checked_ = 0;
  std::size_t taken = 0;
  do {
    PrefetchRecords();
    RecordGroup group;
    const std::size_t most = std::min<std::uint64_t>(
        std::min(RecordGroup::kMost, portion_.size() - at_), left_ - checked_);
    while (group.size() < most && NeedsRecord(at_) && TakeRecord(group)) ++at_;
    taken = group.size();
    Status status;
    const std::size_t good =
        group.Check(segments_, items_.data() + checked_, expiries_.data() + checked_, &status);
    if (good < taken) failure_ = std::move(status);
    checked_ += good;
  } while (taken == RecordGroup::kMost && checked_ < kTogether && failure_.ok());
  if (options_.keys_only) {
    for (Item& item : items_) item.value = {};
  }
}

bool ScanIterator::TakeRecord(RecordGroup& group) {
  const Location& location = portion_.location(at_);
  Segment& segment = *segments_.at(location.slot);
  std::string_view bytes;
  if (!segment.Mapped(location, &bytes)) [[unlikely]] {
    const bool is_mapped = segment.mapped() != nullptr;
    // Reading anew would take the place of those before it.
    const bool is_first = checked_ + group.size() == 0;
    if (!is_mapped && !is_first && !InWindow(location)) return false;
    failure_ = is_mapped ? segments_.Read(segment, location, buffer_, &bytes)
                         : ReadUnmapped(segment, location, &bytes);
    if (!failure_.ok()) return false;
  }
  group.Add(segment, location, portion_.key(at_), bytes);
  return true;
}

// For a whole group together: a prefetch waits for its page to be looked up, and several do that at
// the same time.
void ScanIterator::PrefetchRecords() {
  const std::size_t until = std::min(at_ + kAhead + RecordGroup::kMost, portion_.size());
  for (; prefetched_ < until; ++prefetched_) PrefetchRecord(prefetched_);
}

void ScanIterator::PrefetchRecord(std::size_t at) const {
  const Location& location = portion_.location(at);
  const Location& before = portion_.location(at - 1);
  // The hardware sees by itself where records go that follow each other.
  if (location.offset == before.offset + before.size && location.slot == before.slot) return;
  if (!NeedsRecord(at)) return;
  const char* mapped = segments_.at(location.slot)->mapped();
  if (mapped == nullptr) return;
  const std::size_t size = std::min<std::size_t>(location.size, kMostPrefetched);
  for (std::size_t line = 0; line < size + 63; line += 64) {
    __builtin_prefetch(mapped + location.offset + line);
  }
}

Status ScanIterator::ReadUnmapped(Segment& segment, const Location& location,
                                  std::string_view* bytes) {
  const std::uint64_t end = location.offset + location.size;
  if (InWindow(location)) {
    *bytes = window_.substr(location.offset - window_offset_, location.size);
    last_ = location;
    return {};
  }
  // Records that follow each other are read many at a time. In either direction there may be some
  // in between that the scan does not visit.
  const bool same = last_.slot == location.slot && last_.size != 0;
  const bool forward = same && location.offset - (last_.offset + last_.size) < kMaxGap;
  const bool backward = same && last_.offset - end < kMaxGap;
  std::uint64_t offset = location.offset;
  std::size_t size = location.size;
  if (forward && size < kWindow) size = kWindow;
  if (backward && size < kWindow) {
    offset = end - std::min<std::uint64_t>(end, kWindow);
    size = end - offset;
  }
  last_ = location;
  window_ = {};
  for (int attempt = 1;; ++attempt) {
    Status status = segments_.ReadAt(segment, offset, size, buffer_, &window_);
    if (status.ok()) break;
    if (status.code() != StatusCode::kUnavailable || attempt == kReadAttempts) return status;
    segments_.MakeRoom();
  }
  window_slot_ = location.slot;
  window_offset_ = offset;
  if (window_.size() < end - offset) {
    window_ = {};
    return segments_.Read(segment, location, buffer_, bytes);  // says what is wrong
  }
  *bytes = window_.substr(location.offset - offset, location.size);
  return {};
}

}  // namespace weir::kv
