// The proxy of the tests, tested with an echoing peer.
#include "support/tcp_proxy.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace weir::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kPatience{20};

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&&) = delete;

  // Connected to a port; nothing when it refuses.
  static std::optional<Socket> To(std::uint16_t port) {
    Socket made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(made.fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      return std::nullopt;
    }
    return made;
  }

  void Send(std::string_view text) {
    EXPECT_EQ(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  // What came first within the time; "" at the end of the stream, "reset", or nothing.
  std::optional<std::string> Receive(milliseconds timeout = kPatience) {
    pollfd readable{fd_, POLLIN, 0};
    if (::poll(&readable, 1, static_cast<int>(timeout.count())) == 0) return std::nullopt;
    std::array<char, 256> buffer{};
    const ssize_t size = ::recv(fd_, buffer.data(), buffer.size(), 0);
    return size < 0 ? "reset" : std::string(buffer.data(), static_cast<std::size_t>(size));
  }
  void EndSending() { ::shutdown(fd_, SHUT_WR); }
  int fd() const { return fd_; }

 private:
  int fd_;
};

class TcpProxyTest : public ::testing::Test {
 protected:
  TcpProxyTest() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_.fd(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_.fd(), 16), 0);
    EXPECT_EQ(::getsockname(listener_.fd(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  Socket Accept() {
    pollfd readable{listener_.fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&readable, 1, 20'000), 1);
    return Socket(::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  bool NobodyConnects() {
    pollfd readable{listener_.fd(), POLLIN, 0};
    return ::poll(&readable, 1, 100) == 0;
  }

  Socket listener_;
  std::uint16_t port_ = 0;
};

TEST_F(TcpProxyTest, ForwardsBothWaysAndHandsOnTheEnd) {
  TcpProxy proxy(port_);
  auto client = Socket::To(proxy.port());
  ASSERT_TRUE(client);
  Socket server = Accept();
  client->Send("there");
  EXPECT_EQ(server.Receive(), "there");
  client->EndSending();
  EXPECT_EQ(server.Receive(), "");
  server.Send("back");
  EXPECT_EQ(client->Receive(), "back");
  server.EndSending();
  EXPECT_EQ(client->Receive(), "");
}

TEST_F(TcpProxyTest, WhileCutNothingPassesAndNothingBreaks) {
  TcpProxy proxy(port_);
  auto client = Socket::To(proxy.port());
  ASSERT_TRUE(client);
  Socket server = Accept();
  proxy.Cut();
  client->Send("late");
  EXPECT_EQ(server.Receive(milliseconds(100)), std::nullopt);
  auto newcomer = Socket::To(proxy.port());
  ASSERT_TRUE(newcomer);
  newcomer->Send("new");
  EXPECT_TRUE(NobodyConnects());
  proxy.Heal();
  EXPECT_EQ(server.Receive(), "late");
  EXPECT_EQ(Accept().Receive(), "new");
}

TEST_F(TcpProxyTest, SeveredItResetsAndRefusesUntilItIsHealed) {
  TcpProxy proxy(port_);
  auto client = Socket::To(proxy.port());
  ASSERT_TRUE(client);
  Socket server = Accept();
  proxy.Sever();
  EXPECT_EQ(client->Receive(), "reset");
  EXPECT_EQ(server.Receive(), "reset");
  EXPECT_FALSE(Socket::To(proxy.port()));
  proxy.Heal();
  auto again = Socket::To(proxy.port());
  ASSERT_TRUE(again);
  again->Send("again");
  EXPECT_EQ(Accept().Receive(), "again");
}

TEST_F(TcpProxyTest, ATargetThatRefusesIsAReset) {
  std::uint16_t nobody = 0;
  {
    const TcpProxy gone(port_);
    nobody = gone.port();
  }
  TcpProxy proxy(nobody);
  auto client = Socket::To(proxy.port());
  ASSERT_TRUE(client);
  EXPECT_EQ(client->Receive(), "reset");
}

}  // namespace
}  // namespace weir::testing
