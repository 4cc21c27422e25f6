#include "server/socket_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>
#include <utility>

#include "transport/socket.h"
#include "weir/log.h"

namespace weir {
namespace {

using std::chrono::milliseconds;

// Nobody holds the lock longer than it takes to bind.
constexpr milliseconds kLockPatience{1000};

std::string Text(int error) {
  return std::generic_category().message(error);
}

// Excludes other servers that look at the same path: between the look at a dead one's file and the
// removal another one might have taken its place. Where the directory cannot be locked it does
// without.
class DirectoryLock {
 public:
  explicit DirectoryLock(const std::string& directory)
      : descriptor_(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    const auto give_up = std::chrono::steady_clock::now() + kLockPatience;
    while (descriptor_ >= 0 && ::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 &&
           errno == EWOULDBLOCK && std::chrono::steady_clock::now() < give_up) {
      std::this_thread::sleep_for(milliseconds(1));
    }
  }
  ~DirectoryLock() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  const int descriptor_;
};

int Bind(int descriptor, const Socket::endpoint_type& endpoint) {
  const int result = ::bind(descriptor, endpoint.data(), static_cast<socklen_t>(endpoint.size()));
  return result == 0 ? 0 : errno;
}

// 0 if somebody listens there.
int TryToConnect(const Socket::endpoint_type& endpoint) {
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return 0;
  const int result = ::connect(probe, endpoint.data(), static_cast<socklen_t>(endpoint.size()));
  const int error = result == 0 ? 0 : errno;
  ::close(probe);
  return error;
}

std::string Parent(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Removes what a dead server left behind. The status says why it must stay.
Status RemoveStale(const std::string& path, const Socket::endpoint_type& endpoint) {
  struct stat file {};
  if (::lstat(path.c_str(), &file) != 0) {
    if (errno == ENOENT) return {};  // just gone
    return Unavailable(Text(errno));
  }
  if (!S_ISSOCK(file.st_mode)) {
    return FailedPrecondition(
        "something that is no socket lies there; remove it or choose another "
        "path");
  }
  const int error = TryToConnect(endpoint);
  if (error == EACCES) {
    return Unavailable("the socket there belongs to another user; choose another path");
  }
  if (error != ECONNREFUSED) {
    return Unavailable("another server listens there; stop it or choose another path");
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return Unavailable("the socket of a server that ended lies there and cannot be removed: " +
                       Text(errno) + "; remove it or choose another path");
  }
  LogInfo("replaced " + path + ", the socket of a server that ended");
  return {};
}

Status BindFile(int descriptor, const std::string& path, const Socket::endpoint_type& endpoint) {
  int error = Bind(descriptor, endpoint);
  if (error == EADDRINUSE) {
    if (Status status = RemoveStale(path, endpoint); !status.ok()) return status;
    error = Bind(descriptor, endpoint);
  }
  if (error == 0) return {};
  if (error == ENOENT) {
    return FailedPrecondition("the directory " + Parent(path) + " does not exist; make it");
  }
  if (error == EACCES || error == EPERM || error == EROFS) {
    return PermissionDenied("this user cannot write to " + Parent(path) + ": " + Text(error));
  }
  return Unavailable(Text(error));
}

}  // namespace

Result<std::unique_ptr<SocketFile>> SocketFile::Listen(int descriptor, const Address& address,
                                                       std::uint32_t mode, int backlog) {
  const Socket::endpoint_type endpoint = UnixEndpoint(address);
  const auto failed = [&](StatusCode code, const std::string& why) {
    return Status(code, "cannot listen on " + address.ToString() + ": " + why);
  };
  if (address.path.starts_with('@')) {
    const int error = Bind(descriptor, endpoint);
    if (error == EADDRINUSE) {
      return failed(StatusCode::kUnavailable,
                    "another server listens there; stop it or choose another name");
    }
    if (error != 0 || ::listen(descriptor, backlog) != 0) {
      return failed(StatusCode::kUnavailable, Text(error != 0 ? error : errno));
    }
    return std::unique_ptr<SocketFile>(new SocketFile({}));
  }
  const std::string& path = address.path;
  const DirectoryLock lock(Parent(path));
  // The file is made with the mode of the socket, less the umask: never open to more than `mode`.
  if (mode != 0) ::fchmod(descriptor, mode);
  if (Status status = BindFile(descriptor, path, endpoint); !status.ok()) {
    return failed(status.code(), std::string(status.message()));
  }
  std::unique_ptr<SocketFile> made(new SocketFile(path));
  struct stat file {};
  if (::lstat(path.c_str(), &file) == 0) {
    made->device_ = file.st_dev;
    made->inode_ = file.st_ino;
    made->maker_ = ::getpid();
  }
  if ((mode != 0 && ::chmod(path.c_str(), mode) != 0) || ::listen(descriptor, backlog) != 0) {
    return failed(StatusCode::kUnavailable, Text(errno));
  }
  return made;
}

SocketFile::~SocketFile() {
  if (path_.empty() || maker_ != ::getpid()) return;
  struct stat file {};
  if (::lstat(path_.c_str(), &file) != 0) return;
  if (file.st_dev == device_ && file.st_ino == inode_) ::unlink(path_.c_str());
}

}  // namespace weir
