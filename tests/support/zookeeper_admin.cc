#include "support/zookeeper_admin.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

#include "support/process.h"

namespace weir::testing {
namespace {

// A TCP connection to the server; every read and write gives up after two seconds.
class Connection {
 public:
  explicit Connection(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval limit{2, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    open_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Connection() { ::close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool Send(std::string_view bytes) {
    return open_ && ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
                        static_cast<ssize_t>(bytes.size());
  }
  std::string ReadToEnd() {
    std::string answer;
    std::array<char, 4096> buffer{};
    for (ssize_t size = 1; open_ && size > 0;) {
      size = ::recv(fd_, buffer.data(), buffer.size(), 0);
      if (size > 0) answer.append(buffer.data(), static_cast<std::size_t>(size));
    }
    return answer;
  }

 private:
  int fd_;
  bool open_ = false;
};

// Big-endian, as ZooKeeper's jute encoding has it.
template <class Integer>
void Append(std::string& bytes, Integer value) {
  for (int shift = static_cast<int>(sizeof value) * 8 - 8; shift >= 0; shift -= 8) {
    bytes += static_cast<char>(static_cast<std::uint64_t>(value) >> shift & 0xff);
  }
}

std::string WithLength(const std::string& packet) {
  std::string bytes;
  Append(bytes, static_cast<std::int32_t>(packet.size()));
  return bytes + packet;
}

// The password the server gave a session: java.util.Random seeded with the id, as in
// org.apache.zookeeper.server.ZooKeeperServer.generatePasswd.
std::string SessionPassword(std::uint64_t session) {
  constexpr std::uint64_t kSuperSecret = 0xB3415C00;
  constexpr std::uint64_t kMultiplier = 0x5DEECE66D;
  constexpr std::uint64_t kMask = (std::uint64_t{1} << 48) - 1;
  std::uint64_t state = ((session ^ kSuperSecret) ^ kMultiplier) & kMask;
  std::string password;
  while (password.size() < 16) {
    state = (state * kMultiplier + 0xB) & kMask;
    for (std::uint32_t word = static_cast<std::uint32_t>(state >> 16), i = 0; i < 4; ++i) {
      password += static_cast<char>(word & 0xff);
      word >>= 8;
    }
  }
  return password;
}

}  // namespace

std::string AskZooKeeper(std::uint16_t port, std::string_view four_letter_word) {
  Connection connection(port);
  return connection.Send(four_letter_word) ? connection.ReadToEnd() : std::string();
}

bool ZooKeeperServes(std::uint16_t port) {
  // "ruok" would say imok too early.
  return AskZooKeeper(port, "srvr").find("Mode:") != std::string::npos;
}

std::map<std::string, std::uint64_t> ZooKeeperEphemerals(std::uint16_t port) {
  // "dump" prints "0x1000...:" and below it one indented path a line, after the list of sessions.
  std::map<std::string, std::uint64_t> nodes;
  std::istringstream dump(AskZooKeeper(port, "dump"));
  std::uint64_t session = 0;
  for (std::string line; std::getline(dump, line);) {
    if (line.starts_with("0x")) {
      session = std::strtoull(line.c_str(), nullptr, 16);
    } else if (line.starts_with("\t/")) {
      nodes[line.substr(1)] = session;
    }
  }
  return nodes;
}

std::set<std::uint64_t> ZooKeeperSessions(std::uint16_t port) {
  // One line a connection: " /127.0.0.1:4711[1](queued=0,...,sid=0x1000...,...)".
  constexpr std::string_view kSign = "sid=0x";
  std::set<std::uint64_t> sessions;
  const std::string connections = AskZooKeeper(port, "cons");
  for (auto at = connections.find(kSign); at != std::string::npos;
       at = connections.find(kSign, at + 1)) {
    const auto session = std::strtoull(connections.c_str() + at + kSign.size(), nullptr, 16);
    if (session != 0) sessions.insert(session);
  }
  return sessions;
}

void ExpireZooKeeperSession(std::uint16_t port, std::uint64_t session) {
  std::string connect;
  Append(connect, std::int32_t{0});       // protocol version
  Append(connect, std::int64_t{0});       // last zxid seen
  Append(connect, std::int32_t{60'000});  // timeout, ms
  Append(connect, session);
  Append(connect, std::int32_t{16});
  connect += SessionPassword(session);
  connect += '\0';  // not read-only
  std::string close;
  Append(close, std::int32_t{1});    // xid
  Append(close, std::int32_t{-11});  // closeSession
  std::ostringstream name;
  name << "0x" << std::hex << session;
  // The server cuts the owner off, who at once comes back and cuts us off: both requests go in one
  // piece, and again should the owner have been faster. A session that has ended is answered with a
  // timeout of 0; the tracker may go on listing it.
  const bool ended = WaitUntil(
      [&] {
        Connection connection(port);
        connection.Send(WithLength(connect) + WithLength(close));
        // Length, protocol version, timeout, ...: four bytes each.
        const std::string answer = connection.ReadToEnd();
        if (answer.size() >= 12 && answer.compare(8, 4, std::string(4, '\0')) == 0) return true;
        const std::string sessions = AskZooKeeper(port, "dump");
        return !sessions.empty() && sessions.find(name.str()) == std::string::npos;
      },
      std::chrono::seconds(20));
  if (!ended) throw std::runtime_error("session " + name.str() + " could not be ended by force");
}

}  // namespace weir::testing
