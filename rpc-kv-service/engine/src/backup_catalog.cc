#include "backup_catalog.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "coding.h"
#include "crc32c.h"
#include "data_directory.h"
#include "whole_file.h"

namespace weir::kv {
namespace {

constexpr std::string_view kMagic{"weirbkp\0", 8};
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeadSize = 48;
constexpr std::uint64_t kMaxGenerationSize = 1 << 30;
constexpr std::string_view kSuffix = ".backup";
constexpr std::string_view kPartial = ".partial";

// "12" from "000012.backup"; nothing for any other name.
std::optional<std::uint64_t> ParseGenerationName(std::string_view name) {
  if (!name.ends_with(kSuffix)) return std::nullopt;
  return ParseSegmentName(std::string(name.substr(0, name.size() - kSuffix.size())) + ".data");
}

bool IsHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

std::string EncodeGeneration(const GenerationFile& generation) {
  const std::string manifest = EncodeManifest(generation.manifest);
  std::string bytes(kMagic);
  AppendFixed(bytes, kVersion);
  AppendFixed(bytes, std::uint32_t{0});
  AppendFixed(bytes, generation.number);
  AppendFixed(bytes, generation.time_ms);
  AppendFixed(bytes, generation.last_seq);
  AppendFixed(bytes, std::uint64_t{manifest.size()});
  bytes.append(manifest);
  AppendFixed(bytes, Crc32c().Extend(bytes).Value());
  return bytes;
}

DecodedGeneration DecodeGeneration(std::string_view bytes) {
  DecodedGeneration decoded;
  if (bytes.size() < kHeadSize + 4 || bytes.substr(0, kMagic.size()) != kMagic) {
    decoded.error = "is no generation of a backup";
    return decoded;
  }
  const std::string_view body = bytes.substr(0, bytes.size() - 4);
  if (Crc32c().Extend(body).Value() != LoadFixed<std::uint32_t>(bytes.data() + body.size())) {
    decoded.error = "is damaged";
    return decoded;
  }
  if (const auto version = LoadFixed<std::uint32_t>(bytes.data() + 8); version != kVersion) {
    decoded.error = "is of version " + std::to_string(version) + "; this program knows version " +
                    std::to_string(kVersion);
    return decoded;
  }
  GenerationFile& generation = decoded.generation;
  generation.number = LoadFixed<std::uint64_t>(bytes.data() + 16);
  generation.time_ms = LoadFixed<std::uint64_t>(bytes.data() + 24);
  generation.last_seq = LoadFixed<std::uint64_t>(bytes.data() + 32);
  if (LoadFixed<std::uint64_t>(bytes.data() + 40) != body.size() - kHeadSize) {
    decoded.error = "has another size than it says";
    return decoded;
  }
  ParsedManifest parsed = ParseManifest(body.substr(kHeadSize));
  if (!parsed.error.empty()) {
    decoded.error = "holds a MANIFEST that " + parsed.error;
  } else if (parsed.length != body.size() - kHeadSize) {
    decoded.error = "holds a MANIFEST with a damaged end";
  } else if (std::any_of(parsed.state.segments.begin(), parsed.state.segments.end(),
                         [](const auto& entry) { return !entry.second.sealed; })) {
    decoded.error = "names a segment that is open for writing";
  }
  generation.manifest = std::move(parsed.state);
  return decoded;
}

BackupGeneration Describe(const GenerationFile& generation) {
  BackupGeneration described;
  described.number = generation.number;
  described.time_ms = generation.time_ms;
  described.last_seq = generation.last_seq;
  described.store_id = ToHex(generation.manifest.store_id);
  for (const auto& [fid, live] : generation.manifest.segments) {
    ++described.segments;
    described.bytes += live.length;
  }
  return described;
}

std::string BackupSegmentName(std::uint64_t fid, const LiveSegment& live) {
  std::string name = SegmentName(fid);
  char tail[40];
  std::snprintf(tail, sizeof tail, "-%016llx-%08x.data",
                static_cast<unsigned long long>(live.length), live.crc);
  return name.substr(0, name.size() - std::string_view(".data").size()) + tail;
}

bool IsBackupSegmentName(std::string_view name) {
  const std::size_t dash = name.find('-');
  if (dash == std::string_view::npos) return false;
  const std::string_view tail = name.substr(dash);
  return ParseSegmentName(std::string(name.substr(0, dash)) + ".data") && tail.size() == 31 &&
         IsHex(tail.substr(1, 16)) && tail[17] == '-' && IsHex(tail.substr(18, 8)) &&
         tail.ends_with(".data");
}

std::string BackupCatalog::GenerationName(std::uint64_t number) {
  const std::string name = SegmentName(number);
  return name.substr(0, name.size() - std::string_view(".data").size()) + std::string(kSuffix);
}

Result<std::unique_ptr<BackupCatalog>> BackupCatalog::OpenToChange(Vfs& vfs,
                                                                   const std::string& path) {
  std::unique_ptr<BackupCatalog> catalog(new BackupCatalog(vfs, std::string(TrimSlashes(path))));
  if (Status made = vfs.CreateDirectory(catalog->path_);
      !made.ok() && made.code() != StatusCode::kAlreadyExists) {
    return made;
  }
  // Looked at before the lock is made: the directory may be somebody else's.
  if (Status status = catalog->ReadNames(); !status.ok()) return status;
  if (Status status = vfs.SyncDirectory(ParentOf(catalog->path_));
      !status.ok() && status.code() != StatusCode::kPermissionDenied) {
    return status;
  }
  const std::string holder = "pid " + std::to_string(::getpid()) + "\n";
  if (Status status = catalog->Lock(holder, LockMode::kExclusive); !status.ok()) return status;
  return catalog;
}

Result<std::unique_ptr<BackupCatalog>> BackupCatalog::OpenToRead(Vfs& vfs,
                                                                 const std::string& path) {
  std::unique_ptr<BackupCatalog> catalog(new BackupCatalog(vfs, std::string(TrimSlashes(path))));
  if (Status status = catalog->ReadNames(); !status.ok()) return status;
  if (catalog->generations_.empty()) {
    return NotFound(catalog->path_ + ": holds no backup; make one first");
  }
  if (Status status = catalog->Lock({}, LockMode::kShared); !status.ok()) return status;
  return catalog;
}

// Takes the lock, then looks again at what is there.
Status BackupCatalog::Lock(std::string_view holder, LockMode mode) {
  auto lock = vfs_.Lock(PathOf(kLockName), holder, mode);
  if (!lock.ok()) {
    if (lock.status().code() != StatusCode::kFailedPrecondition) return lock.status();
    return FailedPrecondition(std::string(lock.status().message()) +
                              "; wait until that backup is finished");
  }
  lock_ = *std::move(lock);
  return ReadNames();
}

Status BackupCatalog::ReadNames() {
  generations_.clear();
  segments_.clear();
  partial_.clear();
  const auto names = vfs_.List(path_);
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    std::string_view whole = name;
    const bool partial = whole.ends_with(kPartial);
    if (partial) whole.remove_suffix(kPartial.size());
    const auto number = ParseGenerationName(whole);
    const bool segment = IsBackupSegmentName(whole);
    if (partial && (number || segment)) {
      partial_.push_back(name);
    } else if (!partial && number) {
      generations_.insert(*number);
    } else if (!partial && segment) {
      segments_.insert(name);
    } else if (name != kLockName) {
      return FailedPrecondition(PathOf(name) +
                                ": is no part of a backup; choose a directory for backups alone");
    }
  }
  return {};
}

Result<GenerationFile> BackupCatalog::Read(std::uint64_t number) const {
  if (number == 0 && !generations_.empty()) number = *generations_.rbegin();
  if (!generations_.contains(number)) {
    return NotFound(path_ + ": has no generation " + std::to_string(number) +
                    "; list the backups to see which there are");
  }
  const std::string path = PathOf(GenerationName(number));
  const auto bytes = ReadWholeFile(vfs_, path, kMaxGenerationSize);
  if (!bytes.ok()) return bytes.status();
  DecodedGeneration decoded = DecodeGeneration(*bytes);
  if (decoded.error.empty() && decoded.generation.number != number) {
    decoded.error = "says that it is number " + std::to_string(decoded.generation.number);
  }
  if (!decoded.error.empty()) {
    return DataLoss(path + ": " + decoded.error + "; use another generation");
  }
  return std::move(decoded.generation);
}

Status BackupCatalog::Rename(const std::string& name) {
  return vfs_.Rename(PathOf(PartialName(name)), PathOf(name));
}

}  // namespace weir::kv
