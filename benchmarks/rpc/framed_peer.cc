#include "rpc/framed_peer.h"

#include <arpa/inet.h>
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

namespace weir::bench {
namespace {

using Length = std::uint32_t;
constexpr std::size_t kFirstBuffer = 4u << 10;
constexpr std::size_t kLargestBuffer = 2u << 20;

Length LengthAt(const char* at) {
  Length bytes = 0;
  std::memcpy(&bytes, at, sizeof bytes);
  return ntohl(bytes);
}

}  // namespace

void Die(const char* what) {
  std::perror(what);
  std::exit(1);
}

FramedPeer::FramedPeer(int socket, int epoll, OnFrame on_frame)
    : socket_(socket), on_frame_(std::move(on_frame)), in_(kFirstBuffer) {
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.ptr = this}};
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, socket_, &event) != 0) Die("epoll_ctl");
}

FramedPeer::~FramedPeer() {
  ::close(socket_);
}

void FramedPeer::Append(std::string_view frame) {
  const Length bytes = htonl(static_cast<Length>(frame.size()));
  const std::size_t at = out_.size();
  out_.resize(at + sizeof bytes + frame.size());
  std::memcpy(out_.data() + at, &bytes, sizeof bytes);
  std::memcpy(out_.data() + at + sizeof bytes, frame.data(), frame.size());
}

void FramedPeer::Write() {
  while (written_ < out_.size()) {
    const ssize_t n = ::send(socket_, out_.data() + written_, out_.size() - written_, MSG_NOSIGNAL);
    if (n < 0) return;  // full: EPOLLOUT comes; broken: the next read says so
    written_ += static_cast<std::size_t>(n);
  }
  out_.clear();
  written_ = 0;
}

bool FramedPeer::Read() {
  while (true) {
    const std::size_t room = in_.size() - have_;
    const ssize_t n = ::read(socket_, in_.data() + have_, room);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (n == 0) return false;
    have_ += static_cast<std::size_t>(n);
    Deliver();
    Write();
    if (static_cast<std::size_t>(n) < room) return true;
    if (in_.size() < kLargestBuffer) in_.resize(2 * in_.size());
  }
}

void FramedPeer::Deliver() {
  std::size_t at = 0;
  while (have_ - at >= sizeof(Length)) {
    const Length bytes = LengthAt(in_.data() + at);
    if (have_ - at < sizeof bytes + bytes) break;
    on_frame_(*this, {in_.data() + at + sizeof bytes, bytes});
    at += sizeof bytes + bytes;
  }
  if (at > 0) std::memmove(in_.data(), in_.data() + at, have_ - at);
  have_ -= at;
}

std::string Framed(std::string_view frame) {
  const Length bytes = htonl(static_cast<Length>(frame.size()));
  std::string framed(reinterpret_cast<const char*>(&bytes), sizeof bytes);
  return framed.append(frame);
}

bool HasFrame(std::string_view received) {
  return received.size() >= sizeof(Length) &&
         received.size() - sizeof(Length) >= LengthAt(received.data());
}

Measurement DriveFramed(std::uint16_t port, const Workload& workload,
                        std::chrono::nanoseconds warm_up, std::chrono::nanoseconds time,
                        const std::function<std::string_view()>& request,
                        const std::function<void(std::string_view)>& on_reply) {
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  Window window(warm_up, time);
  bool over = false;
  std::vector<std::unique_ptr<FramedPeer>> peers;
  for (std::uint32_t c = 0; c < workload.connections; ++c) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      Die("connect");
    }
    if (::fcntl(socket, F_SETFL, O_NONBLOCK) != 0) Die("fcntl");
    std::vector<Window::Clock::time_point> started(workload.in_flight, Window::Clock::now());
    auto on_frame = [&, started, next = std::size_t{0}](FramedPeer& peer,
                                                        std::string_view frame) mutable {
      on_reply(frame);
      const auto ended = Window::Clock::now();
      if (!window.Count(started[next], ended)) {
        over = true;
        return;
      }
      started[next] = ended;
      next = (next + 1) % started.size();
      peer.Append(request());
    };
    peers.push_back(std::make_unique<FramedPeer>(socket, epoll, std::move(on_frame)));
    for (std::uint32_t i = 0; i < workload.in_flight; ++i) peers.back()->Append(request());
    peers.back()->Write();
  }
  HandOutEvents(epoll, [&](FramedPeer* peer, std::uint32_t events) {
    if ((events & EPOLLOUT) != 0) peer->Write();
    if ((events & EPOLLIN) != 0 && !peer->Read()) Die("the server went away");
    return !over;
  });
  ::close(epoll);
  return window.Result();
}

void HandOutEvents(int epoll, const std::function<bool(FramedPeer*, std::uint32_t)>& on_event) {
  std::array<epoll_event, 64> events{};
  while (true) {
    const int ready = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < ready; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (!on_event(static_cast<FramedPeer*>(event.data.ptr), event.events)) return;
    }
  }
}

}  // namespace weir::bench
