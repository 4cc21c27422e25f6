#include "weir/kv/backup.h"

#include <set>

#include "backup_catalog.h"
#include "backup_writer.h"
#include "new_directory.h"
#include "segment_copy.h"
#include "still_directory.h"
#include "whole_file.h"

namespace weir::kv {
namespace {

std::shared_ptr<Vfs> VfsOf(const BackupOptions& options) {
  return options.vfs != nullptr ? options.vfs : PosixVfs();
}

}  // namespace

Result<BackupReport> BackupDirectory(const std::string& store_directory,
                                     const std::string& backup_directory,
                                     const BackupOptions& options) {
  const auto vfs = VfsOf(options);
  const auto lock = LockStill(*vfs, store_directory);
  if (!lock.ok()) return lock.status();
  auto manifest = SealStill(*vfs, store_directory);
  if (!manifest.ok()) return manifest.status();
  BackupSource source;
  source.directory = store_directory;
  source.manifest = std::move(manifest->state);
  source.last_seq = manifest->last_seq;
  const auto clock = options.clock != nullptr ? options.clock : SteadyClock();
  return WriteBackup(*vfs, source, backup_directory, clock->WallMs(), options);
}

Result<std::vector<BackupGeneration>> ListBackups(const std::string& backup_directory,
                                                  const BackupOptions& options) {
  const auto vfs = VfsOf(options);
  const auto catalog = BackupCatalog::OpenToRead(*vfs, backup_directory);
  if (!catalog.ok()) return catalog.status();
  std::vector<BackupGeneration> list;
  for (const std::uint64_t number : (*catalog)->generations()) {
    const auto generation = (*catalog)->Read(number);
    if (generation.ok()) {
      list.push_back(Describe(*generation));
    } else {
      BackupGeneration& damaged = list.emplace_back();
      damaged.number = number;
      damaged.error = generation.status().message();
    }
  }
  return list;
}

Result<BackupVerification> VerifyBackup(const std::string& backup_directory,
                                        std::uint64_t generation, const BackupOptions& options) {
  const auto vfs = VfsOf(options);
  const auto opened = BackupCatalog::OpenToRead(*vfs, backup_directory);
  if (!opened.ok()) return opened.status();
  BackupCatalog& catalog = **opened;
  std::set<std::uint64_t> numbers = catalog.generations();
  if (generation != 0) {
    if (!numbers.contains(generation)) return catalog.Read(generation).status();
    numbers = {generation};
  }
  BackupVerification result;
  struct Wanted {
    StoreId store_id;
    std::uint64_t fid;
    LiveSegment live;
  };
  std::map<std::string, Wanted> wanted;
  std::uint64_t total = 0;
  for (const std::uint64_t number : numbers) {
    ++result.generations;
    const auto read = catalog.Read(number);
    if (!read.ok()) {
      result.problems.emplace_back(read.status().message());
      continue;
    }
    for (const auto& [fid, live] : read->manifest.segments) {
      const bool added =
          wanted.emplace(BackupSegmentName(fid, live), Wanted{read->manifest.store_id, fid, live})
              .second;
      if (added) total += live.length;
    }
  }
  for (const auto& [name, segment] : wanted) {
    if (options.progress) options.progress(result.bytes, total);
    const Status status =
        CheckSealedSegment(*vfs, catalog.PathOf(name), segment.store_id, segment.fid, segment.live);
    if (!status.ok()) {
      result.problems.push_back(std::string(status.message()) +
                                "; or remove it and make another backup, if the store still has "
                                "this segment");
    }
    ++result.segments;
    result.bytes += segment.live.length;
  }
  if (options.progress) options.progress(total, total);
  return result;
}

Result<BackupGeneration> Restore(const std::string& backup_directory, std::uint64_t generation,
                                 const std::string& target, const BackupOptions& options) {
  const auto vfs = VfsOf(options);
  const auto catalog = BackupCatalog::OpenToRead(*vfs, backup_directory);
  if (!catalog.ok()) return catalog.status();
  const auto read = (*catalog)->Read(generation);
  if (!read.ok()) return read.status();
  const BackupGeneration described = Describe(*read);
  const auto directory = NewDirectory::Begin(*vfs, target);
  if (!directory.ok()) return directory.status();
  std::uint64_t done = 0;
  for (const auto& [fid, live] : read->manifest.segments) {
    if (options.progress) options.progress(done, described.bytes);
    Status status = CopySealedSegment(*vfs, (*catalog)->PathOf(BackupSegmentName(fid, live)),
                                      (*directory)->PathOf(SegmentName(fid)),
                                      read->manifest.store_id, fid, live);
    if (!status.ok()) return status;
    done += live.length;
  }
  if (options.progress) options.progress(done, described.bytes);
  Status status = (*directory)->Finish(read->manifest, NewDirectory::Identity::kStore);
  if (!status.ok()) return status;
  return described;
}

Result<PurgeReport> PurgeBackups(const std::string& backup_directory, std::uint64_t keep,
                                 const BackupOptions& options) {
  if (keep == 0) return InvalidArgument("at least one generation has to be kept");
  const auto vfs = VfsOf(options);
  const auto opened = BackupCatalog::OpenToChange(*vfs, backup_directory);
  if (!opened.ok()) return opened.status();
  BackupCatalog& catalog = **opened;
  std::vector<std::uint64_t> numbers(catalog.generations().begin(), catalog.generations().end());
  const std::size_t first_kept = numbers.size() - std::min<std::size_t>(numbers.size(), keep);
  std::set<std::string> used;
  for (std::size_t i = first_kept; i < numbers.size(); ++i) {
    const auto generation = catalog.Read(numbers[i]);
    if (!generation.ok()) {
      return DataLoss(std::string(generation.status().message()) +
                      "; nothing was removed, because nobody knows what this one uses: remove it "
                      "by hand, then purge again");
    }
    for (const auto& [fid, live] : generation->manifest.segments) {
      used.insert(BackupSegmentName(fid, live));
    }
  }
  PurgeReport report;
  for (std::size_t i = 0; i < first_kept; ++i) {
    Status status = vfs->Remove(catalog.PathOf(BackupCatalog::GenerationName(numbers[i])));
    if (!status.ok()) return status;
    ++report.removed_generations;
  }
  // Gone for good before what they use goes.
  if (Status status = catalog.Sync(); !status.ok()) return status;
  for (const std::string& name : catalog.segments()) {
    if (used.contains(name)) continue;
    const std::string path = catalog.PathOf(name);
    if (const auto file = vfs->Open(path, OpenMode::kRead); file.ok()) {
      if (const auto size = (*file)->Size(); size.ok()) report.removed_bytes += *size;
    }
    if (Status status = vfs->Remove(path); !status.ok()) return status;
    ++report.removed_files;
  }
  for (const std::string& name : catalog.partial()) {
    if (Status status = RemoveIfThere(*vfs, catalog.PathOf(name)); !status.ok()) return status;
  }
  if (Status status = catalog.Sync(); !status.ok()) return status;
  return report;
}

}  // namespace weir::kv
