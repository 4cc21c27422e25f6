// Adds a generation to a directory of backups.
#pragma once

#include <string>

#include "manifest.h"
#include "weir/kv/backup.h"

namespace weir::kv {

// What is backed up: segments that do not change meanwhile, or only grow behind their `length`.
struct BackupSource {
  std::string directory;
  ManifestState manifest;  // closed segments only
  std::uint64_t last_seq = 0;
};

Result<BackupReport> WriteBackup(Vfs& vfs, const BackupSource& source,
                                 const std::string& backup_directory, std::uint64_t time_ms,
                                 const BackupOptions& options);

}  // namespace weir::kv
