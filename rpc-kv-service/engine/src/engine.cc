#include "engine.h"

#include <algorithm>

#include "hint_schedule.h"
#include "parallel.h"
#include "recovery.h"
#include "segment_run.h"

namespace weir::kv {
namespace {

// A close reads so many times what may be without hints while the store runs: all of it, unless the
// hints were lost, which is no reason to close for minutes.
constexpr std::uint64_t kReadAtClose = 4;

}  // namespace

Store::Engine::Engine(std::unique_ptr<DataDirectory> directory, Options options)
    : directory_(std::move(directory)),
      options_(std::move(options)),
      time_(options_.clock),
      cache_(epochs_, options_.value_cache_bytes),
      segments_(directory_->vfs(), directory_->path(), options_, epochs_),
      index_(epochs_, segments_),
      snapshots_(index_),
      changes_(directory_->vfs(), segments_, snapshots_),
      reserve_(directory_->vfs(), directory_->path(), options_.reserve_bytes) {}

Status Store::Engine::Start() {
  auto recovered = Recover(*directory_, options_, segments_, index_);
  if (!recovered.ok()) return recovered.status();
  const ManifestState& state = recovered->manifest;
  store_id_ = state.store_id;
  id_ = ToHex(state.store_id);
  time_.RaiseFloor(state.time_floor_ms);
  snapshots_.Start(recovered->last_seq);
  snapshots_.SetLimits(options_.clock, options_.snapshot_ttl, options_.snapshot_memory);
  changes_.RaiseFirst(state.change_floor);
  if (options_.read_only) {
    if (recovered->active != nullptr) read_only_active_bytes_ = recovered->position.length;
    return {};
  }
  manifest_.emplace(std::move(recovered->manifest_file), recovered->manifest_length,
                    state.next_fid);
  log_.emplace(*directory_, segments_, *manifest_, state.store_id, options_.segment_size);
  if (Status status =
          log_->Start(recovered->position, std::move(recovered->active), recovered->last_seq);
      !status.ok()) {
    return status;
  }
  committer_.emplace(
      *log_, snapshots_, options_.sync, recovered->last_seq,
      [this](const WriteBatch& batch) { return CheckConditions(batch); }, reserve_);
  queue_.emplace(*committer_, options_.sync, options_.clock, options_.max_pending_bytes);
  maintenance_.emplace(PartsOfMaintenance(state.store_id));
  segments_.SetSealListener([this] { maintenance_->Wake(); });
  maintenance_->Start();
  return {};
}

Status Store::Engine::Close() {
  if (closing_.exchange(true)) return {};
  if (!queue_) {
    closed_ = true;
    directory_->Release();
    return {};
  }
  maintenance_->Stop();
  queue_->Close();  // callbacks may read
  closed_ = true;
  Status status = log_->Close();
  if (status.ok()) {
    const std::uint64_t most = MostUnhinted(options_.hints, GetStats().data_bytes);
    WriteMissingHints(directory_->vfs(), directory_->path(), store_id_, segments_,
                      ThreadsOrCores(options_.open_threads), kReadAtClose * most);
  }
  directory_->Release();
  return status;
}

Status Store::Engine::CheckWritable() const {
  if (queue_) return {};
  return FailedPrecondition(directory() + ": the store is opened read-only; open it for writing");
}

void Store::Engine::Submit(WriteRequest& request) {
  request.status = CheckWritable();
  if (request.status.ok()) queue_->Submit(request);
}

void Store::Engine::SubmitAsync(std::unique_ptr<AsyncWriteRequest> request) {
  request->status = CheckWritable();
  if (request->status.ok() && queue_->SubmitAsync(request)) return;
  request->callback(request->status, request->commit);
}

Status Store::Engine::CheckConditions(const WriteBatch& batch) {
  for (std::size_t i = 0; i < batch.conditions(); ++i) {
    if (Status status = CheckCondition(batch.condition(i)); !status.ok()) return status;
  }
  return {};
}

Status Store::Engine::CheckCondition(const WriteBatch::Condition& condition) {
  std::uint64_t seq = 0;
  bool same_value = false;
  Status status = Read(condition.key, {}, [&](const RecordView& record) {
    seq = record.seq;
    same_value = record.value == condition.value;
  });
  const bool absent = status.code() == StatusCode::kNotFound;
  if (!status.ok() && !absent) return status;
  switch (condition.require) {
    case WriteBatch::Require::kAbsent:
      return absent ? Status() : Aborted("the key is there, and the write requires that it is not");
    case WriteBatch::Require::kSeq:
      if (!absent && seq == condition.seq) return {};
      return Aborted("the key was last written by commit " +
                     (absent ? std::string("none") : std::to_string(seq)) +
                     ", and the write requires " + std::to_string(condition.seq));
    case WriteBatch::Require::kValue:
      if (!absent && same_value) return {};
      return Aborted(absent ? "the key is absent, and the write requires a value of it"
                            : "the key has another value than the write requires");
  }
  return {};
}

Result<SealedSegments> Store::Engine::Seal() {
  if (Status status = CheckOpen(); !status.ok()) return status;
  WriteRequest request;
  request.rotate = true;
  Submit(request);
  if (!request.status.ok()) return request.status;
  return HoldSealedSegments(directory_->vfs(), directory(), segments_);
}

Status Store::Engine::Checkpoint(const std::string& directory, std::uint64_t* last_seq) {
  const auto sealed = Seal();
  if (!sealed.ok()) return sealed.status();
  if (last_seq != nullptr) *last_seq = sealed->last_seq;
  return WriteCheckpoint(directory_->vfs(), *sealed, directory);
}

Result<BackupReport> Store::Engine::Backup(const std::string& backup_directory,
                                           const BackupOptions& options) {
  const auto sealed = Seal();
  if (!sealed.ok()) return sealed.status();
  const BackupSource source{sealed->directory, sealed->manifest, sealed->last_seq};
  return WriteBackup(directory_->vfs(), source, backup_directory, options_.clock->WallMs(),
                     options);
}

Result<std::unique_ptr<ChangeFeed>> Store::Engine::Changes(std::uint64_t from) {
  if (Status status = CheckOpen(); !status.ok()) return status;
  return changes_.Read(from);
}

Status Store::Engine::WaitForCommit(std::uint64_t seq, std::chrono::milliseconds timeout) {
  if (Status status = CheckOpen(); !status.ok()) return status;
  if (snapshots_.WaitVisible(seq, *options_.clock, options_.clock->Now() + timeout)) return {};
  return DeadlineExceeded("commit " + std::to_string(seq) + " did not come within " +
                          std::to_string(timeout.count()) + " ms");
}

Status Store::Engine::Merge(const MergeOptions& options) {
  if (Status status = CheckOpen(); !status.ok()) return status;
  if (Status status = CheckWritable(); !status.ok()) return status;
  return maintenance_->MergeNow(options);
}

Status Store::Engine::Verify(const VerifyProgress& progress) {
  if (Status status = CheckOpen(); !status.ok()) return status;
  if (Status status = CheckWritable(); !status.ok()) return status;
  return maintenance_->Verify(progress);
}

Stats Store::Engine::GetStats() const {
  Stats stats;
  stats.keys = index_.keys();
  std::int64_t live = 0;
  for (const auto& segment : segments_.List()) {
    ++stats.segments;
    live += segment->live_bytes();
    if (segment->sealed()) stats.data_bytes += segment->facts().length;
  }
  stats.data_bytes += active_bytes();
  stats.live_bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(live, 0));
  const std::uint64_t headers = stats.segments * kSegmentHeaderSize;
  stats.garbage_bytes = stats.data_bytes - std::min(stats.data_bytes, stats.live_bytes + headers);
  stats.index_bytes = index_.memory_bytes();
  stats.open_files = segments_.open_files();
  stats.cache_hits = cache_.hits();
  stats.cache_misses = cache_.misses();
  stats.last_seq = snapshots_.visible();
  stats.snapshots = snapshots_.count();
  stats.first_change = changes_.first();
  stats.bad_records = bad_reads_;
  if (queue_) AddWriting(stats);
  return stats;
}

void Store::Engine::AddWriting(Stats& stats) const {
  const SegmentLog::Counters& log = log_->counters();
  stats.pending_bytes = queue_->pending_bytes();
  stats.commits = committer_->commits();
  stats.user_bytes = committer_->user_bytes();
  stats.groups = log.groups;
  stats.syncs = log.syncs;
  stats.sync_failures = log.sync_failures;
  stats.durable_seq = log.durable_seq;
  const MergeCounters& merges = maintenance_->merges();
  stats.written_bytes = log.written_bytes + merges.written_bytes;
  stats.merges = merges.merges;
  stats.merge_failures = merges.failures;
  stats.merged_bytes = merges.merged_bytes;
  stats.scrubbed_bytes = maintenance_->scrubs().scrubbed_bytes;
  stats.bad_records += merges.bad_records + maintenance_->scrubs().bad_records;
  stats.fenced = log.fenced;
}

MaintenanceParts Store::Engine::PartsOfMaintenance(const StoreId& store_id) {
  return {.merge = {.directory = *directory_,
                    .segments = segments_,
                    .index = index_,
                    .epochs = epochs_,
                    .snapshots = snapshots_,
                    .manifest = *manifest_,
                    .changes = changes_,
                    .time = time_,
                    .store_id = store_id,
                    .segment_size = options_.segment_size,
                    .flush = [this] { return MakeVisibleDurable(); },
                    .fence = [this](const Status& cause) { (void)log_->Fence(cause); }},
          .options = options_,
          .reserve = reserve_,
          .reads = reads_,
          .active_bytes = [this] { return log_->counters().active_bytes.load(); },
          .seal_active = [this] { return SealActive(); }};
}

Status Store::Engine::MakeVisibleDurable() {
  if (log_->counters().durable_seq >= snapshots_.visible()) return {};
  WriteRequest request;
  request.sync = Sync::kNow;
  queue_->Submit(request);
  return std::move(request.status);
}

Status Store::Engine::SealActive() {
  WriteRequest request;
  request.rotate = true;
  queue_->Submit(request);
  return std::move(request.status);
}

std::unique_ptr<Iterator> Store::Engine::Scan(ScanOptions options) {
  auto snapshot = options.snapshot != nullptr
                      ? std::static_pointer_cast<const SnapshotHandle>(options.snapshot)
                      : TakeSnapshot();
  return std::make_unique<ScanIterator>(index_, epochs_, segments_, time_, std::move(snapshot),
                                        std::move(options));
}

}  // namespace weir::kv
