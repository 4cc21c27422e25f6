#include "append_window.h"

#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace weir::kv {
namespace {

const auto kPage = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
constexpr std::uint64_t kPopulateMost = 256 << 10;

}  // namespace

bool AppendWindow::IsSafe(int fd) noexcept {
  struct statfs info {};
  if (::fstatfs(fd, &info) < 0) return false;
  return info.f_type == EXT4_SUPER_MAGIC || info.f_type == TMPFS_MAGIC;
}

int AppendWindow::Open(int fd, std::uint64_t begin, std::uint64_t end) noexcept {
  Close();
  begin -= begin % kPage;
  void* const address = ::mmap(nullptr, end - begin, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                               static_cast<off_t>(begin));
  if (address == MAP_FAILED) return errno;
  address_ = static_cast<char*>(address);
  begin_ = let_go_ = populated_ = begin;
  end_ = end;
  return 0;
}

void AppendWindow::Close() noexcept {
  if (address_ != nullptr) ::munmap(address_, end_ - begin_);
  address_ = nullptr;
  begin_ = let_go_ = populated_ = end_ = 0;
}

bool AppendWindow::Write(std::uint64_t offset, std::span<const std::string_view> pieces) noexcept {
  if (offset < begin_ || offset >= end_) return false;
  std::uint64_t after = offset;
  for (const std::string_view piece : pieces) {
    if (piece.size() > end_ - after) return false;
    after += piece.size();
  }
  if (after > populated_ && !Populate(offset, after)) return false;
  char* to = address_ + (offset - begin_);
  for (const std::string_view piece : pieces) {
    std::memcpy(to, piece.data(), piece.size());
    to += piece.size();
  }
  return true;
}

// Takes the pages before `end` out of the mapping. Else each of them, when it is written back, is
// taken out of the page tables and caches of all processors on its own, which costs much more.
void AppendWindow::LetGo(std::uint64_t end) noexcept {
  if (end <= let_go_) return;
  (void)::madvise(address_ + (let_go_ - begin_), end - let_go_, MADV_DONTNEED);
  let_go_ = end;
}

// A part of what the file holds, so that a small one stays small, up to kPopulateMost at a time.
bool AppendWindow::Populate(std::uint64_t offset, std::uint64_t end) noexcept {
  const std::uint64_t page = offset - offset % kPage;
  LetGo(page);
  populated_ = std::max(populated_, page);  // what others have written needs no pages here
  const std::uint64_t more = std::clamp(end / 4, kPage, kPopulateMost);
  end = std::min((end + more) / kPage * kPage, end_);
  while (::madvise(address_ + (populated_ - begin_), end - populated_, MADV_POPULATE_WRITE) != 0) {
    if (errno == EINTR || errno == EAGAIN) continue;
    Close();
    return false;
  }
  populated_ = end - end % kPage;
  if (end == end_) populated_ = end_;
  return true;
}

}  // namespace weir::kv
