#include "weir/kv/testing/call.h"

namespace weir::kv {

std::string_view ToString(Call call) noexcept {
  switch (call) {
    case Call::kCreate:
      return "create";
    case Call::kWrite:
      return "write";
    case Call::kSync:
      return "sync";
    case Call::kTruncate:
      return "truncate";
    case Call::kRename:
      return "rename";
    case Call::kRemove:
      return "remove";
    case Call::kSyncDirectory:
      return "sync directory";
    case Call::kCreateDirectory:
      return "create directory";
    case Call::kLink:
      return "link";
    case Call::kAllocate:
      return "allocate";
    case Call::kRemoveDirectory:
      return "remove directory";
    case Call::kOpen:
      return "open";
    case Call::kRead:
      return "read";
    case Call::kMap:
      return "map";
    case Call::kList:
      return "list";
    case Call::kSize:
      return "size";
    case Call::kInode:
      return "inode";
    case Call::kFreeSpace:
      return "free space";
    case Call::kLock:
      return "lock";
    case Call::kDropCache:
      return "drop cache";
  }
  return "?";
}

}  // namespace weir::kv
