// A part of a file that is being appended to, mapped, so that a small append is a copy and no
// system call. What is copied is in the page cache at once, as if written: it outlives the process,
// and fdatasync makes it durable.
//
// A store into a mapping cannot fail, it can only kill the process (SIGBUS). So all that could fail
// is done first: pages are made present and writable, with room on the device, by a call that
// reports errors (MADV_POPULATE_WRITE, Linux 5.14), and only on file systems where a page that has
// its room keeps it when it is written back and dirtied again: ext4 and tmpfs.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace weir::kv {

// One thread. Whoever makes the file shorter closes the window first.
class AppendWindow {
 public:
  AppendWindow() = default;
  ~AppendWindow() { Close(); }
  AppendWindow(const AppendWindow&) = delete;
  AppendWindow& operator=(const AppendWindow&) = delete;

  // Whether a file system as that of `fd` is one of those.
  static bool IsSafe(int fd) noexcept;
  // Maps [begin, end) of `fd`, which IsSafe and at least so long, in place of what was mapped.
  // Returns 0 or an errno.
  int Open(int fd, std::uint64_t begin, std::uint64_t end) noexcept;
  void Close() noexcept;

  // Copies the pieces to `offset`, not before where the last ones ended, and what follows it.
  // False, having done nothing, if not all of that is mapped and can be given room.
  bool Write(std::uint64_t offset, std::span<const std::string_view> pieces) noexcept;

 private:
  void LetGo(std::uint64_t end) noexcept;
  bool Populate(std::uint64_t offset, std::uint64_t end) noexcept;

  char* address_ = nullptr;      // of the byte at begin_
  std::uint64_t begin_ = 0;      // begins a page
  std::uint64_t let_go_ = 0;     // before it the pages are no longer mapped
  std::uint64_t populated_ = 0;  // up to here the pages are there
  std::uint64_t end_ = 0;
};

}  // namespace weir::kv
