#include "file/node_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

namespace weir::discovery {
namespace {

constexpr std::string_view kUnfinished = ".new";

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const noexcept { return value_; }
  int Release() noexcept { return std::exchange(value_, -1); }

 private:
  int value_;
};

Status Failed(const std::string& doing, const std::string& path) {
  const int error = errno;
  std::string message =
      "cannot " + doing + " " + path + ": " + std::generic_category().message(error);
  if (error == EACCES || error == EPERM || error == EROFS) {
    return PermissionDenied(message + "; give this user write access to the directory");
  }
  return Unavailable(std::move(message));
}

bool SameFile(int descriptor, const std::string& path) {
  struct stat ours;
  struct stat there;
  return ::fstat(descriptor, &ours) == 0 && ::stat(path.c_str(), &there) == 0 &&
         ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

// Takes the directory's lock if it is free: a descriptor, or -1 with errno. Opened read-only:
// closing it must not look like a writer's death to those who watch.
int LockDirectory(const std::string& directory) {
  const int lock = ::open((directory + "/.lock").c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0644);
  if (lock < 0 || ::flock(lock, LOCK_EX | LOCK_NB) == 0) return lock;
  ::close(lock);
  errno = EWOULDBLOCK;
  return -1;
}

// Whether nobody holds the node. Shared: only creators ever lock a node exclusively, so those who
// look never take one another for a creator.
bool Abandoned(int descriptor) {
  return ::flock(descriptor, LOCK_SH | LOCK_NB) == 0;
}

int OpenNode(const std::string& path) {
  const int node = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  struct stat status;
  if (node < 0 || (::fstat(node, &status) == 0 && S_ISREG(status.st_mode))) return node;
  ::close(node);
  return -1;
}

bool WriteWeight(int descriptor, std::int32_t weight) {
  // Readers take the first line, so one that reads between the two calls is not misled.
  const std::string text = std::to_string(weight) + "\n";
  return ::pwrite(descriptor, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()) &&
         ::ftruncate(descriptor, static_cast<off_t>(text.size())) == 0;
}

// What processes left that died while they made a node. Under the directory's lock, so that none
// of them is in the making.
void SweepUnfinished(const std::string& directory) {
  DIR* entries = ::opendir(directory.c_str());
  if (entries == nullptr) return;
  while (const dirent* entry = ::readdir(entries)) {
    const std::string_view name = entry->d_name;
    if (name.starts_with('.') && name.ends_with(kUnfinished)) {
      ::unlink((directory + "/" + entry->d_name).c_str());
    }
  }
  ::closedir(entries);
}

}  // namespace

Result<std::unique_ptr<NodeClaim>> NodeClaim::Make(const std::string& directory,
                                                   const std::string& name, std::int32_t weight) {
  const std::string path = directory + "/" + name;
  const Descriptor lock(LockDirectory(directory));
  if (lock.get() < 0) {
    if (errno == EWOULDBLOCK) return Unavailable(directory + " is locked by another process");
    return Failed("lock", directory + "/.lock");
  }
  const Descriptor predecessor(OpenNode(path));
  if (predecessor.get() >= 0 && !Abandoned(predecessor.get())) {
    return AlreadyExists(path + " is held by a living process");
  }
  SweepUnfinished(directory);
  const std::string unfinished = directory + "/." + name + std::string(kUnfinished);
  Descriptor fresh(::open(unfinished.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (fresh.get() < 0) return Failed("create", unfinished);
  if (::flock(fresh.get(), LOCK_EX | LOCK_NB) != 0 || !WriteWeight(fresh.get(), weight) ||
      ::rename(unfinished.c_str(), path.c_str()) != 0) {
    Status status = Failed("write", path);
    ::unlink(unfinished.c_str());
    return status;
  }
  return std::unique_ptr<NodeClaim>(new NodeClaim(path, fresh.Release()));
}

NodeClaim::~NodeClaim() {
  // Nobody replaces the file while we hold it, so what stands now is still ours a moment later.
  if (Stands()) ::unlink(path_.c_str());
  ::close(descriptor_);
}

bool NodeClaim::Stands() const {
  return SameFile(descriptor_, path_);
}

Status NodeClaim::SetWeight(std::int32_t weight) {
  return WriteWeight(descriptor_, weight) ? Status() : Failed("write", path_);
}

NodeState ProbeNode(const std::string& directory, const std::string& name) {
  const Descriptor node(OpenNode(directory + "/" + name));
  if (node.get() < 0) return {};
  if (Abandoned(node.get())) return {NodeState::Kind::kDead, {}};
  std::array<char, 64> buffer{};
  const ssize_t size = ::pread(node.get(), buffer.data(), buffer.size(), 0);
  const std::string_view content(buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  return {NodeState::Kind::kAlive, std::string(content.substr(0, content.find('\n')))};
}

void SweepNodes(const std::string& directory, const std::vector<std::string>& names) {
  if (names.empty()) return;
  const Descriptor lock(LockDirectory(directory));
  if (lock.get() < 0) return;
  for (const std::string& name : names) {
    const std::string path = directory + "/" + name;
    const Descriptor node(OpenNode(path));
    if (node.get() >= 0 && Abandoned(node.get()) && SameFile(node.get(), path)) {
      ::unlink(path.c_str());
    }
  }
}

}  // namespace weir::discovery
