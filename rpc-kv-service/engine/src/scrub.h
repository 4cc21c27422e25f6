// Reads segments again, from the first byte to the last, and checks every record and the whole:
// a little at a time in the background, or all of them now.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "segment_scanner.h"
#include "segment_table.h"
#include "token_bucket.h"
#include "weir/kv/store.h"

namespace weir::kv {

struct ScrubCounters {
  std::atomic<std::uint64_t> scrubbed_bytes{0};
  std::atomic<std::uint64_t> bad_records{0};
};

// The reading of one closed segment, a piece at a time. One thread. Logs one line for everything
// bad it finds, naming file and offset, and goes on behind it.
class SegmentScrub {
 public:
  // Holds the segment, whose file so stays. `length`: of a segment that is not closed, the bytes of
  // it that are written; then the CRC of the whole is not looked at.
  SegmentScrub(Vfs& vfs, const SegmentTable& table, std::shared_ptr<Segment> segment,
               std::uint64_t length, ScrubCounters& counters);

  // Reads on for about `bytes`. False: it is done. A failure is one of reading.
  Result<bool> Read(std::uint64_t bytes);
  // Bad places so far, and the first of them as DATA_LOSS.
  std::uint64_t bad() const noexcept { return bad_; }
  const Status& first_bad() const noexcept { return first_bad_; }
  std::uint64_t done() const noexcept { return done_; }  // bytes

 private:
  Status Start();
  void Bad(std::uint64_t offset, const std::string& what);

  Vfs& vfs_;
  const std::string path_;
  const std::shared_ptr<Segment> segment_;
  const std::uint64_t length_;
  ScrubCounters& counters_;
  std::unique_ptr<File> file_;
  std::optional<SegmentScanner> scanner_;
  Crc32c crc_;
  std::uint64_t done_ = 0;
  std::uint64_t bad_ = 0;
  Status first_bad_;
};

// Reads all closed segments, one after the other, for ever. One thread.
class BackgroundScrub {
 public:
  using TimePoint = TokenBucket::TimePoint;

  // At the pace of `options`.
  BackgroundScrub(Vfs& vfs, const SegmentTable& segments, const Options& options,
                  ScrubCounters& counters, TimePoint now);

  // When the next step is due.
  TimePoint next() const noexcept { return next_; }
  // Reads a piece. At the end of the last segment it begins with the first again.
  void Step(TimePoint now);

 private:
  Vfs& vfs_;
  const SegmentTable& segments_;
  const std::chrono::milliseconds look_again_;  // after there was nothing to read
  ScrubCounters& counters_;
  TokenBucket pace_;
  TimePoint next_{};
  std::unique_ptr<SegmentScrub> scrub_;
  std::uint64_t fid_ = 0;  // the last one
};

// Reads all segments now, of the active one what is written. The first that is bad as DATA_LOSS;
// CANCELLED if `progress` says so.
Status VerifySegments(Vfs& vfs, const SegmentTable& segments,
                      const std::function<std::uint64_t()>& active_bytes, ScrubCounters& counters,
                      const VerifyProgress& progress);

}  // namespace weir::kv
