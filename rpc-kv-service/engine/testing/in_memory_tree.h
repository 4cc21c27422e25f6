// The files and directories of an InMemoryVfs, as a program sees them and as a disk holds them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include "weir/kv/testing/in_memory_vfs.h"

namespace weir::kv {

// A file or a directory, whatever names it has.
struct InMemoryNode {
  using Entries = std::map<std::string, std::shared_ptr<InMemoryNode>, std::less<>>;

  std::uint64_t inode = 0;
  bool is_directory = false;

  // Of a file.
  std::string seen;          // as a program reads it
  std::size_t prepared = 0;  // the last bytes of `seen`, zeroes that take no space
  std::string on_disk;       // as of the last sync
  // Below it `seen` and `on_disk` are the same.
  std::size_t first_unsynced = std::numeric_limits<std::size_t>::max();
  bool sync_lost = false;  // a sync has failed: what it should have written is gone
  std::uint64_t open_files = 0;
  bool locked = false;
  std::uint64_t readers = 0;  // shared locks

  // Of a directory.
  Entries entries;
  Entries entries_on_disk;  // as of the last SyncDirectory

  void Changed(std::size_t from) noexcept { first_unsynced = std::min(first_unsynced, from); }
  void WriteBack();
};

// Nodes are shared by the names and the open files of one InMemoryVfs.
using InMemoryNodePtr = std::shared_ptr<InMemoryNode>;

// A copy of all below `root`, its unsynced state with it; nothing is open or locked.
InMemoryNodePtr CopyTree(const InMemoryNode& root);
// The same, as a crash leaves it.
InMemoryNodePtr CrashedTree(const InMemoryNode& root, Unsynced unsynced, std::mt19937_64& random);
// Makes all below `root` durable.
void SyncTree(InMemoryNode& root);

}  // namespace weir::kv
