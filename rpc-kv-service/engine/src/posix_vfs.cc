// The operating system's files. pread/pwritev at given offsets only; flock for the lock, because it
// belongs to the open file and so ends with the process, whatever pid it had.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

#include "posix_file.h"
#include "weir/kv/vfs.h"

namespace weir::kv {
namespace {

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
