// A store's directory in the making: a checkpoint, what a restore or a repair writes.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "manifest.h"
#include "weir/kv/vfs.h"

namespace weir::kv {

// Is made as "<path>.partial" and gets its name when all of it is on disk, so that nobody takes an
// unfinished one for whole: what an interruption leaves has no MANIFEST, and is removed by the next
// one that makes the same directory. One thread.
class NewDirectory {
 public:
  // ALREADY_EXISTS if `path` is there and not empty. FAILED_PRECONDITION if somebody else is making
  // it.
  static Result<std::unique_ptr<NewDirectory>> Begin(Vfs& vfs, const std::string& path);
  ~NewDirectory();  // removes it if it is not finished

  // Where its file `name` is being made.
  std::string PathOf(std::string_view name) const { return partial_ + "/" + std::string(name); }

  // Who may write to what becomes of it.
  enum class Identity : std::uint8_t {
    kCopy,   // a copy of the store, which opens for writing only with Options::adopt_copy
    kStore,  // the store itself
  };
  // When all other files are there and synced: writes MANIFEST and gives the directory its name.
  Status Finish(const ManifestState& state, Identity identity);

 private:
  NewDirectory(Vfs& vfs, std::string path)
      : vfs_(vfs), path_(std::move(path)), partial_(path_ + ".partial") {}
  Status Prepare();
  Status RemoveContents(bool all);

  Vfs& vfs_;
  const std::string path_;
  const std::string partial_;
  std::unique_ptr<FileLock> lock_;
  bool finished_ = false;
};

}  // namespace weir::kv
