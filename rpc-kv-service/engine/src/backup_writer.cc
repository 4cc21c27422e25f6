#include "backup_writer.h"

#include "backup_catalog.h"
#include "segment_copy.h"
#include "whole_file.h"

namespace weir::kv {
namespace {

// A directory of backups is one store's: else a restore of "the newest" would be a lottery.
Status CheckSameStore(BackupCatalog& catalog, const ManifestState& manifest) {
  for (const std::uint64_t number : catalog.generations()) {
    const auto generation = catalog.Read(number);
    if (!generation.ok()) continue;  // a damaged one says nothing, and does no harm
    if (generation->manifest.store_id != manifest.store_id) {
      return FailedPrecondition(catalog.path() + ": holds backups of store " +
                                ToHex(generation->manifest.store_id) + ", not of " +
                                ToHex(manifest.store_id) + "; choose another directory");
    }
    break;
  }
  return {};
}

Status AddSegment(BackupCatalog& catalog, const BackupSource& source, std::uint64_t fid,
                  const LiveSegment& live, const std::string& name) {
  const std::string partial = catalog.PathOf(BackupCatalog::PartialName(name));
  Status status = CopySealedSegment(catalog.vfs(), source.directory + "/" + SegmentName(fid),
                                    partial, source.manifest.store_id, fid, live);
  if (status.ok()) return catalog.Rename(name);
  (void)catalog.vfs().Remove(partial);
  return status;
}

}  // namespace

Result<BackupReport> WriteBackup(Vfs& vfs, const BackupSource& source,
                                 const std::string& backup_directory, std::uint64_t time_ms,
                                 const BackupOptions& options) {
  const auto opened = BackupCatalog::OpenToChange(vfs, backup_directory);
  if (!opened.ok()) return opened.status();
  BackupCatalog& catalog = **opened;
  if (Status status = CheckSameStore(catalog, source.manifest); !status.ok()) return status;
  for (const std::string& name : catalog.partial()) {
    if (Status status = RemoveIfThere(vfs, catalog.PathOf(name)); !status.ok()) return status;
  }

  BackupReport report;
  std::uint64_t total = 0;
  for (const auto& [fid, live] : source.manifest.segments) {
    if (!catalog.segments().contains(BackupSegmentName(fid, live))) total += live.length;
  }
  for (const auto& [fid, live] : source.manifest.segments) {
    const std::string name = BackupSegmentName(fid, live);
    // A complete name means that all of it was checked and on disk before.
    if (catalog.segments().contains(name)) continue;
    if (options.progress) options.progress(report.copied_bytes, total);
    if (Status status = AddSegment(catalog, source, fid, live, name); !status.ok()) return status;
    ++report.copied_segments;
    report.copied_bytes += live.length;
  }
  if (options.progress) options.progress(total, total);
  // An interrupted backup may have renamed segments and not synced their names, so always.
  if (Status status = catalog.Sync(); !status.ok()) return status;

  GenerationFile generation;
  generation.number = catalog.generations().empty() ? 1 : *catalog.generations().rbegin() + 1;
  generation.time_ms = time_ms;
  generation.last_seq = source.last_seq;
  generation.manifest = source.manifest;
  generation.manifest.directory_inode = generation.manifest.manifest_inode = 0;
  const std::string name = BackupCatalog::GenerationName(generation.number);
  if (Status status = WriteNewFile(vfs, catalog.PathOf(BackupCatalog::PartialName(name)),
                                   EncodeGeneration(generation));
      !status.ok()) {
    return status;
  }
  if (Status status = catalog.Rename(name); !status.ok()) return status;
  if (Status status = catalog.Sync(); !status.ok()) return status;
  report.generation = Describe(generation);
  return report;
}

}  // namespace weir::kv
