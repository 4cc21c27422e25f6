#include "transport/socket.h"

#include <sys/socket.h>

#include <asio/ip/tcp.hpp>
#include <cstring>

namespace weir {

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
  if (remote.protocol().family() == AF_UNIX) {
    ucred caller{};
    socklen_t size = sizeof caller;
    if (getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &caller, &size) != 0) return {};
    return "unix:pid=" + std::to_string(caller.pid) + ",uid=" + std::to_string(caller.uid);
  }
  return TcpAddress(remote).ToString();
}

}  // namespace weir
