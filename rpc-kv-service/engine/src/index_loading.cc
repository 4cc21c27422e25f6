#include "index_loading.h"

#include <algorithm>
#include <string>
#include <vector>

#include "key_prefix.h"
#include "parallel.h"

namespace weir::kv {
namespace {

// The keys from `low` on, up to before `high`; nothing: no bound.
struct KeyRange {
  std::optional<std::string_view> low;
  std::optional<std::string_view> high;
};

std::vector<KeyRange> CutKeys(std::span<const SegmentToLoad> segments, std::size_t threads) {
  constexpr std::size_t kRangesPerThread = 4;  // so that no thread waits long for the last
  constexpr std::size_t kMinBlocks = 32;
  constexpr std::size_t kSamples = 4096;
  std::size_t blocks = 0;
  for (const auto& segment : segments) blocks += segment.hint->blocks();
  const std::size_t ranges =
      threads < 2 ? 1 : std::clamp<std::size_t>(blocks / kMinBlocks, 1, kRangesPerThread * threads);
  std::vector<std::string_view> keys;
  const std::size_t step = blocks / kSamples + 1;
  std::size_t place = 0;
  for (const auto& segment : segments) {
    for (std::size_t i = 0; i < segment.hint->blocks(); ++i, ++place) {
      if (place % step == 0) keys.push_back(segment.hint->first_key(i));
    }
  }
  std::sort(keys.begin(), keys.end());
  std::vector<KeyRange> cut(1);
  for (std::size_t i = 1; i < ranges; ++i) {
    const std::string_view key = keys[i * keys.size() / ranges];
    if (cut.back().low ? key <= *cut.back().low : key.empty()) continue;
    cut.back().high = key;
    cut.push_back({.low = key, .high = std::nullopt});
  }
  return cut;
}

// Merges one range of keys from the hints that have any of it.
class RangeMerge {
 public:
  RangeMerge(std::span<const SegmentToLoad> segments, const KeyRange& range, IndexBuilder& builder)
      : segments_(segments), range_(range), builder_(builder) {}

  // A hint that is unusable, or nothing.
  std::optional<std::size_t> Run() {
    Start();
    for (auto at = heap_.size() / 2; at-- > 0;) SiftDown(at);
    while (heap_.size() > 1) {
      Cursor& top = heap_.front();
      const RunEntry& entry = *top.entry;
      // Of one key the newest record comes first.
      if (!any_ || top.prefix != last_prefix_ || entry.key != last_) {
        Take(top);
        last_ = entry.key;
        last_prefix_ = top.prefix;
        any_ = true;
      }
      if (!Advance(top)) {
        heap_.front() = std::move(heap_.back());
        heap_.pop_back();
      }
      SiftDown(0);
    }
    if (!heap_.empty()) RunAlone(heap_.front());
    return bad_;
  }

 private:
  struct Cursor {
    std::uint64_t prefix = 0;
    const RunEntry* entry = nullptr;
    std::uint64_t fid = 0;
    std::size_t place = 0;
    std::unique_ptr<KeyRun> run;
  };

  void Start() {
    std::string_view low;
    std::string_view high;
    for (std::size_t i = 0; i < segments_.size(); ++i) {
      const Hint& hint = *segments_[i].hint;
      if (hint.blocks() == 0 || (range_.low && hint.last_key() < *range_.low) ||
          (range_.high && hint.first_key(0) >= *range_.high)) {
        continue;
      }
      if (heap_.empty() || hint.first_key(0) < low) low = hint.first_key(0);
      if (heap_.empty() || hint.last_key() > high) high = hint.last_key();
      heap_.push_back(
          {.fid = hint.facts().fid, .place = i, .run = Hint::NewRun(segments_[i].hint)});
    }
    if (range_.low && *range_.low > low) low = *range_.low;
    if (range_.high && *range_.high < high) high = *range_.high;
    const std::size_t most = std::min(low.size(), high.size());
    while (common_ < most && low[common_] == high[common_]) ++common_;
    std::erase_if(heap_, [this](Cursor& cursor) {
      if (range_.low) cursor.run->Seek(*range_.low);
      cursor.entry = &cursor.run->entry();
      return !Advance(cursor);
    });
  }

  // False: the range ends here.
  bool Advance(Cursor& cursor) {
    if (!cursor.run->Next()) {
      if (!cursor.run->status().ok()) bad_ = cursor.place;
      return false;
    }
    const std::string_view key = cursor.entry->key;
    if (range_.high && key >= *range_.high) return false;
    // All keys of the range have these bytes in common, unless the hint is not what it seems.
    if (key.size() < common_) {
      bad_ = cursor.place;
      return false;
    }
    cursor.prefix = KeyPrefix(key.substr(common_));
    return true;
  }

  static bool Before(const Cursor& a, const Cursor& b) noexcept {
    if (a.prefix != b.prefix) return a.prefix < b.prefix;
    if (const int order = a.entry->key.compare(b.entry->key); order != 0) return order < 0;
    if (a.entry->seq != b.entry->seq) return a.entry->seq > b.entry->seq;
    return a.fid > b.fid;
  }

  void SiftDown(std::size_t at) {
    if (at >= heap_.size()) return;
    while (true) {
      std::size_t child = 2 * at + 1;
      if (child >= heap_.size()) return;
      if (child + 1 < heap_.size() && Before(heap_[child + 1], heap_[child])) ++child;
      if (!Before(heap_[child], heap_[at])) return;
      std::swap(heap_[at], heap_[child]);
      at = child;
    }
  }

  void Take(const Cursor& cursor) {
    const RunEntry& entry = *cursor.entry;
    if (entry.deleted) return;
    builder_.Add(entry.key, {.slot = segments_[cursor.place].slot,
                             .size = entry.size,
                             .offset = entry.offset,
                             .expires = entry.expires});
  }

  void RunAlone(Cursor& cursor) {
    if (any_ && cursor.entry->key == last_ && !Advance(cursor)) return;
    do {
      Take(cursor);
    } while (Advance(cursor));
  }

  const std::span<const SegmentToLoad> segments_;
  const KeyRange range_;
  IndexBuilder& builder_;
  std::vector<Cursor> heap_;
  std::size_t common_ = 0;  // first bytes that all keys of the range have in common
  bool any_ = false;
  std::string last_;  // the key that was taken last
  std::uint64_t last_prefix_ = 0;
  std::optional<std::size_t> bad_;
};

}  // namespace

std::optional<std::size_t> LoadIndex(std::span<const SegmentToLoad> segments, std::size_t threads,
                                     Index& index) {
  const std::vector<KeyRange> ranges = CutKeys(segments, threads);
  std::vector<IndexBuilder> builders(ranges.size());
  std::vector<std::optional<std::size_t>> bad(ranges.size());
  InParallel(ranges.size(), threads,
             [&](std::size_t i) { bad[i] = RangeMerge(segments, ranges[i], builders[i]).Run(); });
  for (const auto& place : bad) {
    if (place) return place;
  }
  index.Load(builders);
  return std::nullopt;
}

}  // namespace weir::kv
