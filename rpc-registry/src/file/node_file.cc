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
#include <filesystem>
#include <system_error>
#include <utility>

#include "facts.h"

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

// A regular file, or -1 with errno; ENOENT for what is none.
int OpenNode(const std::string& path, int access = O_RDONLY) {
  const int node = ::open(path.c_str(), access | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  struct stat status;
  if (node < 0) {
    // A link, a folder, a socket, a pipe without a reader.
    if (errno == ELOOP || errno == EISDIR || errno == ENXIO || errno == ENOTDIR) errno = ENOENT;
    return -1;
  }
  if (::fstat(node, &status) == 0 && S_ISREG(status.st_mode)) return node;
  ::close(node);
  errno = ENOENT;
  return -1;
}

std::string FirstLine(int descriptor) {
  std::array<char, kMaxNodeText> buffer{};
  const ssize_t size = ::pread(descriptor, buffer.data(), buffer.size(), 0);
  const std::string_view content(buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  return std::string(content.substr(0, content.find('\n')));
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

// Which no path of a Unix-domain socket contains.
constexpr std::string_view kSlash = "%2F";

Status WriteFacts(const std::string& facts_path, const std::string& text) {
  const std::filesystem::path path = facts_path;
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  const std::string unfinished =
      path.parent_path() / ("." + path.filename().string() + std::string(kUnfinished));
  const Descriptor file(
      ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (file.get() < 0 ||
      ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::rename(unfinished.c_str(), facts_path.c_str()) != 0) {
    Status status = Failed("write", facts_path);
    ::unlink(unfinished.c_str());
    return status;
  }
  return {};
}

}  // namespace

std::string NodeName(std::string_view address) {
  std::string name;
  for (const char c : address) {
    if (c == '/') {
      name += kSlash;
    } else {
      name += c;
    }
  }
  return name;
}

std::string NodeAddress(std::string_view name) {
  std::string address(name);
  if (!name.starts_with("unix:")) return address;
  for (auto at = address.find(kSlash); at != std::string::npos; at = address.find(kSlash, at)) {
    address.replace(at, kSlash.size(), "/");
  }
  return address;
}

Result<std::unique_ptr<NodeClaim>> NodeClaim::Make(const NodeFolder& folder,
                                                   const std::string& name, std::int32_t weight,
                                                   const std::string& facts) {
  const std::string path = folder.nodes + "/" + name;
  const std::string facts_path = folder.facts + "/" + name;
  const Descriptor lock(LockDirectory(folder.nodes));
  if (lock.get() < 0) {
    if (errno == EWOULDBLOCK) return Unavailable(folder.nodes + " is locked by another process");
    return Failed("lock", folder.nodes + "/.lock");
  }
  const Descriptor predecessor(OpenNode(path));
  if (predecessor.get() >= 0 && !Abandoned(predecessor.get())) {
    return AlreadyExists(path + " is held by a living process");
  }
  SweepUnfinished(folder.nodes);
  const std::string unfinished = folder.nodes + "/." + name + std::string(kUnfinished);
  Descriptor fresh(::open(unfinished.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (fresh.get() < 0) return Failed("create", unfinished);
  // First, and in the place of a predecessor's.
  if (!WriteFacts(facts_path, facts).ok()) ::unlink(facts_path.c_str());
  if (::flock(fresh.get(), LOCK_EX | LOCK_NB) != 0 || !WriteWeight(fresh.get(), weight) ||
      ::rename(unfinished.c_str(), path.c_str()) != 0) {
    Status status = Failed("write", path);
    ::unlink(unfinished.c_str());
    return status;
  }
  return std::unique_ptr<NodeClaim>(
      new NodeClaim(path, facts_path, fresh.Release(), predecessor.get() >= 0));
}

NodeClaim::~NodeClaim() {
  // Nobody replaces the file while we hold it, so what stands now is still ours a moment later.
  if (Stands()) {
    ::unlink(facts_path_.c_str());
    ::unlink(path_.c_str());
  }
  ::close(descriptor_);
}

bool NodeClaim::Stands() const {
  return SameFile(descriptor_, path_);
}

Status NodeClaim::SetWeight(std::int32_t weight) {
  return WriteWeight(descriptor_, weight) ? Status() : Failed("write", path_);
}

std::string NodeClaim::Text() const {
  return FirstLine(descriptor_);
}

Status NodeClaim::PutFacts(const std::string& text) const {
  return WriteFacts(facts_path_, text);
}

bool NodeClaim::HasFacts() const {
  return ::access(facts_path_.c_str(), F_OK) == 0;
}

NodeState ProbeNode(const std::string& directory, const std::string& name) {
  const Descriptor node(OpenNode(directory + "/" + name));
  if (node.get() < 0) {
    if (errno == ENOENT) return {};
    return {.kind = NodeState::Kind::kUnknown, .content = {}, .error = errno};
  }
  const auto kind = Abandoned(node.get()) ? NodeState::Kind::kDead : NodeState::Kind::kAlive;
  NodeState state{.kind = kind, .content = FirstLine(node.get())};
  struct stat status;
  if (::fstat(node.get(), &status) == 0) {
    state.inode = status.st_ino;
    state.written_ns = status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec;
  }
  return state;
}

Facts ReadNodeFacts(const NodeFolder& folder, const std::string& name) {
  const Descriptor file(OpenNode(folder.facts + "/" + name));
  if (file.get() < 0) return {};
  std::string text(kMaxFactsText, '\0');
  const ssize_t size = ::pread(file.get(), text.data(), text.size(), 0);
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return ParseFacts(text);
}

std::optional<std::chrono::system_clock::time_point> NodeTime(const std::string& path) {
  struct statx status;
  if (::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_BTIME | STATX_MTIME, &status) !=
      0) {
    return std::nullopt;
  }
  const auto& time = (status.stx_mask & STATX_BTIME) != 0 ? status.stx_btime : status.stx_mtime;
  return std::chrono::system_clock::time_point(
      std::chrono::seconds(time.tv_sec) +
      std::chrono::duration_cast<std::chrono::system_clock::duration>(
          std::chrono::nanoseconds(time.tv_nsec)));
}

Status ReweighNode(const std::string& path, std::int32_t weight) {
  const Descriptor node(OpenNode(path, O_RDWR));
  if (node.get() < 0) {
    const int error = errno;
    if (error == ENOENT) return NotFound("there is no " + path + "; list who is registered");
    const std::string message =
        "cannot write " + path + ": " + std::generic_category().message(error);
    if (error != EACCES && error != EPERM && error != EROFS) return Unavailable(message);
    struct stat status;
    const bool told = ::stat(path.c_str(), &status) == 0;
    return PermissionDenied(message + "; do it as the user who runs the provider" +
                            (told ? " (uid " + std::to_string(status.st_uid) + ")" : ""));
  }
  if (Abandoned(node.get())) {
    return NotFound("the provider that made " + path + " has ended; list who is registered");
  }
  if (!WriteWeight(node.get(), weight)) return Failed("write", path);
  if (!SameFile(node.get(), path)) return Unavailable(path + " was just made anew; try again");
  return {};
}

void SweepNodes(const NodeFolder& folder, const std::vector<std::string>& names) {
  if (names.empty()) return;
  const Descriptor lock(LockDirectory(folder.nodes));
  if (lock.get() < 0) return;
  for (const std::string& name : names) {
    const std::string path = folder.nodes + "/" + name;
    const Descriptor node(OpenNode(path));
    if (node.get() >= 0 && Abandoned(node.get()) && SameFile(node.get(), path)) {
      ::unlink((folder.facts + "/" + name).c_str());
      ::unlink(path.c_str());
    }
  }
}

}  // namespace weir::discovery
