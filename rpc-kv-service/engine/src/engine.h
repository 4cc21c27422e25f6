// An open store: its parts, in the order in which they depend on each other, and what runs through
// several of them. Store (store.cc) checks what users give and passes it on.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "backup_writer.h"
#include "change_log.h"
#include "checkpoint.h"
#include "commit_queue.h"
#include "maintenance.h"
#include "record_reader.h"
#include "scan_iterator.h"
#include "segment_log.h"
#include "snapshot_handle.h"
#include "value_cache.h"
#include "wall_time.h"
#include "weir/kv/store.h"

namespace weir::kv {

// As Store promises.
class Store::Engine {
 public:
  Engine(std::unique_ptr<DataDirectory> directory, Options options);

  Status Start();
  Status Close();

  // Gives the record of `key` to `use` while it may be read.
  template <class Use>
  Status Read(std::string_view key, const ReadOptions& options, Use use);
  std::shared_ptr<const SnapshotHandle> TakeSnapshot() {
    return std::make_shared<const SnapshotHandle>(snapshots_);
  }
  std::unique_ptr<Iterator> Scan(ScanOptions options);

  void Submit(WriteRequest& request);
  // The batch has been checked.
  void SubmitAsync(std::unique_ptr<AsyncWriteRequest> request);

  Status Merge(const MergeOptions& options);
  Status Verify(const VerifyProgress& progress);
  Status Checkpoint(const std::string& directory, std::uint64_t* last_seq);
  Result<BackupReport> Backup(const std::string& backup_directory, const BackupOptions& options);
  Result<std::unique_ptr<ChangeFeed>> Changes(std::uint64_t from);
  Status WaitForCommit(std::uint64_t seq, std::chrono::milliseconds timeout);

  Stats GetStats() const;
  std::uint64_t WallMs() const { return time_.Now(); }
  const std::string& id() const noexcept { return id_; }
  const std::string& directory() const noexcept { return directory_->path(); }

 private:
  Status CheckOpen() const {
    if (closed_.load(std::memory_order_relaxed)) return FailedPrecondition("the store is closed");
    return {};
  }
  Status CheckWritable() const;

  template <class Use>
  Status ReadNow(std::string_view key, const ReadOptions& options, Use& use);
  template <class Use>
  Status ReadOnce(std::string_view key, const SnapshotHandle* snapshot, ReadBuffer& buffer,
                  Use& use);
  // Whether the conditions of a batch hold, in the newest visible state.
  Status CheckConditions(const WriteBatch& batch);
  Status CheckCondition(const WriteBatch::Condition& condition);

  // Closes the active segment, so that all commits up to now are in closed ones, and holds these.
  Result<SealedSegments> Seal();
  Status SealActive();
  // What has been read from the index, and may not be on disk yet.
  Status MakeVisibleDurable();
  MaintenanceParts PartsOfMaintenance(const StoreId& store_id);

  std::uint64_t active_bytes() const {
    return log_ ? log_->counters().active_bytes.load() : read_only_active_bytes_;
  }
  void AddWriting(Stats& stats) const;

  const std::unique_ptr<DataDirectory> directory_;
  const Options options_;
  StoreId store_id_{};
  std::string id_;
  std::uint64_t read_only_active_bytes_ = 0;
  std::atomic<std::uint64_t> bad_reads_{0};
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

template <class Use>
Status Store::Engine::Read(std::string_view key, const ReadOptions& options, Use use) {
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
Status Store::Engine::ReadNow(std::string_view key, const ReadOptions& options, Use& use) {
  const auto* snapshot = static_cast<const SnapshotHandle*>(options.snapshot.get());
  ReadBuffer buffer;
  for (int attempt = 1;; ++attempt) {
    Status status = ReadOnce(key, snapshot, buffer, use);
    if (status.code() == StatusCode::kDataLoss) ++bad_reads_;
    if (status.code() != StatusCode::kUnavailable || attempt == kReadAttempts) return status;
    segments_.MakeRoom();
  }
}

template <class Use>
Status Store::Engine::ReadOnce(std::string_view key, const SnapshotHandle* snapshot,
                               ReadBuffer& buffer, Use& use) {
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

}  // namespace weir::kv
