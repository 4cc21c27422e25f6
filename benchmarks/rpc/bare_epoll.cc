// The limit: length-prefixed frames echoed over epoll and sockets alone. One read takes all that
// has arrived, one write sends all that it led to. What every other contestant is measured against.
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <unordered_map>

#include "rpc/contestant.h"
#include "rpc/framed_peer.h"

namespace weir::bench {
namespace {

class BareEpoll final : public Contestant {
 public:
  void Serve(const Ready& ready) override {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0) Die("bind");
    if (::listen(listener, 1024) != 0) Die("listen");
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{.events = EPOLLIN, .data = {.ptr = nullptr}};
    if (::epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0) Die("epoll_ctl");
    ready(ntohs(address.sin_port));
    std::unordered_map<FramedPeer*, std::unique_ptr<FramedPeer>> peers;
    HandOutEvents(epoll, [&](FramedPeer* peer, std::uint32_t events) {
      if (peer == nullptr) {
        const int socket = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (socket < 0) return true;
        auto made = std::make_unique<FramedPeer>(
            socket, epoll, [](FramedPeer& self, std::string_view frame) { self.Append(frame); });
        peers.emplace(made.get(), std::move(made));
        return true;
      }
      if ((events & EPOLLOUT) != 0) peer->Write();
      if ((events & EPOLLIN) != 0 && !peer->Read()) peers.erase(peer);
      return true;
    });
  }

  Measurement Drive(std::uint16_t port, const Workload& workload, std::chrono::nanoseconds warm_up,
                    std::chrono::nanoseconds time) override {
    const std::string payload(workload.payload_bytes, 'x');
    return DriveFramed(
        port, workload, warm_up, time, [&] { return std::string_view(payload); },
        [](std::string_view) {});
  }

  Hello IdleHello() override { return {Framed(std::string(16, 'x')), HasFrame}; }
};

}  // namespace

std::unique_ptr<Contestant> MakeBareEpoll() {
  return std::make_unique<BareEpoll>();
}

}  // namespace weir::bench
