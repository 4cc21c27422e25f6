// The operating system's files. pread/pwritev at given offsets only; flock for the lock, because it
// belongs to the open file and so ends with the process, whatever pid it had.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <limits>
#include <system_error>

#include "weir/kv/vfs.h"

namespace weir::kv {
namespace {

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

template <class Call>
auto RetryOnInterrupt(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

class PosixFile final : public File {
 public:
  PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~PosixFile() override { ::close(fd_); }

  Result<std::size_t> Read(std::uint64_t offset, char* buffer, std::size_t size) override {
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

  Status Write(std::uint64_t offset, std::span<const std::string_view> pieces) override {
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

  Status Sync() override {
    if (RetryOnInterrupt([&] { return ::fdatasync(fd_); }) < 0) {
      return FromErrno("fdatasync", path_, errno);
    }
    return {};
  }
  Status Truncate(std::uint64_t size) override {
    if (RetryOnInterrupt([&] { return ::ftruncate(fd_, static_cast<off_t>(size)); }) < 0) {
      return FromErrno("truncate", path_, errno);
    }
    return {};
  }
  Status Allocate(std::uint64_t size) override {
    if (RetryOnInterrupt([&] { return ::fallocate(fd_, 0, 0, static_cast<off_t>(size)); }) == 0) {
      return {};
    }
    if (errno != EOPNOTSUPP) return FromErrno("fallocate", path_, errno);
    return AppendZeroes(size);
  }
  Result<std::uint64_t> Size() override {
    struct stat info {};
    if (::fstat(fd_, &info) < 0) return FromErrno("stat", path_, errno);
    return static_cast<std::uint64_t>(info.st_size);
  }
  void DropCache() override { ::posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED); }

 private:
  Status WriteAll(std::uint64_t offset, iovec* vectors, int count) {
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

  Status AppendZeroes(std::uint64_t size) {
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

  const int fd_;
  const std::string path_;
};

class PosixMapping final : public Mapping {
 public:
  // Owns the mapped bytes; none if `size` is 0.
  PosixMapping(void* address, std::size_t size) : address_(address), size_(size) {}
  ~PosixMapping() override {
    if (size_ != 0) ::munmap(address_, size_);
  }
  std::string_view bytes() const noexcept override {
    return {static_cast<const char*>(address_), size_};
  }

 private:
  void* const address_;
  const std::size_t size_;
};

class PosixLock final : public FileLock {
 public:
  // Of a file that could not be created there is none to lock: fd -1.
  explicit PosixLock(int fd) : fd_(fd) {}
  ~PosixLock() override {
    if (fd_ >= 0) ::close(fd_);
  }

 private:
  const int fd_;
};

class PosixFileSystem final : public Vfs {
 public:
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    int flags = O_CLOEXEC;
    switch (mode) {
      case OpenMode::kRead:
        flags |= O_RDONLY;
        break;
      case OpenMode::kReadWrite:
        flags |= O_RDWR;
        break;
      case OpenMode::kCreateNew:
        flags |= O_RDWR | O_CREAT | O_EXCL;
        break;
    }
    const int fd = RetryOnInterrupt([&] { return ::open(path.c_str(), flags, 0644); });
    if (fd < 0) return FromErrno("open", path, errno);
    return std::unique_ptr<File>(std::make_unique<PosixFile>(fd, path));
  }

  Result<std::unique_ptr<Mapping>> Map(const std::string& path) override {
    const int fd = RetryOnInterrupt([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
    if (fd < 0) return FromErrno("open", path, errno);
    const PosixFile file(fd, path);
    struct stat info {};
    if (::fstat(fd, &info) < 0) return FromErrno("stat", path, errno);
    const auto size = static_cast<std::size_t>(info.st_size);
    void* address = nullptr;
    if (size != 0) {
      address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
      if (address == MAP_FAILED) return FromErrno("mmap", path, errno);
    }
    return std::unique_ptr<Mapping>(std::make_unique<PosixMapping>(address, size));
  }

  Result<std::vector<std::string>> List(const std::string& directory) override {
    DIR* stream = ::opendir(directory.c_str());
    if (stream == nullptr) return FromErrno("listing", directory, errno);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(stream)) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
      errno = 0;
    }
    const int error = errno;
    ::closedir(stream);
    if (error != 0) return FromErrno("listing", directory, error);
    return names;
  }

  Status CreateDirectory(const std::string& path) override {
    return Check(::mkdir(path.c_str(), 0755), "mkdir", path);
  }
  Status RemoveDirectory(const std::string& path) override {
    return Check(::rmdir(path.c_str()), "rmdir", path);
  }
  Status Remove(const std::string& path) override {
    return Check(::unlink(path.c_str()), "unlink", path);
  }
  Status Rename(const std::string& from, const std::string& to) override {
    return Check(::rename(from.c_str(), to.c_str()), "rename", from);
  }

  Status Link(const std::string& from, const std::string& to) override {
    return Check(::link(from.c_str(), to.c_str()), "link", to);
  }

  Status SyncDirectory(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return FromErrno("open", path, errno);
    Status status = Check(::fsync(fd), "fsync", path);
    ::close(fd);
    return status;
  }

  Result<std::uint64_t> Inode(const std::string& path) override {
    struct stat info {};
    if (::stat(path.c_str(), &info) < 0) return FromErrno("stat", path, errno);
    return static_cast<std::uint64_t>(info.st_ino);
  }

  Result<std::uint64_t> FreeSpace(const std::string& path) override {
    struct statvfs info {};
    if (::statvfs(path.c_str(), &info) < 0) return FromErrno("statvfs", path, errno);
    return std::uint64_t{info.f_bavail} * info.f_frsize;
  }

  std::uint64_t MaxOpenFiles() override {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY) {
      return std::numeric_limits<std::uint64_t>::max();
    }
    return limit.rlim_cur;
  }

  Result<std::unique_ptr<FileLock>> Lock(const std::string& path, std::string_view text,
                                         LockMode mode) override {
    const bool shared = mode == LockMode::kShared;
    int fd = ::open(path.c_str(), (shared ? O_RDONLY : O_RDWR | O_CREAT) | O_CLOEXEC, 0644);
    if (fd < 0 && shared && errno == ENOENT) {
      fd = ::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0644);
      if (fd < 0 && (errno == EACCES || errno == EPERM || errno == EROFS)) {
        return std::unique_ptr<FileLock>(std::make_unique<PosixLock>(-1));
      }
    }
    if (fd < 0) return FromErrno("open", path, errno);
    auto lock = std::make_unique<PosixLock>(fd);
    if (RetryOnInterrupt([&] { return ::flock(fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB); }) < 0) {
      if (errno != EWOULDBLOCK) return FromErrno("flock", path, errno);
      return FailedPrecondition(path + ": locked by " + HolderOf(fd, shared));
    }
    // The file may have been removed and made anew between open and flock: this lock would then
    // lock nothing.
    struct stat mine {};
    struct stat named {};
    if (::fstat(fd, &mine) < 0 || ::stat(path.c_str(), &named) < 0 || mine.st_ino != named.st_ino ||
        mine.st_dev != named.st_dev) {
      return FailedPrecondition(path + ": locked by another process that is just creating it");
    }
    if (!shared && (::ftruncate(fd, 0) < 0 || ::pwrite(fd, text.data(), text.size(), 0) < 0)) {
      // The text only informs people; on a full disk the lock still holds.
      errno = 0;
    }
    return std::unique_ptr<FileLock>(std::move(lock));
  }

 private:
  static Status Check(int result, std::string_view what, const std::string& path) {
    return result < 0 ? FromErrno(what, path, errno) : Status();
  }

  // Who keeps `fd` from being locked, in words. The text in the file is that of the last exclusive
  // holder, which shared ones do not replace.
  static std::string HolderOf(int fd, bool wanted_shared) {
    if (!wanted_shared && ::flock(fd, LOCK_SH | LOCK_NB) == 0) return "a process that reads it";
    std::array<char, 128> holder{};
    const auto n = ::pread(fd, holder.data(), holder.size(), 0);
    std::string who(holder.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
    std::erase(who, '\n');
    return who.empty() ? "another process" : who;
  }
};

}  // namespace

std::shared_ptr<Vfs> PosixVfs() {
  return std::make_shared<PosixFileSystem>();
}

}  // namespace weir::kv
