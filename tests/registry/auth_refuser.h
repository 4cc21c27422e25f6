// A stand-in for a ZooKeeper server that refuses every credential: it speaks just enough of the
// protocol to accept sessions and judge credentials. A real server of the distribution's package
// takes any digest, so this case cannot be had from one.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace weir::testing {

// A resource; listens on a free port of 127.0.0.1. Thread-safe.
class AuthRefuser {
 public:
  AuthRefuser() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener_, any, size), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
    EXPECT_EQ(::getsockname(listener_, any, &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Run(); });
  }
  ~AuthRefuser() {
    ending_ = true;
    thread_.join();
    ::close(listener_);
  }
  AuthRefuser(const AuthRefuser&) = delete;
  AuthRefuser& operator=(const AuthRefuser&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  // How many sessions were asked for.
  std::uint32_t sessions() const { return sessions_; }
  void Accept() { accepts_ = true; }

 private:
  using Bytes = std::vector<std::uint8_t>;

  void Run() {
    std::vector<int> clients;
    while (!ending_) {
      std::vector<pollfd> sources{{listener_, POLLIN, 0}};
      for (const int client : clients) sources.push_back({client, POLLIN, 0});
      if (::poll(sources.data(), sources.size(), 20) <= 0) continue;
      for (std::size_t i = 1; i < sources.size(); ++i) {
        if (sources[i].revents == 0 || Serve(sources[i].fd)) continue;
        ::close(sources[i].fd);
        std::erase(clients, sources[i].fd);
      }
      if (sources[0].revents != 0) clients.push_back(::accept(listener_, nullptr, nullptr));
    }
    for (const int client : clients) ::close(client);
  }

  // Answers one packet; false when the client has gone.
  bool Serve(int client) {
    std::array<std::uint8_t, 4> length{};
    if (::recv(client, length.data(), 4, MSG_WAITALL) != 4) return false;
    Bytes packet(Number(length.data()));
    if (::recv(client, packet.data(), packet.size(), MSG_WAITALL) !=
        static_cast<ssize_t>(packet.size())) {
      return false;
    }
    const std::uint32_t first = Number(packet.data());
    constexpr std::uint32_t kAuth = static_cast<std::uint32_t>(-4);
    constexpr std::uint32_t kPing = static_cast<std::uint32_t>(-2);
    if (first == 0 && packet.size() >= 44) {  // a session is asked for: protocol version 0
      Bytes answer;
      Put(answer, 37), Put(answer, 0), Put(answer, 10'000), Put(answer, 0);
      Put(answer, ++sessions_), Put(answer, 16);
      answer.resize(answer.size() + 17);
      Send(client, answer);
    } else if (first == kAuth || first == kPing) {
      const bool refuse = first == kAuth && !accepts_;
      Bytes answer;
      Put(answer, 16), Put(answer, first), Put(answer, 0), Put(answer, 0);
      Put(answer, refuse ? static_cast<std::uint32_t>(-115) : 0);
      Send(client, answer);
    }
    return true;
  }

  static std::uint32_t Number(const std::uint8_t* bytes) {
    return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
           std::uint32_t{bytes[2]} << 8 | bytes[3];
  }
  static void Put(Bytes& bytes, std::uint32_t number) {
    for (const int shift : {24, 16, 8, 0}) {
      bytes.push_back(static_cast<std::uint8_t>(number >> shift));
    }
  }
  static void Send(int client, const Bytes& bytes) {
    EXPECT_EQ(::send(client, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }

  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<std::uint32_t> sessions_{0};
  std::atomic<bool> accepts_{false};
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

}  // namespace weir::testing
