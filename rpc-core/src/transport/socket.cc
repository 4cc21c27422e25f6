#include "transport/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <asio/ip/tcp.hpp>
#include <asio/local/stream_protocol.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>

namespace weir {
namespace {

std::string FirstLine(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

bool Set(int descriptor, int level, int option, int value) {
  return setsockopt(descriptor, level, option, &value, sizeof value) == 0;
}

Status Refused(std::string_view what) {
  return InvalidArgument("socket option " + std::string(what) + ": " +
                         std::generic_category().message(errno));
}

// The kernel takes every size and silently keeps to its limit.
Status SetBuffer(int descriptor, int option, std::uint32_t bytes, std::string_view name,
                 std::string_view limit) {
  if (bytes == 0) return {};
  constexpr std::uint32_t kMost = 1u << 30;
  int granted = 0;
  socklen_t size = sizeof granted;
  if (bytes <= kMost && Set(descriptor, SOL_SOCKET, option, static_cast<int>(bytes)) &&
      getsockopt(descriptor, SOL_SOCKET, option, &granted, &size) == 0 &&
      static_cast<std::uint32_t>(granted) / 2 >= bytes) {  // it counts its own needs as well
    return {};
  }
  return InvalidArgument("socket option " + std::string(name) + ": " + std::to_string(bytes) +
                         " bytes are above what this machine allows; raise net.core." +
                         std::string(limit) + " or ask for less");
}

Status SetCongestionControl(int descriptor, const std::string& name) {
  if (name.empty()) return {};
  if (setsockopt(descriptor, IPPROTO_TCP, TCP_CONGESTION, name.data(),
                 static_cast<socklen_t>(name.size())) == 0) {
    return {};
  }
  const std::string folder = "/proc/sys/net/ipv4/tcp_";
  const bool forbidden = errno == EPERM;
  const std::string which = forbidden ? "allowed" : "available";
  return InvalidArgument(
      "socket option congestion_control: '" + name + "' is not " + which + " here; " + which +
      ": " + FirstLine((folder + which + "_congestion_control").c_str()) +
      (forbidden ? "; see net.ipv4.tcp_allowed_congestion_control" : "; others need their module"));
}

Status SetKeepalive(int descriptor, const SocketOptions& options) {
  if (options.keepalive.count() == 0) return {};
  if (!Set(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1) ||
      !Set(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(options.keepalive.count()))) {
    return Refused("keepalive");
  }
  if (!Set(descriptor, IPPROTO_TCP, TCP_KEEPINTVL,
           static_cast<int>(options.keepalive_interval.count()))) {
    return Refused("keepalive_interval");
  }
  if (!Set(descriptor, IPPROTO_TCP, TCP_KEEPCNT, static_cast<int>(options.keepalive_probes))) {
    return Refused("keepalive_probes");
  }
  return {};
}

// The kernel would cut larger numbers to fit.
Status CheckRanges(const SocketOptions& options) {
  constexpr std::int64_t kMostSeconds = 32'767;
  constexpr std::uint32_t kMostProbes = 127;
  constexpr std::int64_t kMostMilliseconds = 24 * 3600 * 1000;
  const auto refuse = [](std::string_view name, std::string_view range) {
    return InvalidArgument("socket option " + std::string(name) + " is not " + std::string(range));
  };
  if (options.keepalive.count() < 0 || options.keepalive.count() > kMostSeconds) {
    return refuse("keepalive", "between 0 and 32767 seconds");
  }
  if (options.keepalive_interval.count() < 1 || options.keepalive_interval.count() > kMostSeconds) {
    return refuse("keepalive_interval", "between 1 and 32767 seconds");
  }
  if (options.keepalive_probes < 1 || options.keepalive_probes > kMostProbes) {
    return refuse("keepalive_probes", "between 1 and 127");
  }
  if (options.unacknowledged.count() < 0 || options.unacknowledged.count() > kMostMilliseconds) {
    return refuse("unacknowledged", "between 0 and 24 hours");
  }
  return {};
}

}  // namespace

Socket::endpoint_type UnixEndpoint(const Address& address) {
  std::string path = address.path;
  if (path.starts_with('@')) path.front() = '\0';  // as the kernel writes it
  return asio::local::stream_protocol::endpoint(path);
}

Address TcpAddress(const Socket::endpoint_type& endpoint) {
  asio::ip::tcp::endpoint tcp;
  if (endpoint.size() > tcp.capacity()) return {};
  std::memcpy(tcp.data(), endpoint.data(), endpoint.size());
  tcp.resize(endpoint.size());
  return {tcp.address().to_string(), tcp.port()};
}

std::string PeerOf(Socket& socket) {
  asio::error_code error;
  const Socket::endpoint_type remote = socket.remote_endpoint(error);
  if (error) return {};
  if (remote.protocol().family() != AF_UNIX) return TcpAddress(remote).ToString();
  ucred caller{};
  socklen_t size = sizeof caller;
  if (getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &caller, &size) != 0) return {};
  return "unix:pid=" + std::to_string(caller.pid) + ",uid=" + std::to_string(caller.uid);
}

Status Apply(const SocketOptions& options, int descriptor, int family) {
  if (Status status = CheckRanges(options); !status.ok()) return status;
  if (Status status =
          SetBuffer(descriptor, SO_SNDBUF, options.send_buffer, "send_buffer", "wmem_max");
      !status.ok()) {
    return status;
  }
  if (family == AF_UNIX) return {};
  if (Status status =
          SetBuffer(descriptor, SO_RCVBUF, options.receive_buffer, "receive_buffer", "rmem_max");
      !status.ok()) {
    return status;
  }
  if (!Set(descriptor, IPPROTO_TCP, TCP_NODELAY, 1)) return Refused("no delay");
  if (Status status = SetKeepalive(descriptor, options); !status.ok()) return status;
  if (options.unacknowledged.count() > 0 &&
      !Set(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT,
           static_cast<int>(options.unacknowledged.count()))) {
    return Refused("unacknowledged");
  }
  return SetCongestionControl(descriptor, options.congestion_control);
}

Status Check(const SocketOptions& options) {
  if (options == SocketOptions{}) return {};
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return {};  // no descriptor is left, or no TCP here: to be met later
  Status status = Apply(options, descriptor, AF_INET);
  ::close(descriptor);
  return status;
}

}  // namespace weir
