#include "harness/tcp_settings.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace {

// Read by any thread, written before there is more than one.
char g_congestion_control[16] = "";

}  // namespace

// Takes the place of the C library's in this program and in the libraries it is linked with. What
// a listening socket has been given, those it accepts inherit.
extern "C" __attribute__((visibility("default"))) int socket(int domain, int type,
                                                             int protocol) noexcept {
  const auto made = static_cast<int>(::syscall(SYS_socket, domain, type, protocol));
  const bool is_tcp = (domain == AF_INET || domain == AF_INET6) && (type & 0xF) == SOCK_STREAM;
  if (made >= 0 && is_tcp && g_congestion_control[0] != '\0') {
    const int before = errno;
    ::setsockopt(made, IPPROTO_TCP, TCP_CONGESTION, g_congestion_control,
                 static_cast<socklen_t>(std::strlen(g_congestion_control)));
    errno = before;
  }
  return made;
}

namespace weir::bench {

bool SetCongestionControl(const std::string& name) {
  if (name.size() >= sizeof g_congestion_control) return false;
  const auto probe =
      static_cast<int>(::syscall(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const bool known = ::setsockopt(probe, IPPROTO_TCP, TCP_CONGESTION, name.c_str(),
                                  static_cast<socklen_t>(name.size())) == 0;
  ::close(probe);
  if (known) std::memcpy(g_congestion_control, name.c_str(), name.size() + 1);
  return known;
}

}  // namespace weir::bench
