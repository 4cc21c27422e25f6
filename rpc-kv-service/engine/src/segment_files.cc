#include "segment_files.h"

#include <algorithm>
#include <mutex>

#include "segment_header.h"

namespace weir::kv {

Result<std::shared_ptr<File>> SegmentFiles::Get(std::uint64_t fid) {
  {
    const std::shared_lock lock(mutex_);
    if (const auto at = files_.find(fid); at != files_.end()) {
      // The active segment needs no age, and counting its reads would make all readers share a
      // line.
      if (fid != active_fid_) at->second.last_use = ++uses_;
      return at->second.file;
    }
  }
  const std::unique_lock lock(mutex_);
  if (const auto at = files_.find(fid); at != files_.end()) return at->second.file;
  const std::string path = directory_ + "/" + SegmentName(fid);
  Evict(most_ > 0 ? most_ - 1 : 0);
  auto file = vfs_.Open(path, OpenMode::kRead);
  if (!file.ok() && file.status().code() == StatusCode::kUnavailable) {
    Evict(files_.size() / 2);
    file = vfs_.Open(path, OpenMode::kRead);
  }
  if (!file.ok()) return file.status();
  Entry& entry = files_[fid];
  entry.file = *std::move(file);
  entry.last_use = ++uses_;
  return entry.file;
}

void SegmentFiles::SetActive(std::uint64_t fid, std::shared_ptr<File> file) {
  const std::unique_lock lock(mutex_);
  if (const auto old = files_.find(active_fid_); old != files_.end()) {
    old->second.last_use = ++uses_;
  }
  active_fid_ = fid;
  files_[fid].file = std::move(file);
  Evict(most_);
}

void SegmentFiles::Evict(std::size_t down_to) {
  while (files_.size() > down_to) {
    auto oldest = files_.end();
    for (auto at = files_.begin(); at != files_.end(); ++at) {
      if (at->first == active_fid_) continue;
      if (oldest == files_.end() || at->second.last_use < oldest->second.last_use) oldest = at;
    }
    if (oldest == files_.end()) return;
    files_.erase(oldest);
  }
}

std::size_t SegmentFiles::open_files() const {
  const std::shared_lock lock(mutex_);
  return files_.size();
}

}  // namespace weir::kv
