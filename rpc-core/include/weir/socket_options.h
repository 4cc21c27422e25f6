// What the kernel is told about the sockets of servers and channels.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace weir {

// The defaults leave everything to the kernel, but for Nagle's algorithm: that is always off. A
// value; a mistake in it is reported where the server starts or the channel is made. For
// Unix-domain sockets only send_buffer means anything.
struct SocketOptions {
  // TCP probes a peer that has been silent for so long, again after each interval, and gives the
  // connection up when so many probes went unanswered. 0: never. A channel's PINGs find dead
  // providers without it; a server finds dead consumers by it long before its idle_timeout.
  std::chrono::seconds keepalive{0};
  std::chrono::seconds keepalive_interval{10};
  std::uint32_t keepalive_probes = 3;
  // How long bytes may stay unacknowledged before TCP gives the connection up (TCP_USER_TIMEOUT).
  // 0: as the machine is set up, commonly a quarter of an hour.
  std::chrono::milliseconds unacknowledged{0};
  // Bytes that may wait in the kernel, on their way out or in. 0: it adapts them to the path, up to
  // net.ipv4.tcp_wmem and tcp_rmem, which is right but for paths that are both fast and long, or
  // for a great many connections. What is above net.core.wmem_max or rmem_max is an error.
  std::uint32_t send_buffer = 0;
  std::uint32_t receive_buffer = 0;
  // TCP's congestion control by name ("cubic", "bbr"). Empty: the machine's default.
  std::string congestion_control = {};

  friend bool operator==(const SocketOptions&, const SocketOptions&) = default;
};

}  // namespace weir
