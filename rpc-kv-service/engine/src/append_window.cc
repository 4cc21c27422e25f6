#include "append_window.h"

#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace weir::kv {

bool AppendWindow::IsSafe(int fd) noexcept {
  struct statfs info {};
  if (::fstatfs(fd, &info) < 0) return false;
  return info.f_type == EXT4_SUPER_MAGIC || info.f_type == TMPFS_MAGIC;
}

int AppendWindow::Open(int fd, std::uint64_t begin, std::uint64_t end) noexcept {
  Close();
  static const auto kPage = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  begin -= begin % kPage;
  const std::size_t size = end - begin;
  void* const address =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, static_cast<off_t>(begin));
  if (address == MAP_FAILED) return errno;
  int error = 0;
  do {
    error = ::madvise(address, size, MADV_POPULATE_WRITE) == 0 ? 0 : errno;
  } while (error == EINTR || error == EAGAIN);
  if (error != 0) {
    ::munmap(address, size);
    return error;
  }
  address_ = static_cast<char*>(address);
  begin_ = begin;
  end_ = end;
  return 0;
}

void AppendWindow::Close() noexcept {
  if (address_ != nullptr) ::munmap(address_, end_ - begin_);
  address_ = nullptr;
  begin_ = end_ = 0;
}

bool AppendWindow::Write(std::uint64_t offset, std::span<const std::string_view> pieces) noexcept {
  if (offset < begin_ || offset >= end_) return false;
  std::uint64_t left = end_ - offset;
  for (const std::string_view piece : pieces) {
    if (piece.size() > left) return false;
    left -= piece.size();
  }
  char* to = address_ + (offset - begin_);
  for (const std::string_view piece : pieces) {
    std::memcpy(to, piece.data(), piece.size());
    to += piece.size();
  }
  return true;
}

}  // namespace weir::kv
