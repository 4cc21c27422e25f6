#include "support/tcp_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "support/temp_dir.h"

namespace weir::testing {
namespace {

constexpr std::size_t kMaxPending = 64 << 10;

sockaddr_in Loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void CloseWithReset(int fd) {
  const linger at_once{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(fd);
}

// One direction of a connection.
struct Flow {
  std::string pending = {};
  bool source_ended = false;
  bool told = false;  // the other end knows

  short SourceEvents() const {
    return !source_ended && pending.size() < kMaxPending ? POLLIN : short{0};
  }
  short SinkEvents() const { return pending.empty() ? short{0} : POLLOUT; }

  // False when the connection is broken.
  bool Move(int source, int sink, bool readable) {
    if (readable && !source_ended) {
      std::array<char, 16384> buffer{};
      const ssize_t size = ::recv(source, buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (size < 0 && errno != EAGAIN && errno != EINTR) return false;
      if (size == 0) source_ended = true;
      if (size > 0) pending.append(buffer.data(), static_cast<std::size_t>(size));
    }
    if (!pending.empty()) {
      const ssize_t size =
          ::send(sink, pending.data(), pending.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (size < 0 && errno != EAGAIN && errno != EINTR) return false;
      if (size > 0) pending.erase(0, static_cast<std::size_t>(size));
    }
    if (source_ended && pending.empty() && !std::exchange(told, true)) ::shutdown(sink, SHUT_WR);
    return true;
  }
};

}  // namespace

// One connection: who came, and the target. Closing it resets both ends unless both had ended.
struct TcpProxy::Link {
  explicit Link(int accepted) : client(accepted) {}
  ~Link() {
    const bool orderly = up.told && down.told;
    for (const int fd : {client, target}) {
      if (fd >= 0) orderly ? static_cast<void>(::close(fd)) : CloseWithReset(fd);
    }
  }
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  bool Connect(std::uint16_t port) {
    target = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = Loopback(port);
    const int yes = 1;
    ::setsockopt(target, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return ::connect(target, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }

  int client;
  int target = -1;  // not connected yet
  Flow up;          // client -> target
  Flow down;
};

TcpProxy::TcpProxy(std::uint16_t target_port) : target_port_(target_port) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int yes = 1;
  ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  // The port is chosen here and not by bind(0), because only a port that was asked for stays the
  // socket's while it does not listen (Sever).
  bool listens = false;
  for (int attempt = 0; attempt < 10 && !listens; ++attempt) {
    port_ = FreePort();
    const sockaddr_in address = Loopback(port_);
    listens = ::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
              ::listen(listener_, SOMAXCONN) == 0;
  }
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (!listens || wake_ < 0) {
    const int error = errno;
    ::close(listener_);
    ::close(wake_);
    throw std::runtime_error("the proxy cannot listen: " + std::generic_category().message(error));
  }
  thread_ = std::thread([this] { Run(); });
}

TcpProxy::~TcpProxy() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  ::eventfd_write(wake_, 1);
  thread_.join();
  ::close(listener_);
  ::close(wake_);
}

void TcpProxy::Cut() {
  Set(Mode::kCut);
}

void TcpProxy::Sever() {
  Set(Mode::kSevered);
}

void TcpProxy::Heal() {
  Set(Mode::kForwarding);
}

void TcpProxy::Set(Mode mode) {
  std::unique_lock lock(mutex_);
  wanted_ = mode;
  ::eventfd_write(wake_, 1);
  applied_.wait(lock, [&] { return current_ == wanted_; });
}

void TcpProxy::Run() {
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (ending_) break;
      if (current_ != wanted_) Apply(wanted_);
      current_ = wanted_;
      applied_.notify_all();
    }
    Forward();
  }
  links_.clear();
}

void TcpProxy::Apply(Mode mode) {
  if (mode == Mode::kSevered) {
    links_.clear();
    ::shutdown(listener_, SHUT_RDWR);  // refuses from now on, but keeps the port
  } else if (current_ == Mode::kSevered) {
    ::listen(listener_, SOMAXCONN);
  }
}

void TcpProxy::Accept() {
  const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd >= 0) links_.push_back(std::make_unique<Link>(fd));
}

// Waits for events once and handles them. current_ is written by this thread only.
void TcpProxy::Forward() {
  const bool forwarding = current_ == Mode::kForwarding;
  if (forwarding) {
    std::erase_if(links_, [this](const std::unique_ptr<Link>& link) {
      return link->target < 0 && !link->Connect(target_port_);
    });
  }
  std::vector<pollfd> polled{{wake_, POLLIN, 0}};
  if (current_ != Mode::kSevered) polled.push_back({listener_, POLLIN, 0});
  const std::size_t first = polled.size();
  if (forwarding) {
    for (const auto& link : links_) {
      const auto events = [](const Flow& from, const Flow& to) {
        return static_cast<short>(from.SourceEvents() | to.SinkEvents());
      };
      polled.push_back({link->client, events(link->up, link->down), 0});
      polled.push_back({link->target, events(link->down, link->up), 0});
    }
  }
  if (::poll(polled.data(), polled.size(), -1) < 0) return;
  if (polled[0].revents != 0) {
    eventfd_t count = 0;
    ::eventfd_read(wake_, &count);
    return;  // the mode may have changed, and then nothing may pass any more
  }
  if (forwarding) {
    std::size_t at = first;
    std::erase_if(links_, [&](const std::unique_ptr<Link>& link) {
      const short client = polled[at].revents;
      const short target = polled[at + 1].revents;
      at += 2;
      const bool sound = ((client | target) & POLLERR) == 0 &&
                         link->up.Move(link->client, link->target, client != 0) &&
                         link->down.Move(link->target, link->client, target != 0);
      return !sound || (link->up.told && link->down.told);
    });
  }
  if (current_ != Mode::kSevered && polled[1].revents != 0) Accept();
}

}  // namespace weir::testing
