#include "scrub.h"

#include <algorithm>

#include "weir/log.h"

namespace weir::kv {
namespace {

constexpr std::uint64_t kScrubStep = 256 << 10;

}  // namespace

SegmentScrub::SegmentScrub(Vfs& vfs, const SegmentTable& table, std::shared_ptr<Segment> segment,
                           std::uint64_t length, ScrubCounters& counters)
    : vfs_(vfs),
      path_(table.PathOf(segment->fid())),
      segment_(std::move(segment)),
      length_(length),
      counters_(counters) {}

void SegmentScrub::Bad(std::uint64_t offset, const std::string& what) {
  const std::string message = path_ + ": at offset " + std::to_string(offset) + ": " + what +
                              "; restore this file from a backup";
  LogError(message);
  ++bad_;
  ++counters_.bad_records;
  if (first_bad_.ok()) first_bad_ = DataLoss(message);
}

Status SegmentScrub::Start() {
  auto file = vfs_.Open(path_, OpenMode::kRead);
  if (!file.ok()) return file.status();
  file_ = *std::move(file);
  const auto size = file_->Size();
  if (!size.ok()) return size.status();
  if (*size < length_) {
    Bad(*size, "the file ends here, but should have " + std::to_string(length_) + " bytes");
  }
  std::string header(std::min<std::uint64_t>(*size, kSegmentHeaderSize), '\0');
  const auto read = file_->Read(0, header.data(), header.size());
  if (!read.ok()) return read.status();
  const DecodedSegmentHeader decoded = DecodeSegmentHeader(header);
  if (!decoded.error.empty()) {
    Bad(0, "the file " + decoded.error);
  } else if (decoded.header.fid != segment_->fid()) {
    Bad(0, "the file is that of another segment");
  }
  crc_.Extend(header);
  scanner_.emplace(*file_, segment_->fid(), std::min(*size, length_));
  return {};
}

Result<bool> SegmentScrub::Read(std::uint64_t bytes) {
  if (!scanner_) {
    if (Status status = Start(); !status.ok()) return status;
  }
  const std::uint64_t until = done_ + bytes;
  while (done_ < until) {
    const auto step = scanner_->Next();
    if (!step.ok()) return step.status();
    const std::uint64_t before = done_;
    if (*step == SegmentScanner::Step::kRecord) {
      crc_.Extend(scanner_->head().crc);
      done_ = scanner_->end();
      counters_.scrubbed_bytes += done_ - before;
      continue;
    }
    if (*step == SegmentScanner::Step::kBad) {
      const std::uint64_t offset = scanner_->offset();
      Bad(offset, "the record is damaged");
      // What is behind it may be good.
      const auto behind = scanner_->FindAnyRecordBehind(offset);
      if (!behind.ok()) return behind.status();
      if (*behind) {
        done_ = scanner_->end();
        counters_.scrubbed_bytes += done_ - before;
        continue;
      }
    }
    counters_.scrubbed_bytes += length_ - std::min(length_, before);
    done_ = length_;
    if (bad_ == 0 && segment_->sealed() && length_ == segment_->facts().length &&
        crc_.Value() != segment_->facts().crc) {
      Bad(0, "the records are not those that MANIFEST has sealed");
    }
    return false;
  }
  return true;
}

BackgroundScrub::BackgroundScrub(Vfs& vfs, const SegmentTable& segments, const Options& options,
                                 ScrubCounters& counters, TimePoint now)
    : vfs_(vfs),
      segments_(segments),
      look_again_(options.merge.check_every),
      counters_(counters),
      pace_(options.scrub.bytes_per_second, kScrubStep, now) {}

void BackgroundScrub::Step(TimePoint now) {
  next_ = now + look_again_;
  if (scrub_ == nullptr) {
    std::shared_ptr<Segment> next;
    std::shared_ptr<Segment> first;
    for (const auto& segment : segments_.List()) {
      if (!segment->sealed()) continue;
      if (first == nullptr) first = segment;
      if (next == nullptr && segment->fid() > fid_) next = segment;
    }
    if (next == nullptr) next = first;
    if (next == nullptr) return;
    scrub_ = std::make_unique<SegmentScrub>(vfs_, segments_, next, next->facts().length, counters_);
    fid_ = next->fid();
  }
  const std::uint64_t before = scrub_->done();
  const auto more = scrub_->Read(kScrubStep);
  if (!more.ok()) {
    ++counters_.bad_records;
    LogError("scrubbing: " + std::string(more.status().message()));
  }
  next_ = pace_.Take(scrub_->done() - before, now);
  if (!more.ok() || !*more) scrub_.reset();
}

Status VerifySegments(Vfs& vfs, const SegmentTable& segments,
                      const std::function<std::uint64_t()>& active_bytes, ScrubCounters& counters,
                      const VerifyProgress& progress) {
  struct Part {
    std::shared_ptr<Segment> segment;
    std::uint64_t length;
  };
  std::vector<Part> parts;
  std::uint64_t total = 0;
  for (auto& segment : segments.List()) {
    std::uint64_t length = active_bytes();
    if (segment->sealed()) length = segment->facts().length;
    parts.push_back({segment, length});
    total += length;
  }
  std::uint64_t before = 0;
  Status first_bad;
  for (auto& part : parts) {
    SegmentScrub scrub(vfs, segments, part.segment, part.length, counters);
    while (true) {
      const auto more = scrub.Read(4 * kScrubStep);
      if (!more.ok()) return more.status();
      if (progress && !progress(before + scrub.done(), total)) {
        return Cancelled("verifying was stopped");
      }
      if (!*more) break;
    }
    if (first_bad.ok()) first_bad = scrub.first_bad();
    before += part.length;
  }
  return first_bad;
}

}  // namespace weir::kv
