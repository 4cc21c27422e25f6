// Several records that are checked together, so that their CRCs are calculated side by side.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "crc32c.h"
#include "location.h"
#include "record.h"
#include "segment_table.h"
#include "weir/kv/store.h"

namespace weir::kv {

// What it is given must stay until the check.
class RecordGroup {
 public:
  static constexpr std::size_t kMost = Crc32c::kAbreast;

  std::size_t size() const noexcept { return size_; }
  // The record of `key`, which lies at `location`; `bytes` have been read, location.size of them.
  // There are fewer than kMost.
  void Add(const Segment& segment, const Location& location, std::string_view key,
           std::string_view bytes) noexcept {
    const std::size_t covered = bytes.size() >= kCrcSize ? bytes.size() - kCrcSize : 0;
    crcs_[size_] = {
        segment.seed(), location.offset, {bytes.data() + bytes.size() - covered, covered}};
    places_[size_] = {&segment, &location, bytes.data()};
    keys_[size_] = key;
    ++size_;
  }
  // CheckRecord (record_reader.h) for each. Returns how many are right, up to the first that is
  // not; `status` says what is wrong with that. Of each that is right, key and value go to `items`,
  // and when it expires, or 0, to `expiries`.
  std::size_t Check(const SegmentTable& segments, Iterator::Item* items, std::uint64_t* expiries,
                    Status* status);

 private:
  static constexpr std::size_t kCrcSize = sizeof(std::uint32_t);
  struct Place {
    const Segment* segment;
    const Location* location;
    const char* bytes;
  };
  std::array<Crc32c::Extension, kMost> crcs_;
  std::array<Place, kMost> places_;
  std::array<std::string_view, kMost> keys_;
  std::size_t size_ = 0;
};

}  // namespace weir::kv
