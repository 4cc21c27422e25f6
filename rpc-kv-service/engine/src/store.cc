#include "weir/kv/store.h"

#include <algorithm>
#include <atomic>

#include "engine.h"
#include "recovery.h"
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
  for (std::size_t i = 0; i < batch.conditions(); ++i) {
    const auto condition = batch.condition(i);
    if (Status status = CheckOperation(condition.key, condition.value); !status.ok()) return status;
  }
  return {};
}

}  // namespace

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
  request->status = CheckBatch(request->owned_batch);
  if (request->status.ok()) return engine_->SubmitAsync(std::move(request));
  request->callback(request->status, request->commit);
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
