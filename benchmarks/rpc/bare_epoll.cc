// The limit: length-prefixed frames echoed over epoll and sockets alone. One read takes all that
// has arrived, one write sends all that it led to. What every other contestant is measured against.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "contestant.h"

namespace weir::bench {
namespace {

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::exit(1);
}

sockaddr_in Loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A connection: bytes in, whole frames out to `on_frame`, answers gathered in `out`.
class Peer {
 public:
  using OnFrame = std::function<void(Peer&, const char* payload, std::uint32_t bytes)>;

  Peer(int socket, int epoll, OnFrame on_frame)
      : socket_(socket), epoll_(epoll), on_frame_(std::move(on_frame)), in_(kBuffer) {
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.ptr = this}};
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket_, &event) != 0) Die("epoll_ctl");
  }
  ~Peer() { ::close(socket_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void Append(const char* payload, std::uint32_t bytes) {
    const std::size_t at = out_.size();
    out_.resize(at + sizeof bytes + bytes);
    std::memcpy(out_.data() + at, &bytes, sizeof bytes);
    std::memcpy(out_.data() + at + sizeof bytes, payload, bytes);
  }

  void Write() {
    while (written_ < out_.size()) {
      const ssize_t n =
          ::send(socket_, out_.data() + written_, out_.size() - written_, MSG_NOSIGNAL);
      if (n < 0) return;  // full: EPOLLOUT comes; broken: the next read says so
      written_ += static_cast<std::size_t>(n);
    }
    out_.clear();
    written_ = 0;
  }

  // False when the connection has ended.
  bool Read() {
    while (true) {
      const std::size_t room = in_.size() - have_;
      const ssize_t n = ::read(socket_, in_.data() + have_, room);
      if (n < 0) return errno == EAGAIN || errno == EINTR;
      if (n == 0) return false;
      have_ += static_cast<std::size_t>(n);
      Deliver();
      Write();
      if (static_cast<std::size_t>(n) < room) return true;
    }
  }

 private:
  static constexpr std::size_t kBuffer = 2u << 20;

  void Deliver() {
    std::size_t at = 0;
    std::uint32_t bytes = 0;
    while (have_ - at >= sizeof bytes) {
      std::memcpy(&bytes, in_.data() + at, sizeof bytes);
      if (have_ - at < sizeof bytes + bytes) break;
      on_frame_(*this, in_.data() + at + sizeof bytes, bytes);
      at += sizeof bytes + bytes;
    }
    if (at > 0) std::memmove(in_.data(), in_.data() + at, have_ - at);
    have_ -= at;
  }

  const int socket_;
  const int epoll_;
  const OnFrame on_frame_;
  std::vector<char> in_;
  std::size_t have_ = 0;
  std::vector<char> out_;
  std::size_t written_ = 0;
};

class BareEpoll final : public Contestant {
 public:
  std::string name() const override { return "bare_epoll"; }

  void Serve(std::uint16_t port, void (*ready)(std::uint16_t)) override {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = Loopback(port);
    socklen_t size = sizeof address;
    if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0) Die("bind");
    if (::listen(listener, 1024) != 0) Die("listen");
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{.events = EPOLLIN, .data = {.ptr = nullptr}};
    if (::epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0) Die("epoll_ctl");
    ready(ntohs(address.sin_port));
    std::vector<std::unique_ptr<Peer>> peers;
    Turn(epoll, [&](Peer* peer, std::uint32_t events) {
      if (peer == nullptr) {
        const int socket = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (socket < 0) return true;
        peers.push_back(std::make_unique<Peer>(
            socket, epoll, [](Peer& self, const char* payload, std::uint32_t bytes) {
              self.Append(payload, bytes);
            }));
        return true;
      }
      if ((events & EPOLLOUT) != 0) peer->Write();
      if ((events & EPOLLIN) != 0 && !peer->Read()) {
        std::erase_if(peers, [peer](const auto& one) { return one.get() == peer; });
      }
      return true;
    });
  }

  Measurement Drive(std::uint16_t port, const Workload& workload, std::chrono::nanoseconds warm_up,
                    std::chrono::nanoseconds time) override {
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    Window window(warm_up, time);
    const std::string payload(workload.payload_bytes, 'x');
    const auto bytes = static_cast<std::uint32_t>(payload.size());
    bool over = false;
    std::vector<std::unique_ptr<Peer>> peers;
    for (std::uint32_t c = 0; c < workload.connections; ++c) {
      const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const sockaddr_in address = Loopback(port);
      if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        Die("connect");
      }
      MakeNonBlocking(socket);
      std::vector<Window::Clock::time_point> started(workload.in_flight, Window::Clock::now());
      auto on_frame = [&, started, next = std::size_t{0}](Peer& peer, const char*,
                                                          std::uint32_t) mutable {
        const auto ended = Window::Clock::now();
        if (!window.Count(started[next], ended)) {
          over = true;
          return;
        }
        started[next] = ended;
        next = (next + 1) % started.size();
        peer.Append(payload.data(), bytes);
      };
      peers.push_back(std::make_unique<Peer>(socket, epoll, std::move(on_frame)));
      for (std::uint32_t i = 0; i < workload.in_flight; ++i) {
        peers.back()->Append(payload.data(), bytes);
      }
      peers.back()->Write();
    }
    Turn(epoll, [&](Peer* peer, std::uint32_t events) {
      if ((events & EPOLLOUT) != 0) peer->Write();
      if ((events & EPOLLIN) != 0 && !peer->Read()) Die("the server went away");
      return !over;
    });
    ::close(epoll);
    return window.Result();
  }

 private:
  static void MakeNonBlocking(int socket) {
    if (::fcntl(socket, F_SETFL, O_NONBLOCK) != 0) Die("fcntl");
  }

  // Hands out events until `on_event` says no.
  template <class OnEvent>
  static void Turn(int epoll, OnEvent on_event) {
    std::array<epoll_event, 64> events{};
    while (true) {
      const int ready = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < ready; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (!on_event(static_cast<Peer*>(event.data.ptr), event.events)) return;
      }
    }
  }
};

}  // namespace

std::unique_ptr<Contestant> MakeBareEpoll() {
  return std::make_unique<BareEpoll>();
}

}  // namespace weir::bench
