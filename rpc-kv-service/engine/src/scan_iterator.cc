#include "scan_iterator.h"

#include <algorithm>
#include <limits>

#include "record_reader.h"

namespace weir::kv {
namespace {

constexpr std::size_t kMinPortion = 4;
constexpr std::size_t kMaxPortion = 256;

// The smallest key that is above all keys with this prefix; empty: there is none.
std::string BehindPrefix(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

}  // namespace

ScanIterator::ScanIterator(const Index& index, Snapshots& snapshots, SegmentFiles& files,
                           const std::string& directory, ScanOptions options)
    : index_(index),
      snapshots_(snapshots),
      files_(files),
      directory_(directory),
      options_(std::move(options)),
      start_(std::max(options_.start, options_.prefix)),
      end_(options_.end),
      snapshot_(snapshots.Acquire()),
      left_(options_.limit != 0 ? options_.limit : std::numeric_limits<std::uint64_t>::max()),
      portion_(static_cast<std::size_t>(
          std::clamp<std::uint64_t>(left_ / Index::kShards + 1, kMinPortion, kMaxPortion))) {
  if (const std::string behind = BehindPrefix(options_.prefix);
      !behind.empty() && (end_.empty() || behind < end_)) {
    end_ = behind;
  }
  for (std::size_t shard = 0; shard < Index::kShards; ++shard) {
    if (Fill(shard)) heap_.push_back(shard);
  }
  const auto later = [this](std::size_t a, std::size_t b) {
    return cursors_[a].portion[cursors_[a].next].key > cursors_[b].portion[cursors_[b].next].key;
  };
  std::make_heap(heap_.begin(), heap_.end(), later);
  Next();
}

ScanIterator::~ScanIterator() {
  snapshots_.Release(snapshot_);
}

bool ScanIterator::Fill(std::size_t shard) {
  Cursor& cursor = cursors_[shard];
  if (cursor.next < cursor.portion.size()) return true;
  if (!cursor.more) return false;
  const bool first = cursor.portion.empty();
  // The last key taken is entry_: it came from this shard.
  const std::string start = first ? start_ : entry_.key;
  cursor.portion.clear();
  cursor.next = 0;
  cursor.more = index_.Collect(shard, start, !first, end_, snapshot_, portion_, cursor.portion);
  return !cursor.portion.empty();
}

bool ScanIterator::TakeSmallest() {
  if (heap_.empty()) return false;
  const auto later = [this](std::size_t a, std::size_t b) {
    return cursors_[a].portion[cursors_[a].next].key > cursors_[b].portion[cursors_[b].next].key;
  };
  std::pop_heap(heap_.begin(), heap_.end(), later);
  const std::size_t shard = heap_.back();
  Cursor& cursor = cursors_[shard];
  entry_ = std::move(cursor.portion[cursor.next++]);
  if (Fill(shard)) {
    std::push_heap(heap_.begin(), heap_.end(), later);
  } else {
    heap_.pop_back();
  }
  return true;
}

void ScanIterator::Next() {
  valid_ = false;
  if (left_ == 0 || !TakeSmallest()) return;
  --left_;
  if (!options_.keys_only) {
    status_ = ReadValue(files_, directory_, entry_.version.location, entry_.key, &value_);
    if (!status_.ok()) return;
  }
  valid_ = true;
}

}  // namespace weir::kv
