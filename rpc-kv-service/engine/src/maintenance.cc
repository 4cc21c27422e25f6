#include "maintenance.h"

#include <algorithm>

#include "segment_run.h"
#include "weir/log.h"

namespace weir::kv {
namespace {

// Smaller active segments are not closed for the garbage in them.
constexpr std::uint64_t kMaxSealEarly = 8 << 20;
constexpr std::uint32_t kMaxDelay = 64;  // after failures, in checks

std::uint64_t LiveOf(const Segment& segment, std::uint64_t length) {
  const std::int64_t live = std::max<std::int64_t>(segment.live_bytes(), 0);
  return std::min(length, static_cast<std::uint64_t>(live));
}

std::uint64_t RecordBytes(const Segment& segment) {
  return segment.facts().length - kSegmentHeaderSize;
}

}  // namespace

Maintenance::Maintenance(MaintenanceParts parts)
    : parts_(std::move(parts)),
      throttle_(parts_.options.merge.bytes_per_second, parts_.reads, Now()),
      hints_(parts_.merge.directory, parts_.merge.segments, parts_.merge.store_id, parts_.options,
             Now()),
      scrub_(parts_.merge.directory.vfs(), parts_.merge.segments, parts_.options, scrub_counters_,
             Now()) {}

Maintenance::~Maintenance() {
  Stop();
}

void Maintenance::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Maintenance::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  if (!thread_.joinable()) return;
  thread_.join();
  // Nobody reads any more: what was merged away can go now, rather than at the next start.
  for (int i = 0; i < 3 && parts_.merge.segments.dropped() != 0; ++i) Reclaim();
}

void Maintenance::Wake() {
  const std::lock_guard lock(mutex_);
  woken_ = true;
  wake_.notify_all();
}

bool Maintenance::Sleep(TimePoint until, const std::function<bool()>& urgent) {
  std::unique_lock lock(mutex_);
  while (!stopping_ && !urgent() && Now() < until) {
    parts_.options.clock->WaitUntil(lock, wake_, until);
  }
  return !stopping_;
}

void Maintenance::Run() {
  const bool scrubs = parts_.options.scrub.bytes_per_second != 0;
  TimePoint next_look = Now();
  while (!stopping()) {
    TimePoint now = Now();
    bool look = now >= next_look;
    {
      const std::lock_guard lock(mutex_);
      look |= std::exchange(woken_, false);
    }
    if (look) {
      Look();
      now = Now();
      next_look = now + parts_.options.merge.check_every;
    }
    if (scrubs && now >= scrub_.next()) scrub_.Step(now);
    Sleep(scrubs ? std::min(next_look, scrub_.next()) : next_look, [this] { return woken_; });
  }
}

void Maintenance::Look() {
  parts_.merge.snapshots.GiveUp();
  throttle_.Idle();
  if (parts_.reserve.full()) parts_.reserve.TakeBack();
  const std::uint64_t seq = parts_.merge.snapshots.visible();
  const bool busy = std::exchange(looked_at_seq_, seq) != seq;
  if (busy) hints_.Busy(Now());
  if (busy || parts_.reserve.full() || failures_ != 0) {
    StoreUse use;
    (void)Candidates(use);
    parts_.reserve.Grow(use.data);
    MergeWhileWorthIt();
  }
  // What is left of a full device is for what makes space.
  if (!parts_.reserve.full()) {
    hints_.Write(Now(), [this] { return stopping(); });
  }
  Reclaim();
}

void Maintenance::Reclaim() {
  if (parts_.merge.segments.dropped() != 0) parts_.merge.segments.Reclaim(parts_.merge.snapshots);
  parts_.merge.epochs.Collect();
}

// Waits a moment for readers to leave what was dropped. False: there is nothing.
bool Maintenance::ReclaimAll() {
  constexpr int kTries = 1000;
  if (parts_.merge.segments.dropped() == 0) return false;
  for (int i = 0; i < kTries && parts_.merge.segments.dropped() != 0; ++i) {
    Reclaim();
    std::this_thread::yield();
  }
  return parts_.merge.segments.dropped() == 0;
}

std::vector<MergeCandidate> Maintenance::Candidates(StoreUse& use) const {
  std::vector<MergeCandidate> candidates;
  for (const auto& segment : parts_.merge.segments.List()) {
    if (!segment->sealed()) {
      const std::uint64_t bytes = parts_.active_bytes();
      const std::uint64_t length = bytes - std::min<std::uint64_t>(bytes, kSegmentHeaderSize);
      use.data += length;
      use.live += LiveOf(*segment, length);
      continue;
    }
    const std::uint64_t length = RecordBytes(*segment);
    const std::uint64_t live = LiveOf(*segment, length);
    use.data += length;
    use.live += live;
    candidates.push_back({.fid = segment->fid(),
                          .length = length,
                          .live = live,
                          .tombstones = segment->facts().tombstone_bytes,
                          .min_seq = segment->facts().min_seq});
  }
  return candidates;
}

std::uint64_t Maintenance::Room() const {
  const auto free = parts_.merge.directory.vfs().FreeSpace(parts_.merge.directory.path());
  if (!free.ok()) return ~std::uint64_t{0};
  // Hints, headers and MANIFEST need some, too; commits meanwhile even more, unless there are none.
  const std::uint64_t kept = parts_.reserve.full() ? *free / 8 : *free / 4;
  return *free - kept;
}

Maintenance::Segments Maintenance::Find(const std::vector<std::uint64_t>& fids) const {
  Segments segments;
  for (const std::uint64_t fid : fids) {
    if (auto segment = parts_.merge.segments.Find(fid)) segments.push_back(std::move(segment));
  }
  return segments;
}

Maintenance::Segments Maintenance::Choose(StoreUse& use) {
  auto candidates = Candidates(use);
  std::erase_if(candidates, [this](const auto& segment) { return bad_.contains(segment.fid); });
  if (parts_.reserve.full()) return Find(ChooseMergeForSpace(std::move(candidates), Room()));
  const MergePolicy& policy = parts_.options.merge;
  // Asking the device costs a little more than looking at numbers.
  if (static_cast<double>(use.data - use.live) <= policy.trigger * static_cast<double>(use.data)) {
    return {};
  }
  use.room = Room();
  use.all = bad_.empty();
  return Find(ChooseMerge(std::move(candidates), use, policy));
}

// When it is the active segment that has the garbage, it has to be closed to be merged.
bool Maintenance::SealForGarbage(const StoreUse& use) {
  const MergePolicy& policy = parts_.options.merge;
  if (static_cast<double>(use.data - use.live) <= policy.trigger * static_cast<double>(use.data)) {
    return false;
  }
  const std::uint64_t bytes = parts_.active_bytes();
  const auto list = parts_.merge.segments.List();
  if (list.empty() || list.back()->sealed()) return false;
  const std::uint64_t live = LiveOf(*list.back(), bytes);
  if (bytes < std::min(kMaxSealEarly, parts_.options.segment_size / 2) ||
      static_cast<double>(bytes - live) < policy.min_garbage * static_cast<double>(bytes)) {
    return false;
  }
  return parts_.seal_active().ok();
}

void Maintenance::MergeWhileWorthIt() {
  if (!parts_.options.merge.automatic || Now() < next_try_) return;
  while (!stopping()) {
    const std::unique_lock lock(merge_mutex_);
    StoreUse use;
    const Segments inputs = Choose(use);
    if (inputs.empty()) {
      if (!parts_.reserve.full() && SealForGarbage(use)) continue;
      failures_ = 0;
      return;
    }
    const auto current_use = [this] {
      StoreUse now;
      (void)Candidates(now);
      return now;
    };
    const auto urgent = [this] { return waiting_merges_ != 0 || parts_.reserve.full(); };
    const auto pace = [&](std::uint64_t bytes) {
      return Sleep(throttle_.Spend(bytes, current_use, Now()), urgent);
    };
    std::uint64_t bad_fid = 0;
    Status status = Merge(parts_.merge, inputs, pace, merge_counters_, &bad_fid);
    if (status.code() == StatusCode::kCancelled) return;
    if (status.code() == StatusCode::kResourceExhausted && parts_.reserve.OnFull()) continue;
    if (!status.ok()) {
      NoteFailure(status, inputs, bad_fid);
      return;
    }
    failures_ = 0;
    Reclaim();
    if (parts_.reserve.full()) parts_.reserve.TakeBack();
  }
}

void Maintenance::NoteFailure(const Status& status, const Segments& inputs, std::uint64_t bad_fid) {
  LogWarning("a merge has failed: " + std::string(status.message()));
  if (status.code() == StatusCode::kDataLoss) {
    if (bad_fid != 0) {
      bad_.insert(bad_fid);
    } else {
      for (const auto& input : inputs) bad_.insert(input->fid());
    }
  }
  failures_ = std::min(failures_ + 1, kMaxDelay);
  next_try_ = Now() + failures_ * parts_.options.merge.check_every;
}

Status Maintenance::Verify(const VerifyProgress& progress) {
  return VerifySegments(parts_.merge.directory.vfs(), parts_.merge.segments, parts_.active_bytes,
                        scrub_counters_, progress);
}

Status Maintenance::MergeNow(const MergeOptions& options) {
  ++waiting_merges_;
  Wake();
  const std::unique_lock lock(merge_mutex_);
  --waiting_merges_;
  if (stopping()) return FailedPrecondition("the store is closed");
  const bool whole = options.min_garbage <= 0;
  if (whole) {
    if (Status status = parts_.seal_active(); !status.ok()) return status;
  }
  StoreUse use;
  auto candidates = Candidates(use);
  std::set<std::uint64_t> all;
  std::uint64_t garbage = 0;
  for (const MergeCandidate& segment : candidates) {
    all.insert(segment.fid);
    garbage += segment.garbage();
  }
  if (whole && garbage == 0 && all == merged_whole_) return {};
  std::erase_if(candidates, [&](const MergeCandidate& segment) {
    return !whole && static_cast<double>(segment.garbage()) <
                         options.min_garbage * static_cast<double>(segment.length);
  });
  std::sort(candidates.begin(), candidates.end(),
            [](const MergeCandidate& a, const MergeCandidate& b) { return a.min_seq < b.min_seq; });

  TokenBucket bucket(options.bytes_per_second, 1 << 20, Now());
  const auto pace = [&](std::uint64_t bytes) {
    const TimePoint now = Now();
    return Sleep(bucket.Take(bytes, now), [] { return false; });
  };
  bool one_pass = true;
  while (!candidates.empty()) {
    // All in one order of keys, if there is room beside it; else what frees most, and again.
    const std::uint64_t room = Room();
    std::uint64_t needed = 0;
    std::vector<std::uint64_t> fids;
    for (const MergeCandidate& segment : candidates) {
      needed += segment.live + segment.tombstones;
      fids.push_back(segment.fid);
    }
    if (needed > room) {
      one_pass = false;
      fids = ChooseMergeForSpace(candidates, room);
      if (fids.empty() && ReclaimAll()) continue;
      if (fids.empty()) {
        return ResourceExhausted(parts_.merge.directory.path() + ": there is no space to write " +
                                 std::to_string(needed) + " bytes of records in use anew");
      }
    }
    std::uint64_t bad_fid = 0;
    Status status = Merge(parts_.merge, Find(fids), pace, merge_counters_, &bad_fid);
    if (status.code() == StatusCode::kResourceExhausted && parts_.reserve.OnFull()) continue;
    if (!status.ok()) return status;
    std::erase_if(candidates, [&](const MergeCandidate& segment) {
      return std::find(fids.begin(), fids.end(), segment.fid) != fids.end();
    });
    Reclaim();
  }
  merged_whole_.clear();
  if (whole && one_pass) {
    for (const auto& segment : parts_.merge.segments.List()) {
      if (segment->sealed() && segment->kind() == SegmentKind::kMerged) {
        merged_whole_.insert(segment->fid());
      }
    }
  }
  return {};
}

}  // namespace weir::kv
