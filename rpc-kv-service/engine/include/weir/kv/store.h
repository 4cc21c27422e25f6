// A Bitcask store in one directory: append-only data files and an ordered index in memory.
//
//   auto store = weir::kv::Store::Open("/var/lib/app", {});
//   if (!store.ok()) ...                       // one line: what is wrong with which file, what to
//   do weir::Status put = (*store)->Put("k", "v"); weir::Result<std::string> value =
//   (*store)->Get("k"); for (auto scan = (*store)->Scan({.prefix = "user/"}); scan->Valid();
//   scan->Next()) ...
//
// Files, formats and the rules that keep data safe: docs/kv-engine.md.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "weir/kv/backup.h"
#include "weir/kv/change_feed.h"
#include "weir/kv/options.h"
#include "weir/kv/write_batch.h"
#include "weir/status.h"

namespace weir::kv {

// What a successful write became.
struct Commit {
  std::uint64_t seq = 0;  // its place in the history of the store; ever increasing
  bool durable = false;   // true: also on disk; false: visible, on disk when the sync mode says
};

// Told once how an asynchronous write ended. Move-only, so that it can own a reply handle.
class WriteCallback {
 public:
  template <class F>
  requires(!std::is_same_v<std::decay_t<F>, WriteCallback> &&
           std::is_invocable_v<F&, const Status&, const Commit&>)
      WriteCallback(F&& f)  // NOLINT(google-explicit-constructor): takes any callable
      : call_(std::make_unique<Model<std::decay_t<F>>>(std::forward<F>(f))) {}

  void operator()(const Status& status, const Commit& commit) { call_->Call(status, commit); }

 private:
  struct Concept {
    virtual ~Concept() = default;
    virtual void Call(const Status& status, const Commit& commit) = 0;
  };
  template <class F>
  struct Model final : Concept {
    explicit Model(F f) : f_(std::move(f)) {}
    void Call(const Status& status, const Commit& commit) override { f_(status, commit); }
    F f_;
  };
  std::unique_ptr<Concept> call_;
};

// The state of a store at one moment, for reading. Holds memory and disk space that newer writes
// would free; given up by the store after Options::snapshot_ttl. Thread-safe. Must be destroyed
// before its store.
class Snapshot {
 public:
  virtual ~Snapshot() = default;
  // The newest commit it sees.
  virtual std::uint64_t seq() const noexcept = 0;
};

// All about one key.
struct Entry {
  std::string value;
  std::uint64_t seq = 0;        // the commit that wrote it; for WriteBatch::RequireSeq
  std::uint64_t expiry_ms = 0;  // when it vanishes, milliseconds since 1970; 0: never
};

// Which keys a scan visits: those that are >= start, < end and begin with prefix, in byte order.
struct ScanOptions {
  std::string start{};      // inclusive; to go on behind a key, append one '\0' to it
  std::string end{};        // exclusive; empty: no end
  std::string prefix{};     // empty: any
  std::uint64_t limit = 0;  // most keys to visit; 0: all
  bool keys_only = false;   // true: values are not read, value() is empty
  bool reverse = false;     // true: from the last key to the first
  std::shared_ptr<const Snapshot> snapshot{};  // null: the state at the moment of the call
};

// A scan over one state: later writes do not show, batches show whole or not at all. One thread at
// a time. Must be destroyed before its store. Ends with ABORTED when its snapshot was given up.
class Iterator {
 public:
  struct Item {
    std::string_view key;
    std::string_view value;
  };

  virtual ~Iterator() = default;
  Iterator(const Iterator&) = delete;
  Iterator& operator=(const Iterator&) = delete;

  // True while there is a key; false at the end and after an error (see status()).
  bool Valid() const noexcept { return at_ != end_; }
  void Next() {  // only when Valid()
    if (++at_ == end_) Advance();
  }
  std::string_view key() const noexcept { return at_->key; }      // only when Valid(); until Next()
  std::string_view value() const noexcept { return at_->value; }  // only when Valid(); until Next()
  virtual const Status& status() const = 0;  // not OK: the scan stopped early at a bad record

 protected:
  Iterator() = default;
  // What comes next, nothing at the end; its memory stays until the next Advance.
  void Show(const Item* items, std::size_t count) noexcept {
    at_ = items;
    end_ = items + count;
  }
  // All that was shown has been visited: shows what comes behind it.
  virtual void Advance() = 0;

 private:
  const Item* at_ = nullptr;
  const Item* end_ = nullptr;
};

struct Stats {
  std::uint64_t keys = 0;
  std::uint64_t live_bytes = 0;  // records that the index names
  std::uint64_t data_bytes = 0;  // all segments
  std::uint64_t segments = 0;
  std::uint64_t garbage_bytes = 0;  // of data_bytes: what merging could free, headers aside
  std::uint64_t index_bytes = 0;    // of memory
  std::uint64_t open_files = 0;     // segments open for reading
  std::uint64_t pending_bytes = 0;  // of writes waiting for their turn
  std::uint64_t commits = 0;        // since open
  std::uint64_t groups = 0;         // gathered writes to the file since open
  std::uint64_t syncs = 0;          // of data files since open
  std::uint64_t sync_failures = 0;  // since open; one is enough to fence writes
  std::uint64_t last_seq = 0;       // the newest visible commit
  std::uint64_t durable_seq = 0;    // all commits up to this one are on disk
  std::uint64_t user_bytes = 0;     // keys and values of all writes since open
  std::uint64_t written_bytes = 0;  // to data files since open, merges included
  std::uint64_t merges = 0;         // finished since open
  std::uint64_t merge_failures = 0;
  std::uint64_t merged_bytes = 0;    // of segments that merges have dropped since open
  std::uint64_t scrubbed_bytes = 0;  // read again in the background since open
  std::uint64_t bad_records = 0;     // found by scrubbing, merging and reading since open
  std::uint64_t snapshots = 0;       // that are held
  std::uint64_t cache_hits = 0;      // of the value cache
  std::uint64_t cache_misses = 0;
  std::uint64_t first_change = 1;  // the change feed knows all commits from this one on
  bool fenced = false;             // true: writes are refused until the store is opened again
};

// Told how far Store::Verify is: bytes read, of so many. False: stop.
using VerifyProgress = std::function<bool(std::uint64_t done, std::uint64_t total)>;

// Thread-safe, but for Close. Errors of writes:
//   INVALID_ARGUMENT     key or value over its limit, empty batch: nothing was written
//   RESOURCE_EXHAUSTED   no space on the device, or too much waiting (asynchronous form): nothing
//                        was written, may be tried again
//   UNKNOWN              the sync failed: the write may or may not be there after the next open;
//                        the store takes no more writes
//   ABORTED              a condition of the batch does not hold: nothing was written
//   FAILED_PRECONDITION  the store is closed, opened read-only, or fenced by an earlier failure
//   (the message says)
// A record that fails its checks on reading is DATA_LOSS, naming file and offset.
class Store {
 public:
  // Opens or creates the store in `directory`, whose parent must exist, and replays its segments.
  // A failed open leaves the directory as it was, but for what it announces as quarantined.
  static Result<std::unique_ptr<Store>> Open(const std::string& directory, Options options = {});
  ~Store();  // closes
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // Refuses further writes, finishes those that wait, makes all durable, releases the directory.
  // Not beside other calls. A second Close does nothing.
  Status Close();

  // NOT_FOUND if there is no such key.
  Result<std::string> Get(std::string_view key);
  // The same into a string of the caller's, whose memory is used again. Unchanged if it fails.
  Status Get(std::string_view key, std::string* value, const ReadOptions& options = {});
  Result<Entry> GetEntry(std::string_view key, const ReadOptions& options = {});
  std::shared_ptr<const Snapshot> GetSnapshot();

  // Blocking. Waits while more than max_pending_bytes are pending.
  Status Put(std::string_view key, std::string_view value, WriteOptions options = {});
  // Deleting a key that is not there is no error.
  Status Delete(std::string_view key, WriteOptions options = {});
  Status Write(const WriteBatch& batch, WriteOptions options = {}, Commit* commit = nullptr);
  // Puts `value` if the key has the value `expected` (nothing: if it is absent); else ABORTED. By
  // seq, or for several keys at a time: the conditions of WriteBatch.
  Status CompareAndSet(std::string_view key, const std::optional<std::string>& expected,
                       std::string_view value, WriteOptions options = {});

  // Asynchronous: returns at once. `callback` runs exactly once, on the thread that leads the
  // commit: the engine's writer thread or a thread inside a blocking write. It must not block and
  // must not make blocking writes. A write that is refused at once (INVALID_ARGUMENT,
  // FAILED_PRECONDITION, RESOURCE_EXHAUSTED because max_pending_bytes are pending) calls it before
  // Write returns. Writes of one thread are committed in their order.
  void Write(WriteBatch batch, WriteOptions options, WriteCallback callback);

  std::unique_ptr<Iterator> Scan(ScanOptions options);

  // Makes everything that is visible now durable.
  Status Flush();

  // Rewrites closed segments without their garbage, in key order; returns when it is done. Reads
  // and writes go on. One merge runs at a time; a second call waits for the first. All segments
  // (MergeOptions::min_garbage 0): closes the active one first. Errors: DATA_LOSS, naming file and
  // offset: a record in use is damaged, its segment stays as it is. RESOURCE_EXHAUSTED: there is no
  // space for the new segments. In both cases nothing is lost.
  Status Merge(const MergeOptions& options = {});
  // Reads all segments from the first byte to the last and checks every record. OK: all is well.
  // DATA_LOSS names the first bad place; each is logged and counted in Stats::bad_records.
  // CANCELLED: `progress` said so. Reads and writes go on.
  Status Verify(const VerifyProgress& progress = {});

  // Makes `directory`, which must be absent or empty, a copy of the store as it is now: all commits
  // up to `*last_seq`, each whole. The files are hard links, so it takes no time and no space until
  // merges replace them here; on another file system they are copied and checked. Reads and writes
  // go on. The copy opens read-only, or for writing with Options::adopt_copy. An interrupted
  // checkpoint leaves "<directory>.partial", which the next one removes.
  Status Checkpoint(const std::string& directory, std::uint64_t* last_seq = nullptr);

  // Adds the store as it is now to a directory of backups, see backup.h. Reads and writes go on.
  Result<BackupReport> Backup(const std::string& backup_directory,
                              const BackupOptions& options = {});

  // The commits from `from_seq` on, see change_feed.h. OUT_OF_RANGE if a merge has already
  // rewritten that one (Stats::first_change is the first that can be had), or if it is beyond the
  // next one.
  Result<std::unique_ptr<ChangeFeed>> Changes(std::uint64_t from_seq);
  // Waits until commit `seq` is visible; DEADLINE_EXCEEDED if it is not by then.
  Status WaitForCommit(std::uint64_t seq, std::chrono::milliseconds timeout);

  Stats GetStats() const;
  // 32 hexadecimal digits, made at random when the store was created; never changes.
  const std::string& id() const noexcept;
  const std::string& directory() const noexcept;

 private:
  class Engine;
  explicit Store(std::unique_ptr<Engine> engine);
  std::unique_ptr<Engine> engine_;
};

}  // namespace weir::kv
