// ListeningSocket: a port or path that has been taken; connections wait in it.
#pragma once

#include <memory>
#include <utility>

#include "server/socket_file.h"
#include "weir/address.h"
#include "weir/server.h"
#include "weir/status.h"

namespace weir {

// Open, bound and listening; nobody accepts from it yet. A resource, movable. Needs no thread and
// no event loop.
class ListeningSocket {
 public:
  // Takes the address. The status names it and what is wrong with it.
  static Result<ListeningSocket> Open(const Address& address, const ServerOptions& options);
  // Another socket on the same TCP port: the kernel spreads connections over both by their
  // addresses (SO_REUSEPORT). Servers of other programs still find the port taken.
  Result<ListeningSocket> Twin(const ServerOptions& options) const;

  ListeningSocket(ListeningSocket&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)),
        bound_(std::move(other.bound_)),
        file_(std::move(other.file_)) {}
  ListeningSocket& operator=(ListeningSocket&& other) noexcept;
  ~ListeningSocket();

  const Address& address() const noexcept { return bound_; }  // with the real port
  int family() const;
  // The caller closes it.
  int ReleaseDescriptor() noexcept { return std::exchange(descriptor_, -1); }
  // Null if there is none. Its destructor removes it.
  std::unique_ptr<SocketFile> ReleaseFile() noexcept { return std::move(file_); }

 private:
  ListeningSocket() = default;
  Status OpenUnix(const ServerOptions& options);
  // `twin`: the port is one of this process already.
  Status OpenTcp(const ServerOptions& options, bool twin);

  int descriptor_ = -1;
  Address bound_;
  std::unique_ptr<SocketFile> file_;  // of a Unix-domain socket
};

}  // namespace weir
