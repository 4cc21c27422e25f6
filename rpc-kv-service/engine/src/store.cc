#include "weir/kv/store.h"

#include <algorithm>
#include <atomic>

#include "commit_queue.h"
#include "record_reader.h"
#include "recovery.h"
#include "scan_iterator.h"
#include "weir/log.h"

namespace weir::kv {
namespace {

// Smaller ones would be little more than headers and syncs.
constexpr std::uint64_t kMinSegmentSize = 4096;

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
  return {};
}

}  // namespace

// The parts of an open store, in the order in which they depend on each other.
class Store::Engine {
 public:
  Engine(std::unique_ptr<DataDirectory> directory, Options options)
      : directory_(std::move(directory)),
        options_(std::move(options)),
        snapshots_(index_),
        files_(directory_->vfs(), directory_->path(), options_.max_open_files) {}

  Status Start() {
    auto recovered = Recover(*directory_, options_.adopt_copy, index_);
    if (!recovered.ok()) return recovered.status();
    id_ = ToHex(recovered->manifest.store_id);
    log_.emplace(*directory_, files_,
                 ManifestWriter(std::move(recovered->manifest_file), recovered->manifest_length),
                 recovered->manifest, options_.segment_size);
    if (Status status =
            log_->Start(recovered->position, std::move(recovered->active), recovered->last_seq);
        !status.ok()) {
      return status;
    }
    snapshots_.Start(recovered->last_seq);
    committer_.emplace(*log_, snapshots_, options_.sync, recovered->last_seq);
    queue_.emplace(*committer_, options_.sync, options_.clock, options_.max_pending_bytes);
    return {};
  }

  Status Close() {
    if (closed_.exchange(true)) return {};
    if (!queue_) return {};
    queue_->Close();
    Status status = log_->Close();
    directory_->Release();
    return status;
  }

  Status CheckOpen() const {
    if (closed_.load(std::memory_order_relaxed)) return FailedPrecondition("the store is closed");
    return {};
  }

  Status Get(std::string_view key, std::string* value) {
    if (Status status = CheckOpen(); !status.ok()) return status;
    const auto location = index_.Find(key);
    if (!location) return NotFound("no such key");
    return ReadValue(files_, directory_->path(), *location, key, value);
  }

  void Submit(WriteRequest& request) { queue_->Submit(request); }

  void SubmitAsync(std::unique_ptr<WriteRequest> request) {
    request->status = CheckBatch(request->owned_batch);
    if (request->status.ok() && queue_->SubmitAsync(request)) return;
    (*request->callback)(request->status, request->commit);
  }

  std::unique_ptr<Iterator> Scan(ScanOptions options) {
    return std::make_unique<ScanIterator>(index_, snapshots_, files_, directory_->path(),
                                          std::move(options));
  }

  Stats GetStats() const {
    const SegmentLog::Counters& log = log_->counters();
    Stats stats;
    stats.keys = index_.keys();
    stats.live_bytes = index_.live_bytes();
    stats.data_bytes = log.sealed_bytes + log.active_bytes;
    stats.segments = log.segments;
    stats.open_files = files_.open_files();
    stats.pending_bytes = queue_->pending_bytes();
    stats.commits = committer_->commits();
    stats.groups = log.groups;
    stats.syncs = log.syncs;
    stats.sync_failures = log.sync_failures;
    stats.last_seq = snapshots_.visible();
    stats.durable_seq = log.durable_seq;
    stats.fenced = log.fenced;
    return stats;
  }

  const std::string& id() const noexcept { return id_; }
  const std::string& directory() const noexcept { return directory_->path(); }

 private:
  const std::unique_ptr<DataDirectory> directory_;
  const Options options_;
  std::string id_;
  std::atomic<bool> closed_{false};
  Index index_;
  Snapshots snapshots_;
  SegmentFiles files_;
  std::optional<SegmentLog> log_;
  std::optional<Committer> committer_;
  std::optional<CommitQueue> queue_;
};

Result<std::unique_ptr<Store>> Store::Open(const std::string& directory, Options options) {
  if (Status status = CheckOptions(options); !status.ok()) return status;
  if (options.vfs == nullptr) options.vfs = PosixVfs();
  if (options.clock == nullptr) options.clock = SteadyClock();
  auto acquired = DataDirectory::Acquire(options.vfs, directory, options.create_if_missing);
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
  if (Status status = engine_->Get(key, &value); !status.ok()) return status;
  return value;
}

Status Store::Get(std::string_view key, std::string* value) {
  return engine_->Get(key, value);
}

Status Store::Put(std::string_view key, std::string_view value, WriteOptions options) {
  if (Status status = CheckOperation(key, value); !status.ok()) return status;
  WriteRequest request;
  request.single = {.is_delete = false, .key = key, .value = value};
  request.bytes = key.size() + value.size();
  request.sync = options.sync;
  engine_->Submit(request);
  return std::move(request.status);
}

Status Store::Delete(std::string_view key, WriteOptions options) {
  if (Status status = CheckOperation(key, {}); !status.ok()) return status;
  WriteRequest request;
  request.single = {.is_delete = true, .key = key, .value = {}};
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
  auto request = std::make_unique<WriteRequest>();
  request->owned_batch = std::move(batch);
  request->batch = &request->owned_batch;
  request->bytes = request->owned_batch.bytes();
  request->sync = options.sync;
  request->callback.emplace(std::move(callback));
  engine_->SubmitAsync(std::move(request));
}

std::unique_ptr<Iterator> Store::Scan(ScanOptions options) {
  return engine_->Scan(std::move(options));
}

Status Store::Flush() {
  WriteRequest request;
  request.sync = Sync::kNow;
  engine_->Submit(request);
  return std::move(request.status);
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
