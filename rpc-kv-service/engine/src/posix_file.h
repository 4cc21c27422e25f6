// One of the operating system's files: pread and pwrite at given offsets only.
#pragma once

#include <sys/uio.h>

#include <cerrno>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "append_window.h"
#include "weir/kv/vfs.h"

namespace weir::kv {

// The Status of a system call on `path` that failed with `error`; `what`: the call, in words.
Status FromErrno(std::string_view what, const std::string& path, int error);

template <class Call>
auto RetryOnInterrupt(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

class PosixFile final : public File {
 public:
  // Owns `fd`.
  PosixFile(int fd, std::string path);
  ~PosixFile() override;

  Result<std::size_t> Read(std::uint64_t offset, char* buffer, std::size_t size) override;
  Status Write(std::uint64_t offset, std::span<const std::string_view> pieces) override;
  Status Sync() override;
  Status Truncate(std::uint64_t size) override;
  Status Allocate(std::uint64_t size) override;
  Status PrepareAppends(std::uint64_t begin, std::uint64_t end) override;
  void StartWriting(std::uint64_t begin, std::uint64_t end) override;
  Result<std::uint64_t> Size() override;
  void DropCache() override;

 private:
  Status WriteAll(std::uint64_t offset, iovec* vectors, int count);
  Status AppendZeroes(std::uint64_t size);

  const int fd_;
  const std::string path_;
  AppendWindow window_;
};

}  // namespace weir::kv
