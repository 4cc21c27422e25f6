#include "scan_iterator.h"

#include <algorithm>
#include <limits>

namespace weir::kv {
namespace {

constexpr std::size_t kFirstPortion = 16;
constexpr std::size_t kMaxPortion = 256;

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
  // An empty `end_` means no end, also to the index; an empty range is one that needs no index.
  if (!end_.empty() && start_ >= end_) more_ = false;
  Next();
}

bool ScanIterator::Step() {
  if (portion_.size() > 0 && ++at_ < portion_.size()) return true;
  if (!more_) return false;
  if (portion_.size() > 0) {
    const std::string_view last = portion_.key(portion_.size() - 1);
    if (options_.reverse) {
      if (last.empty()) return false;
      end_ = last;
    } else {
      start_ = last;
      behind_start_ = true;
    }
  }
  if (options_.reverse && !end_.empty() && start_ >= end_) return false;
  const auto pin = epochs_.Enter();
  index_.Collect(
      pin,
      {.start = start_, .behind_start = behind_start_, .end = end_, .reverse = options_.reverse},
      snapshot_->id(), portion_size_, portion_);
  more_ = portion_.size() == portion_size_;
  portion_size_ = std::min(portion_size_ * 2, kMaxPortion);
  at_ = 0;
  return portion_.size() > 0;
}

void ScanIterator::Next() {
  valid_ = false;
  if (left_ == 0) return;
  while (Step()) {
    const Location& location = portion_.location(at_);
    if (!options_.keys_only || location.expires) {
      RecordView record;
      status_ = ReadRecord(segments_, location, portion_.key(at_), buffer_, &record);
      if (!status_.ok()) return;
      if (time_.Expired(record.expiry_ms)) continue;
      value_ = options_.keys_only ? std::string_view() : record.value;
    }
    --left_;
    valid_ = true;
    return;
  }
}

}  // namespace weir::kv
