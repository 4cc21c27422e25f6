#include "harness/idle_connections.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "wire/frame.h"
#include "wire/meta.h"

namespace weir::bench {
namespace {

std::string FrameOf(wire::FrameType type, std::uint64_t id, std::string_view meta,
                    std::string_view body) {
  wire::FrameHeader header;
  header.type = static_cast<std::uint8_t>(type);
  header.id = id;
  header.meta_bytes = static_cast<std::uint32_t>(meta.size());
  header.body_bytes = static_cast<std::uint32_t>(body.size());
  std::string bytes(wire::kHeaderBytes, '\0');
  wire::EncodeHeader(header, bytes.data());
  return bytes.append(meta).append(body);
}

bool HasResponse(std::string_view received) {
  while (received.size() >= wire::kHeaderBytes) {
    wire::FrameHeader header;
    if (wire::DecodeHeader(received.data(), &header) != wire::HeaderError::kNone) return false;
    const std::uint64_t bytes = header.head_bytes() + header.attachment_bytes;
    if (received.size() < bytes) return false;
    if (header.type == static_cast<std::uint8_t>(wire::FrameType::kResponse)) return true;
    received.remove_prefix(bytes);
  }
  return false;
}

bool Fail(const char* what) {
  std::fprintf(stderr, "error: an idle connection: %s: %s\n", what, std::strerror(errno));
  return false;
}

}  // namespace

Hello WeirHello(std::string_view method, std::string_view body) {
  std::string settings(wire::SettingsMeta::kMaxBytes, '\0');
  wire::SettingsMeta takes;
  takes.max_message_bytes = 16u << 20;
  takes.max_attachment_bytes = 64u << 20;
  settings.resize(takes.Encode(settings.data()));
  wire::RequestMeta call;
  call.method = method;
  call.method_id = 1;
  call.timeout_us = 5'000'000;
  std::string meta(call.MaxBytes(nullptr), '\0');
  meta.resize(call.Encode(meta.data(), nullptr));
  return {FrameOf(wire::FrameType::kSettings, 0, settings, {}) +
              FrameOf(wire::FrameType::kRequest, 1, meta, body),
          HasResponse};
}

IdleConnections::~IdleConnections() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  for (const int socket : sockets_) {
    ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    ::close(socket);
  }
}

bool IdleConnections::Open(std::uint16_t port, std::size_t count) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string received;
  for (std::size_t i = 0; i < count; ++i) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return Fail("socket");
    sockets_.push_back(socket);
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      return Fail("connect");
    }
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const std::string& words = hello_.words;
    if (::send(socket, words.data(), words.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(words.size())) {
      return Fail("send");
    }
    received.clear();
    while (!hello_.is_answer(received)) {
      char bytes[4096];
      const ssize_t n = ::recv(socket, bytes, sizeof bytes, 0);
      if (n == 0) errno = ECONNRESET;
      if (n <= 0) return Fail("the server does not answer the first call");
      received.append(bytes, static_cast<std::size_t>(n));
    }
  }
  return true;
}

}  // namespace weir::bench
