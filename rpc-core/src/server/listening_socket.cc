#include "server/listening_socket.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <cerrno>
#include <system_error>

#include "transport/socket.h"

namespace weir {

using asio::ip::tcp;

namespace {

bool SetOption(int descriptor, int level, int name) {
  const int on = 1;
  return ::setsockopt(descriptor, level, name, &on, sizeof on) == 0;
}

}  // namespace

Result<ListeningSocket> ListeningSocket::Open(const Address& address,
                                              const ServerOptions& options) {
  ListeningSocket socket;
  socket.bound_ = address;
  Status status = address.is_unix() ? socket.OpenUnix(options) : socket.OpenTcp(options, false);
  if (!status.ok()) return status;
  return socket;
}

Result<ListeningSocket> ListeningSocket::Twin(const ServerOptions& options) const {
  ListeningSocket socket;
  socket.bound_ = bound_;
  if (Status status = socket.OpenTcp(options, true); !status.ok()) return status;
  return socket;
}

ListeningSocket& ListeningSocket::operator=(ListeningSocket&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(bound_, other.bound_);
  std::swap(file_, other.file_);
  return *this;
}

ListeningSocket::~ListeningSocket() {
  file_.reset();  // whoever comes now finds nothing, and not a socket that refuses
  if (descriptor_ >= 0) ::close(descriptor_);
}

int ListeningSocket::family() const {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&name), &size);
  return name.ss_family;
}

Status ListeningSocket::OpenUnix(const ServerOptions& options) {
  descriptor_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor_ < 0) {
    return Unavailable("cannot listen on " + bound_.ToString() + ": " +
                       std::generic_category().message(errno));
  }
  if (Status status = Check(options.socket); !status.ok()) return status;
  auto file = SocketFile::Listen(descriptor_, bound_, options.unix_mode, options.backlog);
  if (!file.ok()) return std::move(file).status();
  file_ = *std::move(file);
  return {};
}

Status ListeningSocket::OpenTcp(const ServerOptions& options, bool twin) {
  const std::string name = bound_.ToString();
  asio::error_code error;
  asio::io_context io;
  tcp::resolver resolver(io);
  const auto found =
      resolver.resolve(bound_.host, std::to_string(bound_.port), tcp::resolver::passive, error);
  if (error || found.empty()) {
    return InvalidArgument("cannot listen on " + name + ": host " + bound_.host +
                           " is not known: " + error.message());
  }
  const tcp::endpoint endpoint = found.begin()->endpoint();
  const int family = endpoint.protocol().family();
  descriptor_ = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
  bool done = descriptor_ >= 0;
  if (done) {
    if (Status status = Apply(options.socket, descriptor_, family); !status.ok()) return status;
    done = SetOption(descriptor_, SOL_SOCKET, SO_REUSEADDR);
  }
  if (done && options.v6_only && family == AF_INET6) {
    done = SetOption(descriptor_, IPPROTO_IPV6, IPV6_V6ONLY);
  }
  if (done && twin) done = SetOption(descriptor_, SOL_SOCKET, SO_REUSEPORT);
  done = done && ::bind(descriptor_, endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0;
  // Only now: before, it would let this process share the port of another server of the same user.
  const bool shared = options.threads.model == ThreadModel::kPrefork;
  if (done && shared && !twin) done = SetOption(descriptor_, SOL_SOCKET, SO_REUSEPORT);
  done = done && ::listen(descriptor_, options.backlog) == 0;
  if (!done) {
    const int why = errno;
    std::string hint;
    if (why == EADDRINUSE) hint = "; choose another port, or 0 for any free one";
    if (why == EACCES) hint = "; ports below 1024 need privileges";
    return Unavailable("cannot listen on " + name + ": " + std::generic_category().message(why) +
                       hint);
  }
  tcp::endpoint local;
  auto size = static_cast<socklen_t>(local.capacity());
  ::getsockname(descriptor_, local.data(), &size);
  bound_.port = local.port();
  return {};
}

}  // namespace weir
