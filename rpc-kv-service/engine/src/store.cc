#include "weir/kv/store.h"

#include <algorithm>
#include <atomic>

#include "backup_writer.h"
#include "change_log.h"
#include "checkpoint.h"
#include "commit_queue.h"
#include "maintenance.h"
#include "record_reader.h"
#include "recovery.h"
#include "scan_iterator.h"
#include "segment_log.h"
#include "segment_run.h"
#include "snapshot_handle.h"
#include "value_cache.h"
#include "wall_time.h"
#include "weir/log.h"

namespace weir::kv {
namespace {

// Smaller ones would be little more than headers and syncs.
constexpr std::uint64_t kMinSegmentSize = 4096;
// Bytes of segments that a close reads to write missing hints: about a second.
constexpr std::uint64_t kMostReadAtClose = 512 << 20;

Status CheckOptions(const Options& options) {
  if (options.segment_size < kMinSegmentSize || options.segment_size > kMaxSegmentSize) {
    return InvalidArgument("segment_size " + std::to_string(options.segment_size) +
                           " is out of range: use 4096 bytes to 1 TiB");
  }
  if (options.sync.mode == SyncMode::kInterval && options.sync.interval.count() <= 0) {
    return InvalidArgument("a sync interval must be at least 1 ms");
  }
  return {};
}

Status CheckOperation(std::string_view key, std::string_view value) {
  if (key.size() > kMaxKeySize) {
    return InvalidArgument("a key has " + std::to_string(key.size()) + " bytes; at most " +
                           std::to_string(kMaxKeySize) + " are allowed");
  }
  if (value.size() > kMaxValueSize) {
    return InvalidArgument("a value has " + std::to_string(value.size()) + " bytes; at most " +
                           std::to_string(kMaxValueSize) + " are allowed");
  }
  return {};
}

Status CheckBatch(const WriteBatch& batch) {
  if (batch.empty()) return InvalidArgument("the batch is empty: put or delete something");
  for (std::size_t i = 0; i < batch.count(); ++i) {
    if (Status status = CheckOperation(batch[i].key, batch[i].value); !status.ok()) return status;
  }
  for (std::size_t i = 0; i < batch.conditions(); ++i) {
    const auto condition = batch.condition(i);
    if (Status status = CheckOperation(condition.key, condition.value); !status.ok()) return status;
  }
  return {};
}

}  // namespace

// The parts of an open store, in the order in which they depend on each other.
class Store::Engine {
 public:
  Engine(std::unique_ptr<DataDirectory> directory, Options options)
      : directory_(std::move(directory)),
        options_(std::move(options)),
        time_(options_.clock),
        cache_(epochs_, options_.value_cache_bytes),
        segments_(directory_->vfs(), directory_->path(), options_, epochs_),
        index_(epochs_, segments_),
        snapshots_(index_),
        changes_(directory_->vfs(), segments_, snapshots_),
        reserve_(directory_->vfs(), directory_->path(), options_.reserve_bytes) {}

  Status Start() {
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

  Status Close() {
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
      WriteMissingHints(directory_->vfs(), directory_->path(), store_id_, segments_,
                        kMostReadAtClose);
    }
    directory_->Release();
    return status;
  }

  Status CheckOpen() const {
    if (closed_.load(std::memory_order_relaxed)) return FailedPrecondition("the store is closed");
    return {};
  }

  Status CheckWritable() const {
    if (queue_) return {};
    return FailedPrecondition(directory() + ": the store is opened read-only; open it for writing");
  }

  // Gives the record of `key` to `use` while it may be read.
  template <class Use>
  Status Read(std::string_view key, const ReadOptions& options, Use use) {
    if (Status status = CheckOpen(); !status.ok()) return status;
    if (ReadLatency::Sampled()) [[unlikely]] {
      const auto start = std::chrono::steady_clock::now();
      Status status = ReadNow(key, options, use);
      reads_.Add(std::chrono::steady_clock::now() - start);
      return status;
    }
    return ReadNow(key, options, use);
  }

  template <class Use>
  Status ReadNow(std::string_view key, const ReadOptions& options, Use& use) {
    const auto* snapshot = static_cast<const SnapshotHandle*>(options.snapshot.get());
    ReadBuffer buffer;
    for (int attempt = 1;; ++attempt) {
      Status status = ReadOnce(key, snapshot, buffer, use);
      if (status.code() != StatusCode::kUnavailable || attempt == kReadAttempts) return status;
      segments_.MakeRoom();
    }
  }

  std::shared_ptr<const SnapshotHandle> TakeSnapshot() {
    return std::make_shared<const SnapshotHandle>(snapshots_);
  }

  std::uint64_t WallMs() const { return time_.Now(); }

  void Submit(WriteRequest& request) {
    request.status = CheckWritable();
    if (request.status.ok()) queue_->Submit(request);
  }

  void SubmitAsync(std::unique_ptr<AsyncWriteRequest> request) {
    request->status = CheckWritable();
    if (request->status.ok()) request->status = CheckBatch(request->owned_batch);
    if (request->status.ok() && queue_->SubmitAsync(request)) return;
    request->callback(request->status, request->commit);
  }

  // Whether the conditions of a batch hold, in the newest visible state.
  Status CheckConditions(const WriteBatch& batch) {
    for (std::size_t i = 0; i < batch.conditions(); ++i) {
      if (Status status = CheckCondition(batch.condition(i)); !status.ok()) return status;
    }
    return {};
  }

  std::unique_ptr<Iterator> Scan(ScanOptions options) {
    auto snapshot = options.snapshot != nullptr
                        ? std::static_pointer_cast<const SnapshotHandle>(options.snapshot)
                        : TakeSnapshot();
    return std::make_unique<ScanIterator>(index_, epochs_, segments_, time_, std::move(snapshot),
                                          std::move(options));
  }

  // Closes the active segment, so that all commits up to now are in closed ones, and holds these.
  Result<SealedSegments> Seal() {
    if (Status status = CheckOpen(); !status.ok()) return status;
    WriteRequest request;
    request.rotate = true;
    Submit(request);
    if (!request.status.ok()) return request.status;
    return HoldSealedSegments(directory_->vfs(), directory(), segments_);
  }

  Status Checkpoint(const std::string& directory, std::uint64_t* last_seq) {
    const auto sealed = Seal();
    if (!sealed.ok()) return sealed.status();
    if (last_seq != nullptr) *last_seq = sealed->last_seq;
    return WriteCheckpoint(directory_->vfs(), *sealed, directory);
  }

  Result<BackupReport> Backup(const std::string& backup_directory, const BackupOptions& options) {
    const auto sealed = Seal();
    if (!sealed.ok()) return sealed.status();
    const BackupSource source{sealed->directory, sealed->manifest, sealed->last_seq};
    return WriteBackup(directory_->vfs(), source, backup_directory, options_.clock->WallMs(),
                       options);
  }

  Result<std::unique_ptr<ChangeFeed>> Changes(std::uint64_t from) {
    if (Status status = CheckOpen(); !status.ok()) return status;
    return changes_.Read(from);
  }

  Status WaitForCommit(std::uint64_t seq, std::chrono::milliseconds timeout) {
    if (Status status = CheckOpen(); !status.ok()) return status;
    if (snapshots_.WaitVisible(seq, *options_.clock, options_.clock->Now() + timeout)) return {};
    return DeadlineExceeded("commit " + std::to_string(seq) + " did not come within " +
                            std::to_string(timeout.count()) + " ms");
  }

  Status Merge(const MergeOptions& options) {
    if (Status status = CheckOpen(); !status.ok()) return status;
    if (Status status = CheckWritable(); !status.ok()) return status;
    if (Status status = CheckWritable(); !status.ok()) return status;
    return maintenance_->MergeNow(options);
  }

  Status Verify(const VerifyProgress& progress) {
    if (Status status = CheckOpen(); !status.ok()) return status;
    if (Status status = CheckWritable(); !status.ok()) return status;
    if (Status status = CheckWritable(); !status.ok()) return status;
    return maintenance_->Verify(progress);
  }

  Stats GetStats() const {
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
    if (queue_) AddWriting(stats);
    return stats;
  }

  const std::string& id() const noexcept { return id_; }
  const std::string& directory() const noexcept { return directory_->path(); }

 private:
  std::uint64_t active_bytes() const {
    return log_ ? log_->counters().active_bytes.load() : read_only_active_bytes_;
  }

  void AddWriting(Stats& stats) const {
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
    stats.bad_records = merges.bad_records + maintenance_->scrubs().bad_records;
    stats.fenced = log.fenced;
  }

  template <class Use>
  Status ReadOnce(std::string_view key, const SnapshotHandle* snapshot, ReadBuffer& buffer,
                  Use& use) {
    const auto pin = epochs_.Enter();
    const auto location = index_.Find(pin, key, snapshot != nullptr ? snapshot->id() : kNewest);
    if (snapshot != nullptr) {
      if (Status status = snapshot->Check(); !status.ok()) return status;
    }
    if (!location) return NotFound("no such key");
    RecordView record;
    const bool cacheable = cache_.Wants(location->size);
    const std::uint64_t fid = cacheable ? segments_.at(location->slot)->fid() : 0;
    if (!cacheable || !cache_.Find(fid, location->offset, key, &record)) {
      if (Status status = ReadRecord(segments_, *location, key, buffer, &record); !status.ok()) {
        return status;
      }
      if (cacheable) cache_.Add(fid, location->offset, key, record);
    }
    if (time_.Expired(record.expiry_ms)) return NotFound("no such key");
    use(record);
    return {};
  }

  Status CheckCondition(const WriteBatch::Condition& condition) {
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
        return absent ? Status()
                      : Aborted("the key is there, and the write requires that it is not");
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

  MaintenanceParts PartsOfMaintenance(const StoreId& store_id) {
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

  // What has been read from the index, and may not be on disk yet.
  Status MakeVisibleDurable() {
    if (log_->counters().durable_seq >= snapshots_.visible()) return {};
    WriteRequest request;
    request.sync = Sync::kNow;
    queue_->Submit(request);
    return std::move(request.status);
  }

  Status SealActive() {
    WriteRequest request;
    request.rotate = true;
    queue_->Submit(request);
    return std::move(request.status);
  }

  const std::unique_ptr<DataDirectory> directory_;
  const Options options_;
  StoreId store_id_{};
  std::string id_;
  std::uint64_t read_only_active_bytes_ = 0;
  std::atomic<bool> closing_{false};
  std::atomic<bool> closed_{false};
  WallTime time_;
  Epochs epochs_;
  ValueCache cache_;
  SegmentTable segments_;
  Index index_;
  Snapshots snapshots_;
  ChangeLog changes_;
  Reserve reserve_;
  ReadLatency reads_;
  std::optional<Manifest> manifest_;
  std::optional<SegmentLog> log_;
  std::optional<Committer> committer_;
  std::optional<CommitQueue> queue_;
  std::optional<Maintenance> maintenance_;
};

Result<std::unique_ptr<Store>> Store::Open(const std::string& directory, Options options) {
  if (Status status = CheckOptions(options); !status.ok()) return status;
  if (options.vfs == nullptr) options.vfs = PosixVfs();
  if (options.clock == nullptr) options.clock = SteadyClock();
  auto acquired =
      DataDirectory::Acquire(options.vfs, directory, options.create_if_missing, options.read_only);
  if (!acquired.ok()) return acquired.status();
  DataDirectory& held = **acquired;
  const bool fresh = held.fresh();
  Status status = fresh ? CreateManifest(held) : Status();
  auto engine = std::make_unique<Engine>(*std::move(acquired), std::move(options));
  if (status.ok()) status = engine->Start();
  if (!status.ok()) {
    if (fresh) held.RemoveCreated();
    return status;
  }
  return std::unique_ptr<Store>(new Store(std::move(engine)));
}

Store::Store(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}

Store::~Store() {
  if (Status status = Close(); !status.ok()) {
    LogError(directory() + ": closing failed: " + std::string(status.message()));
  }
}

Status Store::Close() {
  return engine_->Close();
}

Result<std::string> Store::Get(std::string_view key) {
  std::string value;
  if (Status status = Get(key, &value); !status.ok()) return status;
  return value;
}

Status Store::Get(std::string_view key, std::string* value, const ReadOptions& options) {
  return engine_->Read(key, options,
                       [value](const RecordView& record) { value->assign(record.value); });
}

Result<Entry> Store::GetEntry(std::string_view key, const ReadOptions& options) {
  Entry entry;
  Status status = engine_->Read(key, options, [&entry](const RecordView& record) {
    entry.value.assign(record.value);
    entry.seq = record.seq;
    entry.expiry_ms = record.expiry_ms;
  });
  if (!status.ok()) return status;
  return entry;
}

std::shared_ptr<const Snapshot> Store::GetSnapshot() {
  return engine_->TakeSnapshot();
}

Status Store::Put(std::string_view key, std::string_view value, WriteOptions options) {
  if (Status status = CheckOperation(key, value); !status.ok()) return status;
  WriteRequest request;
  request.single = {.is_delete = false, .key = key, .value = value};
  request.has_single = true;
  if (options.ttl.count() > 0) {
    request.single.expiry_ms = engine_->WallMs() + static_cast<std::uint64_t>(options.ttl.count());
  }
  request.bytes = key.size() + value.size();
  request.sync = options.sync;
  engine_->Submit(request);
  return std::move(request.status);
}

Status Store::Delete(std::string_view key, WriteOptions options) {
  if (Status status = CheckOperation(key, {}); !status.ok()) return status;
  WriteRequest request;
  request.single = {.is_delete = true, .key = key, .value = {}};
  request.has_single = true;
  request.bytes = key.size();
  request.sync = options.sync;
  engine_->Submit(request);
  return std::move(request.status);
}

Status Store::Write(const WriteBatch& batch, WriteOptions options, Commit* commit) {
  if (Status status = CheckBatch(batch); !status.ok()) return status;
  WriteRequest request;
  request.batch = &batch;
  request.bytes = batch.bytes();
  request.sync = options.sync;
  engine_->Submit(request);
  if (commit != nullptr && request.status.ok()) *commit = request.commit;
  return std::move(request.status);
}

void Store::Write(WriteBatch batch, WriteOptions options, WriteCallback callback) {
  auto request = std::make_unique<AsyncWriteRequest>(std::move(batch), std::move(callback));
  request->sync = options.sync;
  engine_->SubmitAsync(std::move(request));
}

std::unique_ptr<Iterator> Store::Scan(ScanOptions options) {
  return engine_->Scan(std::move(options));
}

Status Store::CompareAndSet(std::string_view key, const std::optional<std::string>& expected,
                            std::string_view value, WriteOptions options) {
  WriteBatch batch;
  if (expected) {
    batch.RequireValue(key, *expected);
  } else {
    batch.RequireAbsent(key);
  }
  const std::uint64_t expiry_ms =
      options.ttl.count() > 0 ? engine_->WallMs() + static_cast<std::uint64_t>(options.ttl.count())
                              : 0;
  batch.PutUntil(key, value, expiry_ms);
  return Write(batch, options);
}

Status Store::Flush() {
  WriteRequest request;
  request.sync = Sync::kNow;
  engine_->Submit(request);
  return std::move(request.status);
}

Status Store::Checkpoint(const std::string& directory, std::uint64_t* last_seq) {
  return engine_->Checkpoint(directory, last_seq);
}

Result<BackupReport> Store::Backup(const std::string& backup_directory,
                                   const BackupOptions& options) {
  return engine_->Backup(backup_directory, options);
}

Result<std::unique_ptr<ChangeFeed>> Store::Changes(std::uint64_t from_seq) {
  return engine_->Changes(from_seq);
}

Status Store::WaitForCommit(std::uint64_t seq, std::chrono::milliseconds timeout) {
  return engine_->WaitForCommit(seq, timeout);
}

Status Store::Merge(const MergeOptions& options) {
  return engine_->Merge(options);
}

Status Store::Verify(const VerifyProgress& progress) {
  return engine_->Verify(progress);
}

Stats Store::GetStats() const {
  return engine_->GetStats();
}
const std::string& Store::id() const noexcept {
  return engine_->id();
}
const std::string& Store::directory() const noexcept {
  return engine_->directory();
}

}  // namespace weir::kv
