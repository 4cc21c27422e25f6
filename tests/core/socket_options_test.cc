// What the kernel is told about sockets, read back from the sockets of a server and a channel.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "core/echo_service.h"
#include "transport/socket.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

std::optional<int> Option(int descriptor, int level, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  if (::getsockopt(descriptor, level, option, &value, &size) != 0) return std::nullopt;
  return value;
}

std::string CongestionControl(int descriptor) {
  char name[32] = {};
  socklen_t size = sizeof name;
  ::getsockopt(descriptor, IPPROTO_TCP, TCP_CONGESTION, name, &size);
  return name;
}

// The port of the socket's own end or the other's; 0 if it is no connected TCP socket.
std::uint16_t PortOf(int descriptor, bool own) {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  const auto ask = own ? ::getsockname : ::getpeername;
  if (ask(descriptor, reinterpret_cast<sockaddr*>(&name), &size) != 0) return 0;
  if (name.ss_family != AF_INET) return 0;
  return ntohs(reinterpret_cast<const sockaddr_in*>(&name)->sin_port);
}

// The connected sockets of this process whose own or other end has that port.
std::vector<int> Sockets(std::uint16_t port, bool own) {
  std::vector<int> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int descriptor = std::stoi(entry.path().filename().string());
    if (PortOf(descriptor, false) != 0 && PortOf(descriptor, own) == port) {
      found.push_back(descriptor);
    }
  }
  return found;
}

std::string Available() {
  std::ifstream file("/proc/sys/net/ipv4/tcp_available_congestion_control");
  std::string first;
  file >> first;
  return first;
}

EchoRequest Request() {
  EchoRequest request;
  request.set_payload("x");
  return request;
}

TEST(SocketOptionsOfBothSides, ReachTheirConnections) {
  SocketOptions options;
  options.keepalive = 33s;
  options.keepalive_interval = 7s;
  options.keepalive_probes = 5;
  options.unacknowledged = 12'345ms;
  options.send_buffer = 50'000;
  options.receive_buffer = 60'000;
  options.congestion_control = "reno";
  Server server({.socket = options});
  server.Add(std::make_unique<EchoService>());
  ASSERT_TRUE(server.Start().ok());
  Channel channel("list://" + server.address(), {.socket = options});
  ASSERT_TRUE(Echo::Stub(channel).Plain(Request()).ok());
  for (const bool of_server : {true, false}) {
    const std::vector<int> sockets = Sockets(server.port(), of_server);
    ASSERT_EQ(sockets.size(), 1u);
    const int socket = sockets.front();
    EXPECT_EQ(Option(socket, IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(Option(socket, SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_EQ(Option(socket, IPPROTO_TCP, TCP_KEEPIDLE), 33);
    EXPECT_EQ(Option(socket, IPPROTO_TCP, TCP_KEEPINTVL), 7);
    EXPECT_EQ(Option(socket, IPPROTO_TCP, TCP_KEEPCNT), 5);
    EXPECT_EQ(Option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT), 12'345);
    EXPECT_EQ(Option(socket, SOL_SOCKET, SO_SNDBUF), 100'000);  // the kernel counts its own needs
    EXPECT_EQ(Option(socket, SOL_SOCKET, SO_RCVBUF), 120'000);
    EXPECT_EQ(CongestionControl(socket), "reno");
  }
}

TEST(SocketOptionsOfBothSides, ByDefaultOnlyTurnNagleOff) {
  Server server;
  server.Add(std::make_unique<EchoService>());
  ASSERT_TRUE(server.Start().ok());
  Channel channel("list://" + server.address());
  ASSERT_TRUE(Echo::Stub(channel).Plain(Request()).ok());
  for (const bool of_server : {true, false}) {
    const std::vector<int> sockets = Sockets(server.port(), of_server);
    ASSERT_EQ(sockets.size(), 1u);
    EXPECT_EQ(Option(sockets.front(), IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(Option(sockets.front(), SOL_SOCKET, SO_KEEPALIVE), 0);
    EXPECT_EQ(Option(sockets.front(), IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
  }
}

TEST(SocketOptionsOfBothSides, MistakesAreReportedAtTheStart) {
  std::vector<std::pair<SocketOptions, std::string>> cases(8);
  cases[0].first.congestion_control = "no-such";
  cases[0].second = "congestion_control: 'no-such' is not available here; available: ";
  cases[1].first.send_buffer = 1u << 30;
  cases[1].second =
      "send_buffer: 1073741824 bytes are above what this machine allows; raise "
      "net.core.wmem_max";
  cases[2].first.receive_buffer = 4'000'000'000;
  cases[2].second = "net.core.rmem_max";
  cases[3].first.keepalive = 40'000s;
  cases[3].second = "keepalive is not between 0 and 32767";
  cases[4].first.keepalive = -1s;
  cases[4].second = "keepalive is not between";
  cases[5].first.keepalive_interval = 0s;
  cases[5].second = "keepalive_interval is not between";
  cases[6].first.keepalive_probes = 128;
  cases[6].second = "keepalive_probes is not between";
  cases[7].first.unacknowledged = 25h;
  cases[7].second = "unacknowledged is not between";
  for (const auto& [options, why] : cases) {
    EXPECT_THAT(Check(options).ToString(), HasSubstr(why));
    const Channel channel("list://127.0.0.1:1", {.socket = options});
    EXPECT_THAT(channel.status().ToString(), HasSubstr(why));
    for (const char* listen : {"127.0.0.1:0", "unix:@weir-options-test"}) {
      Server server({.listen = listen, .socket = options});
      const Status status = server.Start();
      EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
      EXPECT_THAT(status.ToString(), HasSubstr(why));
    }
  }
  EXPECT_THAT(Check(cases[0].first).ToString(), HasSubstr(Available()));
}

TEST(SocketOptionsOfBothSides, AnIpv6AddressMayKeepIpv4Out) {
  Server open({.listen = "[::]:0"});
  Server closed({.listen = "[::]:0", .v6_only = true});
  for (Server* server : {&open, &closed}) {
    server->Add(std::make_unique<EchoService>());
    if (!server->Start().ok()) GTEST_SKIP() << "no IPv6 on this machine";
  }
  const auto call = [](const std::string& address) {
    Channel channel("list://" + address);
    return Echo::Stub(channel).Plain(Request()).ok();
  };
  EXPECT_TRUE(call("[::1]:" + std::to_string(open.port())));
  EXPECT_TRUE(call("[::1]:" + std::to_string(closed.port())));
  EXPECT_TRUE(call("127.0.0.1:" + std::to_string(open.port())));
  EXPECT_FALSE(call("127.0.0.1:" + std::to_string(closed.port())));
}

TEST(SocketOptionsOfBothSides, TheBacklogBoundsWhoWaits) {
  Server server({.backlog = 3});
  server.Add(std::make_unique<EchoService>());
  ASSERT_TRUE(server.Listen().ok());
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int descriptor = std::stoi(entry.path().filename().string());
    if (Option(descriptor, SOL_SOCKET, SO_ACCEPTCONN) != 1) continue;
    if (PortOf(descriptor, true) != server.port()) continue;
    tcp_info info{};
    socklen_t size = sizeof info;
    ASSERT_EQ(::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    EXPECT_EQ(info.tcpi_sacked, 3u);  // of one that listens: how many may wait
    return;
  }
  FAIL() << "the listening socket was not found";
}

TEST(SocketOptionsOfBothSides, TheSendBufferCountsForUnixSocketsAsWell) {
  SocketOptions options;
  options.send_buffer = 50'000;
  options.congestion_control = "reno";  // means nothing there
  const std::string name = "unix:@weir-options-" + std::to_string(::getpid());
  Server server({.listen = name, .socket = options});
  server.Add(std::make_unique<EchoService>());
  ASSERT_TRUE(server.Start().ok());
  Channel channel("list://" + name, {.socket = options});
  ASSERT_TRUE(Echo::Stub(channel).Plain(Request()).ok());
  int sized = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int descriptor = std::stoi(entry.path().filename().string());
    if (Option(descriptor, SOL_SOCKET, SO_DOMAIN) != AF_UNIX) continue;
    if (Option(descriptor, SOL_SOCKET, SO_SNDBUF) == 100'000) ++sized;
  }
  EXPECT_EQ(sized, 2);
}

}  // namespace
}  // namespace weir::test
