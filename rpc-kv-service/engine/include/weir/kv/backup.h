// Backups of a store in a directory of their own, generation after generation. What generations
// have in common is there once: closed segments never change, so each is copied only by the first
// backup that finds it.
//
//   auto made = store->Backup("/backups/app");                        // while the store goes on
//   auto restored = weir::kv::Restore("/backups/app", 0, "/var/lib/app-restored");
//
// Everything that is copied is checked: records by their CRC, segments by what MANIFEST has sealed.
// A backup counts from the moment its generation file has its name, which is the last step; an
// interruption leaves the older generations as they were.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "weir/kv/clock.h"
#include "weir/kv/vfs.h"
#include "weir/status.h"

namespace weir::kv {

struct BackupOptions {
  std::shared_ptr<Vfs> vfs{};      // null: PosixVfs(). Not of Store::Backup, which has the store's
  std::shared_ptr<Clock> clock{};  // null: SteadyClock(). The same
  // Told how many bytes of how many are done, now and then, on the calling thread.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress{};
};

// A backup: the store at one moment.
struct BackupGeneration {
  std::uint64_t number = 0;    // counting up from 1; never used again
  std::uint64_t time_ms = 0;   // when it was made, milliseconds since 1970
  std::uint64_t last_seq = 0;  // the newest commit in it
  std::string store_id;        // 32 hexadecimal digits
  std::uint64_t segments = 0;
  std::uint64_t bytes = 0;  // of all its segments, also those it shares with others
  std::string error;        // not empty: it cannot be read, and why; only `number` is right
};

struct BackupReport {
  BackupGeneration generation;
  std::uint64_t copied_segments = 0;  // the others were there
  std::uint64_t copied_bytes = 0;
};

// Backs up the store in `store_directory`, which nobody may have open for writing, as it would be
// after an open: a torn tail is not in it. Changes nothing there. For an open store: Store::Backup.
Result<BackupReport> BackupDirectory(const std::string& store_directory,
                                     const std::string& backup_directory,
                                     const BackupOptions& options = {});

// All generations, the oldest first.
Result<std::vector<BackupGeneration>> ListBackups(const std::string& backup_directory,
                                                  const BackupOptions& options = {});

struct BackupVerification {
  std::uint64_t generations = 0;  // looked at
  std::uint64_t segments = 0;     // read; shared ones once
  std::uint64_t bytes = 0;
  std::vector<std::string> problems;  // a line each, naming the file; none: all is well
};
// Reads and checks all that `generation` (0: any) consists of.
Result<BackupVerification> VerifyBackup(const std::string& backup_directory,
                                        std::uint64_t generation = 0,
                                        const BackupOptions& options = {});

// Makes `target`, which must be absent or empty, the store as it was in `generation` (0: the
// newest); checks all that it copies. The result is the store itself: it has the same id and opens
// for writing. So it must not be served beside the original, and consumers of its change feed have
// to start over, because the commits behind the backup will come again with other contents.
Result<BackupGeneration> Restore(const std::string& backup_directory, std::uint64_t generation,
                                 const std::string& target, const BackupOptions& options = {});

struct PurgeReport {
  std::uint64_t removed_generations = 0;
  std::uint64_t removed_files = 0;  // of segments
  std::uint64_t removed_bytes = 0;
};
// Removes all generations but the newest `keep` (at least 1), and the segments that none of those
// uses. If one that is kept cannot be read, nothing is removed: DATA_LOSS.
Result<PurgeReport> PurgeBackups(const std::string& backup_directory, std::uint64_t keep,
                                 const BackupOptions& options = {});

}  // namespace weir::kv
