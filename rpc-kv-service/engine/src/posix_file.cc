#include "posix_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <system_error>
#include <utility>

namespace weir::kv {

Status FromErrno(std::string_view what, const std::string& path, int error) {
  StatusCode code = StatusCode::kInternal;
  switch (error) {
    case ENOENT:
      code = StatusCode::kNotFound;
      break;
    case EEXIST:
      code = StatusCode::kAlreadyExists;
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      code = StatusCode::kPermissionDenied;
      break;
    case ENOSPC:
    case EDQUOT:
      code = StatusCode::kResourceExhausted;
      break;
    case EMFILE:
    case ENFILE:
      code = StatusCode::kUnavailable;
      break;
    default:
      break;
  }
  std::string message = path;
  message.append(": ").append(what).append(" failed: ");
  return {code, message.append(std::generic_category().message(error))};
}

PosixFile::PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

PosixFile::~PosixFile() {
  ::close(fd_);
}

Result<std::size_t> PosixFile::Read(std::uint64_t offset, char* buffer, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    const auto n = RetryOnInterrupt([&] {
      return ::pread(fd_, buffer + done, size - done, static_cast<off_t>(offset + done));
    });
    if (n < 0) return FromErrno("read", path_, errno);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

Status PosixFile::Write(std::uint64_t offset, std::span<const std::string_view> pieces) {
  if (window_.Write(offset, pieces)) return {};
  std::array<iovec, 256> vectors;
  while (!pieces.empty()) {
    const std::size_t count = std::min(pieces.size(), vectors.size());
    for (std::size_t i = 0; i < count; ++i) {
      vectors[i] = {const_cast<char*>(pieces[i].data()), pieces[i].size()};
    }
    if (Status status = WriteAll(offset, vectors.data(), static_cast<int>(count)); !status.ok()) {
      return status;
    }
    for (const std::string_view piece : pieces.first(count)) offset += piece.size();
    pieces = pieces.subspan(count);
  }
  return {};
}

Status PosixFile::Sync() {
  if (RetryOnInterrupt([&] { return ::fdatasync(fd_); }) < 0) {
    return FromErrno("fdatasync", path_, errno);
  }
  return {};
}

Status PosixFile::Truncate(std::uint64_t size) {
  window_.Close();
  if (RetryOnInterrupt([&] { return ::ftruncate(fd_, static_cast<off_t>(size)); }) < 0) {
    return FromErrno("truncate", path_, errno);
  }
  return {};
}

Status PosixFile::Allocate(std::uint64_t size) {
  if (RetryOnInterrupt([&] { return ::fallocate(fd_, 0, 0, static_cast<off_t>(size)); }) == 0) {
    return {};
  }
  if (errno != EOPNOTSUPP) return FromErrno("fallocate", path_, errno);
  return AppendZeroes(size);
}

Status PosixFile::PrepareAppends(std::uint64_t begin, std::uint64_t end) {
  window_.Close();
  if (!AppendWindow::IsSafe(fd_)) return Unimplemented(path_ + ": appends cannot be prepared");
  const auto size = Size();
  if (!size.ok()) return size.status();
  if (*size < end) {
    if (Status status = Truncate(end); !status.ok()) return status;
  }
  const int error = window_.Open(fd_, begin, end);
  if (error == 0) return {};
  if (*size < end) (void)Truncate(*size);
  return FromErrno("preparing appends", path_, error);
}

void PosixFile::StartWriting(std::uint64_t begin, std::uint64_t end) {
  (void)::sync_file_range(fd_, static_cast<off_t>(begin), static_cast<off_t>(end - begin),
                          SYNC_FILE_RANGE_WRITE);
}

Result<std::uint64_t> PosixFile::Size() {
  struct stat info {};
  if (::fstat(fd_, &info) < 0) return FromErrno("stat", path_, errno);
  return static_cast<std::uint64_t>(info.st_size);
}

void PosixFile::DropCache() {
  ::posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED);
}

Status PosixFile::WriteAll(std::uint64_t offset, iovec* vectors, int count) {
  while (count > 0) {
    // A small group is one piece, and pwrite costs less than pwritev of one.
    const auto n = RetryOnInterrupt([&] {
      return count == 1
                 ? ::pwrite(fd_, vectors->iov_base, vectors->iov_len, static_cast<off_t>(offset))
                 : ::pwritev(fd_, vectors, count, static_cast<off_t>(offset));
    });
    if (n < 0) return FromErrno("write", path_, errno);
    offset += static_cast<std::uint64_t>(n);
    auto left = static_cast<std::size_t>(n);
    for (; count > 0 && left >= vectors->iov_len; ++vectors, --count) left -= vectors->iov_len;
    if (count > 0) {
      vectors->iov_base = static_cast<char*>(vectors->iov_base) + left;
      vectors->iov_len -= left;
    }
  }
  return {};
}

Status PosixFile::AppendZeroes(std::uint64_t size) {
  const auto old_size = Size();
  if (!old_size.ok()) return old_size.status();
  const std::string zeroes(std::min<std::uint64_t>(size, 1 << 20), '\0');
  for (std::uint64_t at = *old_size; at < size;) {
    const auto piece =
        std::string_view(zeroes).substr(0, std::min<std::uint64_t>(size - at, zeroes.size()));
    if (Status status = Write(at, {&piece, 1}); !status.ok()) return status;
    at += piece.size();
  }
  return {};
}

}  // namespace weir::kv
