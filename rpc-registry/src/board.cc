#include "board.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace weir::discovery {

std::uint64_t RegistrationBoard::Add(std::string what) {
  const std::lock_guard lock(mutex_);
  entries_[next_] = {.what = std::move(what), .stands = false, .why = {}};
  return next_++;
}

void RegistrationBoard::Remove(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  entries_.erase(id);
  changed_.notify_all();
}

void RegistrationBoard::SetStanding(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(id);
  if (entry == entries_.end()) return;
  entry->second.stands = true;
  entry->second.why.clear();
  changed_.notify_all();
}

bool RegistrationBoard::SetMissing(std::uint64_t id, std::string why) {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(id);
  if (entry == entries_.end()) return false;
  entry->second.stands = false;
  if (entry->second.why == why) return false;
  entry->second.why = std::move(why);
  return true;
}

void RegistrationBoard::SetObstacle(std::string why) {
  const std::lock_guard lock(mutex_);
  obstacle_ = std::move(why);
}

Status RegistrationBoard::Wait(std::int64_t timeout_ms) {
  std::unique_lock lock(mutex_);
  const auto missing = [this] {
    return std::find_if(entries_.begin(), entries_.end(),
                        [](const auto& entry) { return !entry.second.stands; });
  };
  const bool all_stand = changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms),
                                           [&] { return missing() == entries_.end(); });
  if (all_stand) return {};
  const Entry& entry = missing()->second;
  std::string why = !obstacle_.empty() ? obstacle_ : entry.why;
  if (why.empty()) why = "no answer yet";
  return DeadlineExceeded(registry_ + ": " + entry.what + " is not registered after " +
                          std::to_string(timeout_ms) + " ms: " + why);
}

}  // namespace weir::discovery
