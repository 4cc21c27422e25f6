#include "segment_files.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

namespace weir::kv {

SegmentFiles::SegmentFiles(Vfs& vfs, std::size_t most)
    : vfs_(vfs),
      most_(std::max<std::size_t>(std::min<std::uint64_t>(most, vfs.MaxOpenFiles() / 2), 1)) {}

std::vector<SegmentFiles::Opened>::iterator SegmentFiles::Find(const SegmentFile& segment) {
  return std::find_if(open_.begin(), open_.end(),
                      [&](const Opened& opened) { return opened.segment == &segment; });
}

Result<File*> SegmentFiles::Open(const std::string& path, SegmentFile& segment) {
  std::vector<std::shared_ptr<File>> unused;  // closed last, without the lock
  const std::lock_guard lock(mutex_);
  if (File* file = segment.file_.load(std::memory_order_acquire); file != nullptr) return file;
  while (open_.size() >= most_ && Evict()) {
  }
  unused = TakeUnused();
  if (closing_.size() > most_ / 2) {
    return Unavailable(path + ": no file can be closed for it, because all are being read");
  }
  auto file = vfs_.Open(path, OpenMode::kRead);
  if (!file.ok() && file.status().code() == StatusCode::kUnavailable) {
    // Others in the process have taken the descriptors.
    for (std::size_t half = open_.size() / 2; half > 0 && Evict(); --half) {
    }
    TakeUnused().clear();
    unused.clear();
    file = vfs_.Open(path, OpenMode::kRead);
  }
  if (!file.ok()) return file.status();
  File* opened = file->get();
  open_.push_back({&segment, *std::move(file), false});
  segment.used_.store(true, std::memory_order_relaxed);
  segment.file_.store(opened, std::memory_order_release);
  return opened;
}

void SegmentFiles::Keep(SegmentFile& segment, std::shared_ptr<File> file) {
  const std::lock_guard lock(mutex_);
  File* opened = file.get();
  open_.push_back({&segment, std::move(file), true});
  segment.file_.store(opened, std::memory_order_release);
}

void SegmentFiles::Release(SegmentFile& segment) {
  std::vector<std::shared_ptr<File>> unused;
  const std::lock_guard lock(mutex_);
  if (const auto at = Find(segment); at != open_.end()) at->kept = false;
  while (open_.size() > most_ && Evict()) {
  }
  unused = TakeUnused();
}

void SegmentFiles::Close(SegmentFile& segment) {
  std::vector<std::shared_ptr<File>> unused;
  const std::lock_guard lock(mutex_);
  if (const auto at = Find(segment); at != open_.end()) {
    PutAside(static_cast<std::size_t>(at - open_.begin()));
  }
  unused = TakeUnused();
}

void SegmentFiles::MakeRoom() {
  std::vector<std::shared_ptr<File>> unused;
  {
    const std::lock_guard lock(mutex_);
    if (closing_.empty()) (void)Evict();
    unused = TakeUnused();
  }
  if (unused.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

void SegmentFiles::CloseUnused() {
  std::vector<std::shared_ptr<File>> unused;
  const std::lock_guard lock(mutex_);
  unused = TakeUnused();
}

std::size_t SegmentFiles::open_files() const {
  const std::lock_guard lock(mutex_);
  return open_.size() + closing_.size();
}

bool SegmentFiles::Evict() {
  // After two rounds every mark is gone, but for those that readers have just set again.
  for (std::size_t steps = 2 * open_.size() + 1; steps > 0; --steps) {
    if (open_.empty()) return false;
    if (hand_ >= open_.size()) hand_ = 0;
    const Opened& opened = open_[hand_];
    if (!opened.kept && !opened.segment->used_.exchange(false, std::memory_order_relaxed)) {
      PutAside(hand_);
      return true;
    }
    ++hand_;
  }
  return false;
}

void SegmentFiles::PutAside(std::size_t at) {
  Opened& opened = open_[at];
  opened.segment->file_.store(nullptr, std::memory_order_release);
  closing_.push_back({Epochs::End(), std::move(opened.file)});
  if (at + 1 != open_.size()) opened = std::move(open_.back());
  open_.pop_back();
}

std::vector<std::shared_ptr<File>> SegmentFiles::TakeUnused() {
  std::vector<std::shared_ptr<File>> unused;
  std::erase_if(closing_, [&](Closing& closing) {
    if (!Epochs::Passed(closing.epoch)) return false;
    unused.push_back(std::move(closing.file));
    return true;
  });
  return unused;
}

}  // namespace weir::kv
