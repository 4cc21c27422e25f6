#include "support/zookeeper_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace weir::testing {
namespace {

constexpr const char* kServerJar = "/usr/share/java/zookeeper.jar";
constexpr const char* kLogJar = "/usr/share/java/slf4j-simple.jar";
constexpr std::chrono::seconds kStartTimeout{60};

bool InPath(std::string_view program) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (::access((folder + "/" + std::string(program)).c_str(), X_OK) == 0) return true;
  }
  return false;
}

void RequirePackages() {
  std::string missing;
  if (!InPath("java")) missing += " java";
  for (const char* jar : {kServerJar, kLogJar}) {
    if (!std::filesystem::exists(jar)) missing += std::string(" ") + jar;
  }
  if (missing.empty()) return;
  throw std::runtime_error(
      "the ZooKeeper server of the tests cannot start, missing:" + missing +
      "; install with: apt-get install libzookeeper-java libslf4j-java openjdk-17-jre-headless");
}

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

ZooKeeperServer::ZooKeeperServer() {
  RequirePackages();
  // Somebody may take the free port before the server does: try others.
  for (int attempt = 1;; ++attempt) {
    port_ = FreePort();
    try {
      Start();
      return;
    } catch (const std::runtime_error&) {
      if (attempt == 3) throw;
    }
  }
}

ZooKeeperServer::~ZooKeeperServer() {
  process_.reset();
}

std::string ZooKeeperServer::address() const {
  return "127.0.0.1:" + std::to_string(port_);
}

std::string ZooKeeperServer::Url(std::string_view path, int session_timeout_ms) const {
  return "zk://" + address() + std::string(path) +
         "?session_timeout_ms=" + std::to_string(session_timeout_ms);
}

void ZooKeeperServer::Start() {
  const std::string config = directory_.Path("zoo.cfg");
  const std::string log = directory_.Path("zk.log");
  std::ofstream(config) << "tickTime=200\ninitLimit=50\nsyncLimit=50\n"
                        << "dataDir=" << directory_.Path("data") << "\nclientPort=" << port_
                        << "\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n"
                        << "4lw.commands.whitelist=*\nmaxClientCnxns=0\n"
                        << "minSessionTimeout=400\nmaxSessionTimeout=60000\n";
  std::filesystem::create_directories(directory_.Path("data"));
  process_ = std::make_unique<Process>(std::vector<std::string>{
      "java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dzookeeper.forceSync=no",
      "-Dorg.slf4j.simpleLogger.logFile=" + log, "-cp", std::string(kServerJar) + ":" + kLogJar,
      "org.apache.zookeeper.server.quorum.QuorumPeerMain", config});
  const bool up = WaitUntil([this] { return Serves() || !running(); }, kStartTimeout);
  if (up && running()) return;
  std::ostringstream text;
  text << "the ZooKeeper server of the test did not start on port " << port_ << "\n"
       << process_->Errors() << std::ifstream(log).rdbuf();
  process_.reset();
  throw std::runtime_error(text.str());
}

bool ZooKeeperServer::Serves() const {
  // "ruok" would say imok too early.
  return Ask("srvr").find("Mode:") != std::string::npos;
}

void ZooKeeperServer::Stop() {
  if (!process_) return;
  process_->Signal(SIGTERM);
  if (!process_->Wait(std::chrono::seconds(20))) {
    throw std::runtime_error("the ZooKeeper server did not end within 20 s of SIGTERM");
  }
  process_.reset();
}

void ZooKeeperServer::Kill() {
  if (process_) process_->Kill();
  process_.reset();
}

void ZooKeeperServer::Restart() {
  Kill();
  Start();
}

void ZooKeeperServer::Wipe() {
  if (running()) throw std::runtime_error("Wipe() of a ZooKeeper server that runs");
  std::filesystem::remove_all(directory_.Path("data"));
}

void ZooKeeperServer::Pause() {
  if (process_) process_->Signal(SIGSTOP);
}

void ZooKeeperServer::Resume() {
  if (process_) process_->Signal(SIGCONT);
}

bool ZooKeeperServer::running() const {
  return process_ && process_->running();
}

std::string ZooKeeperServer::Ask(std::string_view four_letter_word) const {
  Connection connection(port_);
  return connection.Send(four_letter_word) ? connection.ReadToEnd() : std::string();
}

std::map<std::string, std::uint64_t> ZooKeeperServer::Ephemerals() const {
  // "dump" prints "0x1000...:" and below it one indented path a line, after the list of sessions.
  std::map<std::string, std::uint64_t> nodes;
  std::istringstream dump(Ask("dump"));
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

void ZooKeeperServer::ExpireSession(std::uint64_t session) const {
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
        Connection connection(port_);
        connection.Send(WithLength(connect) + WithLength(close));
        // Length, protocol version, timeout, ...: four bytes each.
        const std::string answer = connection.ReadToEnd();
        if (answer.size() >= 12 && answer.compare(8, 4, std::string(4, '\0')) == 0) return true;
        const std::string sessions = Ask("dump");
        return !sessions.empty() && sessions.find(name.str()) == std::string::npos;
      },
      std::chrono::seconds(20));
  if (!ended) throw std::runtime_error("session " + name.str() + " could not be ended by force");
}

}  // namespace weir::testing
