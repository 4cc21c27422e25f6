// Reads segments again, from the first byte to the last, and checks every record and the whole.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "segment_scanner.h"
#include "segment_table.h"

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

}  // namespace weir::kv
