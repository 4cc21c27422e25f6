#include "reserve.h"

#include <algorithm>
#include <bit>

#include "weir/log.h"

namespace weir::kv {
namespace {

constexpr std::uint64_t kLeast = 64 << 10;
// A small store has a large part, but not more than this; a large one a small part.
constexpr std::uint64_t kPartOfSmall = 16;
constexpr std::uint64_t kMostOfSmall = 256 << 10;
constexpr std::uint64_t kPartOfLarge = 512;

}  // namespace

Reserve::Reserve(Vfs& vfs, const std::string& directory, std::uint64_t most)
    : vfs_(vfs),
      directory_(directory),
      path_(directory + "/" + std::string(kReserveName)),
      most_(most) {}

Status Reserve::Take(std::uint64_t size) {
  if (file_ == nullptr) {
    auto file = vfs_.Open(path_, OpenMode::kReadWrite);
    if (file.status().code() == StatusCode::kNotFound) {
      file = vfs_.Open(path_, OpenMode::kCreateNew);
    }
    if (!file.ok()) return file.status();
    file_ = *std::move(file);
  }
  Status status = file_->Allocate(size);
  if (status.ok()) {
    held_ = size;
  } else {
    // It may have got a part, which others can use better.
    (void)file_->Truncate(held_);
  }
  return status;
}

void Reserve::Grow(std::uint64_t data_bytes) {
  const std::uint64_t size =
      std::min(most_, std::max(std::min(kMostOfSmall, std::bit_floor(data_bytes / kPartOfSmall)),
                               std::bit_floor(data_bytes / kPartOfLarge)));
  if (size < std::min(kLeast, most_) || size == 0) return;
  const std::lock_guard lock(mutex_);
  if (full_ || size <= held_) return;
  const bool known = size <= wanted_;
  wanted_ = std::max(wanted_, size);
  if (Status status = Take(size); !status.ok() && !known) {
    LogWarning(std::string(status.message()) +
               "; so there is no space kept back for deleting when the device is full");
  }
}

bool Reserve::OnFull() {
  const std::lock_guard lock(mutex_);
  if (full_ || held_ == 0) return false;
  // Without syncing: what this frees can be used at once.
  if (Status status = file_->Truncate(0); !status.ok()) {
    LogWarning(std::string(status.message()) + "; the reserve could not be given up");
    return false;
  }
  held_ = 0;
  full_ = true;
  LogWarning(directory_ + ": the device is full: puts are refused until there is space again; " +
             "deletes and merges use the reserve");
  return true;
}

bool Reserve::TakeBack() {
  const std::lock_guard lock(mutex_);
  if (!full_) return true;
  // Half as much again, so that the next put does not find it full at once.
  const auto free = vfs_.FreeSpace(directory_);
  if (!free.ok() || *free < wanted_ + wanted_ / 2) return false;
  if (!Take(wanted_).ok()) return false;
  full_ = false;
  LogInfo(directory_ + ": there is space again: puts go on");
  return true;
}

Status Reserve::Refusal() const {
  return ResourceExhausted(
      directory_ + ": the device is full; delete keys or make space on it, then puts go on");
}

std::uint64_t Reserve::bytes() const {
  const std::lock_guard lock(mutex_);
  return held_;
}

}  // namespace weir::kv
