// SocketFile: the file by which a listening Unix-domain socket is found.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "weir/address.h"
#include "weir/status.h"

namespace weir {

// A resource: the destructor removes the file, if it is still that of this socket and this is the
// process that made it (a forked child leaves it alone).
class SocketFile {
 public:
  // Binds the open socket to the address, as others may use it when `mode` (0: as the umask says),
  // and listens. The file of a server that is dead is replaced; whoever listens is left in peace.
  // The status names the path and what to do.
  static Result<std::unique_ptr<SocketFile>> Listen(int descriptor, const Address& address,
                                                    std::uint32_t mode, int backlog);
  ~SocketFile();
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;

 private:
  explicit SocketFile(std::string path) : path_(std::move(path)) {}

  const std::string path_;  // empty: no file stands for it
  dev_t device_ = 0;
  ino_t inode_ = 0;
  pid_t maker_ = 0;
};

}  // namespace weir
