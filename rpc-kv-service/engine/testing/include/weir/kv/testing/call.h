// The calls of a Vfs and of its files, by name: what a fault is put on and what a recording holds.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir::kv {

enum class Call : std::uint8_t {
  // Those that change something, or that promise it to be durable.
  kCreate,  // Open with kCreateNew, and a Lock that makes its file
  kWrite,
  kSync,
  kTruncate,
  kRename,
  kRemove,
  kSyncDirectory,
  kCreateDirectory,
  kLink,
  kAllocate,
  kRemoveDirectory,
  // Those that only look.
  kOpen,  // of a file that exists
  kRead,
  kMap,
  kList,
  kSize,
  kInode,
  kFreeSpace,
  kLock,
  kDropCache,
};

constexpr bool Changes(Call call) noexcept {
  return call <= Call::kRemoveDirectory;
}

// "write", "sync directory".
std::string_view ToString(Call call) noexcept;

}  // namespace weir::kv
