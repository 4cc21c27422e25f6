// A peer that speaks in raw bytes over a real socket, as no client or server of ours would.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "core/wire_bytes.h"
#include "wire/frame.h"
#include "wire/meta.h"

namespace weir::test {

using namespace std::chrono_literals;

struct RawFrame {
  wire::FrameHeader header;
  std::string meta;
  std::string body;
  std::string attachment;

  wire::FrameType type() const { return static_cast<wire::FrameType>(header.type); }
  // Of RESPONSE; the views point into this frame.
  wire::ResponseMeta response() const {
    wire::ResponseMeta decoded;
    if (!decoded.Decode(meta)) throw std::runtime_error("malformed response meta");
    return decoded;
  }
  // Of ERROR and GOAWAY.
  wire::NoticeMeta notice() const {
    wire::NoticeMeta decoded;
    if (!decoded.Decode(meta)) throw std::runtime_error("malformed notice");
    return decoded;
  }
};

// A connected socket. A resource. Every wait has a deadline.
class RawPeer {
 public:
  using Milliseconds = std::chrono::milliseconds;

  explicit RawPeer(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      ::close(socket_);
      throw std::runtime_error("cannot connect to the server under test");
    }
  }
  static RawPeer Own(int socket) { return RawPeer(socket, 0); }
  RawPeer(RawPeer&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), in_(std::move(other.in_)) {}
  RawPeer& operator=(RawPeer&&) = delete;
  ~RawPeer() { Close(); }

  void Close() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }
  // Closes with RST.
  void Reset() {
    const linger now{1, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    Close();
  }
  void ShutdownWrite() { ::shutdown(socket_, SHUT_WR); }

  // False when the other side no longer takes anything.
  bool Send(std::string_view bytes, Milliseconds timeout = 10s) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (!bytes.empty()) {
      if (!Poll(POLLOUT, deadline)) return false;
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  bool SendSettings() { return Send(FrameBytes(wire::FrameType::kSettings, 0)); }

  // The next frame; none when the other side closed or the time is over.
  std::optional<RawFrame> Next(Milliseconds timeout = 10s) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    RawFrame frame;
    if (!Fill(wire::kHeaderBytes, deadline)) return std::nullopt;
    if (wire::DecodeHeader(in_.data(), &frame.header) != wire::HeaderError::kNone) {
      throw std::runtime_error("not a frame");
    }
    const std::size_t head = frame.header.head_bytes();
    if (!Fill(head + frame.header.attachment_bytes, deadline)) return std::nullopt;
    frame.meta = in_.substr(wire::kHeaderBytes, frame.header.meta_bytes);
    frame.body = in_.substr(wire::kHeaderBytes + frame.header.meta_bytes, frame.header.body_bytes);
    frame.attachment = in_.substr(head, frame.header.attachment_bytes);
    in_.erase(0, head + frame.header.attachment_bytes);
    return frame;
  }
  // The next frame of that type; others are dropped.
  std::optional<RawFrame> Next(wire::FrameType type, Milliseconds timeout = 10s) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (std::chrono::steady_clock::now() < deadline) {
      auto frame = Next(timeout);
      if (!frame || frame->type() == type) return frame;
    }
    return std::nullopt;
  }
  // True if the other side closes (or resets) before the time is over; what it says is dropped.
  bool IsClosedWithin(Milliseconds timeout) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (Fill(in_.size() + 1, deadline)) {
    }
    return closed_;
  }

 private:
  RawPeer(int socket, int) : socket_(socket) {}

  bool Poll(short events, std::chrono::steady_clock::time_point deadline) {
    while (true) {
      const auto left =
          std::chrono::duration_cast<Milliseconds>(deadline - std::chrono::steady_clock::now());
      if (left.count() < 0) return false;
      pollfd wanted{socket_, events, 0};
      const int ready = ::poll(&wanted, 1, static_cast<int>(left.count()) + 1);
      if (ready > 0) return true;
      if (ready == 0) return false;
      if (errno != EINTR) return false;
    }
  }
  bool Fill(std::size_t bytes, std::chrono::steady_clock::time_point deadline) {
    char buffer[65'536];
    while (in_.size() < bytes) {
      if (closed_ || !Poll(POLLIN, deadline)) return false;
      const ssize_t got = ::recv(socket_, buffer, sizeof buffer, MSG_DONTWAIT);
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (got <= 0) {
        closed_ = true;
        return false;
      }
      in_.append(buffer, static_cast<std::size_t>(got));
    }
    return true;
  }

  int socket_;
  std::string in_;
  bool closed_ = false;
};

// A port that waits for clients of ours.
class RawListener {
 public:
  RawListener() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(socket_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(socket_, 64) != 0 ||
        ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("cannot listen");
    }
    port_ = ntohs(address.sin_port);
  }
  ~RawListener() { ::close(socket_); }
  RawListener(const RawListener&) = delete;
  RawListener& operator=(const RawListener&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  // The next connection; throws when none comes in time.
  RawPeer Accept(std::chrono::milliseconds timeout = 10s) {
    pollfd wanted{socket_, POLLIN, 0};
    if (::poll(&wanted, 1, static_cast<int>(timeout.count())) <= 0) {
      throw std::runtime_error("no client came");
    }
    return RawPeer::Own(::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC));
  }
  bool SomebodyWaits(std::chrono::milliseconds timeout) {
    pollfd wanted{socket_, POLLIN, 0};
    return ::poll(&wanted, 1, static_cast<int>(timeout.count())) > 0;
  }

 private:
  int socket_;
  std::uint16_t port_ = 0;
};

inline std::string EncodeMeta(const wire::RequestMeta& meta, const Metadata* metadata = nullptr) {
  std::string bytes(meta.MaxBytes(metadata), '\0');
  bytes.resize(meta.Encode(bytes.data(), metadata));
  return bytes;
}
// SETTINGS of a server that takes everything.
inline std::string ServerSettings() {
  const wire::SettingsMeta settings{
      .max_message_bytes = 16u << 20, .max_attachment_bytes = 64u << 20, .max_calls = 1000};
  std::string meta(wire::SettingsMeta::kMaxBytes, '\0');
  meta.resize(settings.Encode(meta.data()));
  return FrameBytes(wire::FrameType::kSettings, 0, meta);
}

}  // namespace weir::test
