#include "change_log.h"

#include <string>

#include "log_feed.h"

namespace weir::kv {

Result<std::unique_ptr<ChangeFeed>> ChangeLog::Read(std::uint64_t from) const {
  if (from == 0) return InvalidArgument("commits are numbered from 1 on: ask for 1 or more");
  const std::uint64_t visible = snapshots_.visible();
  if (from > visible + 1) {
    return OutOfRange("commit " + std::to_string(from) +
                      " is asked for, but the store's newest is " + std::to_string(visible) +
                      "; if it has been restored from a backup, start over from a checkpoint");
  }
  auto feed = std::make_unique<LogFeed>(vfs_, segments_, snapshots_, *this, from);
  if (!feed->status().ok()) return feed->status();
  return std::unique_ptr<ChangeFeed>(std::move(feed));
}

}  // namespace weir::kv
