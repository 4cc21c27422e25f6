// Open segments for reading, a bounded number of them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <string>
#include <unordered_map>

#include "weir/kv/vfs.h"

namespace weir::kv {

// Thread-safe. A file that is evicted stays open for those who hold it.
class SegmentFiles {
 public:
  SegmentFiles(Vfs& vfs, std::string directory, std::size_t most)
      : vfs_(vfs), directory_(std::move(directory)), most_(most) {}

  // The segment, opened now if need be. Out of descriptors: closes others and tries again.
  Result<std::shared_ptr<File>> Get(std::uint64_t fid);
  // The segment that is being written: never evicted, until the next one takes its place.
  void SetActive(std::uint64_t fid, std::shared_ptr<File> file);
  std::size_t open_files() const;

 private:
  struct Entry {
    std::shared_ptr<File> file;
    std::atomic<std::uint64_t> last_use{0};
  };
  void Evict(std::size_t down_to);  // mutex_ held

  Vfs& vfs_;
  const std::string directory_;
  const std::size_t most_;
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::uint64_t, Entry> files_;
  std::uint64_t active_fid_ = 0;
  std::atomic<std::uint64_t> uses_{0};
};

}  // namespace weir::kv
