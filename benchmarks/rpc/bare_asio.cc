// The bare contestant: length-prefixed frames echoed by Asio alone, reading all that has arrived
// and writing once per turn. No protobuf, no methods, no deadlines: the bound that a framework has
// here.
#include <arpa/inet.h>

#include <asio/ip/tcp.hpp>
#include <asio/write.hpp>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "rpc/contestant.h"
#include "rpc/framed_peer.h"

namespace weir::bench {
namespace {

using asio::ip::tcp;

// Reads whatever has arrived, hands whole frames out, writes what they leave once per turn.
class Link : public std::enable_shared_from_this<Link> {
 public:
  using OnFrame = std::function<void(Link&, const char* payload, std::uint32_t bytes)>;

  Link(tcp::socket socket, OnFrame on_frame)
      : socket_(std::move(socket)), on_frame_(std::move(on_frame)), in_(kFirstBuffer) {
    socket_.set_option(tcp::no_delay(true));
  }

  void Append(const char* payload, std::uint32_t bytes) {
    const std::size_t at = out_.size();
    out_.resize(at + sizeof bytes + bytes);
    const std::uint32_t length = htonl(bytes);
    std::memcpy(out_.data() + at, &length, sizeof length);
    std::memcpy(out_.data() + at + sizeof bytes, payload, bytes);
  }

  void Read() {
    socket_.async_read_some(asio::buffer(in_.data() + have_, in_.size() - have_),
                            [self = shared_from_this()](asio::error_code error, std::size_t n) {
                              if (error) return;
                              self->OnBytes(n);
                            });
  }

  void Flush() {
    if (writing_ || out_.empty()) return;
    writing_ = true;
    sending_.swap(out_);
    out_.clear();
    asio::async_write(socket_, asio::buffer(sending_),
                      [self = shared_from_this()](asio::error_code error, std::size_t) {
                        self->writing_ = false;
                        if (!error) self->Flush();
                      });
  }

  void Close() { socket_.close(); }

 private:
  static constexpr std::size_t kFirstBuffer = 4u << 10;
  static constexpr std::size_t kLargestBuffer = 2u << 20;

  void OnBytes(std::size_t n) {
    have_ += n;
    const bool was_full = have_ == in_.size();
    std::size_t at = 0;
    std::uint32_t bytes = 0;
    while (have_ - at >= sizeof bytes) {
      std::memcpy(&bytes, in_.data() + at, sizeof bytes);
      bytes = ntohl(bytes);
      if (have_ - at < sizeof bytes + bytes) break;
      on_frame_(*this, in_.data() + at + sizeof bytes, bytes);
      at += sizeof bytes + bytes;
    }
    std::memmove(in_.data(), in_.data() + at, have_ - at);
    have_ -= at;
    if (was_full && in_.size() < kLargestBuffer) in_.resize(2 * in_.size());
    Flush();
    if (socket_.is_open()) Read();
  }

  tcp::socket socket_;
  OnFrame on_frame_;
  std::vector<char> in_;
  std::size_t have_ = 0;
  std::vector<char> out_;
  std::vector<char> sending_;
  bool writing_ = false;
};

class BareAsio final : public Contestant {
 public:
  void Serve(const Ready& ready) override {
    asio::io_context io(1);
    tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
    std::function<void()> accept = [&] {
      acceptor.async_accept([&](asio::error_code error, tcp::socket socket) {
        if (error) return;
        std::make_shared<Link>(std::move(socket), [](Link& link, const char* data,
                                                     std::uint32_t bytes) {
          link.Append(data, bytes);
        })->Read();
        accept();
      });
    };
    accept();
    ready(acceptor.local_endpoint().port());
    io.run();
  }

  Measurement Drive(std::uint16_t port, const Workload& workload, std::chrono::nanoseconds warm_up,
                    std::chrono::nanoseconds time) override {
    asio::io_context io(1);
    Window window(warm_up, time);
    std::string payload(workload.payload_bytes, 'x');
    std::vector<std::shared_ptr<Link>> links;
    for (std::uint32_t c = 0; c < workload.connections; ++c) {
      tcp::socket socket(io);
      socket.connect({asio::ip::address_v4::loopback(), port});
      const auto now = Window::Clock::now();
      std::vector<Window::Clock::time_point> started(workload.in_flight, now);
      auto on_frame = [&, started, next = std::size_t{0}](Link& link, const char*,
                                                          std::uint32_t) mutable {
        const auto ended = Window::Clock::now();
        if (!window.Count(started[next], ended)) return io.stop();
        started[next] = ended;
        next = (next + 1) % started.size();
        link.Append(payload.data(), static_cast<std::uint32_t>(payload.size()));
      };
      links.push_back(std::make_shared<Link>(std::move(socket), std::move(on_frame)));
      for (std::uint32_t i = 0; i < workload.in_flight; ++i) {
        links.back()->Append(payload.data(), static_cast<std::uint32_t>(payload.size()));
      }
      links.back()->Flush();
      links.back()->Read();
    }
    io.run();
    return window.Result();
  }

  Hello IdleHello() override { return {Framed(std::string(16, 'x')), HasFrame}; }
};

}  // namespace

std::unique_ptr<Contestant> MakeBareAsio() {
  return std::make_unique<BareAsio>();
}

}  // namespace weir::bench
