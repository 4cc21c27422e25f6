// A private ZooKeeper server for tests: a real one, from the distribution's packages, on a free
// port of 127.0.0.1 with its data in a temporary directory.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "support/process.h"
#include "support/temp_dir.h"
#include "support/zookeeper_admin.h"

namespace weir::testing {

// The tick of the servers of tests. Sessions end up to one tick late.
inline constexpr std::chrono::milliseconds kZooKeeperTick{200};
// How long a server, or a quorum of them, may take to serve; generous, for loaded machines.
inline constexpr std::chrono::seconds kZooKeeperStartTimeout{60};

// A server's place in an ensemble. A value.
struct ZooKeeperMembership {
  int id = 0;                     // "myid", from 1
  std::uint16_t client_port = 0;  // where it listens for clients
  std::string servers = {};       // the lines "server.N=..." of the configuration
};

// A resource: the destructor kills the server by its pid and removes its data. Not thread-safe.
// Every function throws std::runtime_error with a message for people when it cannot do its work;
// when Java or ZooKeeper's jar is missing, the message names the packages to install.
class ZooKeeperServer {
 public:
  // Starts a server that stands alone and returns when it serves (about one second). `heap_mb`: the
  // memory of its Java, in mebibytes.
  explicit ZooKeeperServer(int heap_mb = 128);
  // Starts a member of an ensemble and returns at once: it serves when there is a quorum.
  explicit ZooKeeperServer(ZooKeeperMembership membership);
  ~ZooKeeperServer();
  ZooKeeperServer(const ZooKeeperServer&) = delete;
  ZooKeeperServer& operator=(const ZooKeeperServer&) = delete;

  std::uint16_t port() const noexcept { return membership_.client_port; }
  // "127.0.0.1:port"
  std::string address() const;
  // "zk://127.0.0.1:port/rpc?session_timeout_ms=4000", say. The server allows session timeouts from
  // 400 ms to 60 s.
  std::string Url(std::string_view path = "/rpc", int session_timeout_ms = 4000) const;

  void Stop();     // SIGTERM, and waits for the end
  void Kill();     // kill -9, and waits for the end
  void Launch();   // starts it on the same port and data, unless it runs; waits for nothing
  void Restart();  // Kill(), Launch(), and waits until it serves
  void Wipe();     // removes the data; only while it does not run
  void Pause();    // SIGSTOP
  void Resume();   // SIGCONT
  bool running() const;
  bool paused() const noexcept { return paused_; }
  // Whether it takes requests now.
  bool Serves() const;
  // Waits until it does; throws with the server's own log when it ends or takes too long.
  void AwaitServing();

  std::string Ask(std::string_view four_letter_word) const;
  std::map<std::string, std::uint64_t> Ephemerals() const { return ZooKeeperEphemerals(port()); }
  std::set<std::uint64_t> Sessions() const { return ZooKeeperSessions(port()); }
  void ExpireSession(std::uint64_t session) const { ExpireZooKeeperSession(port(), session); }

 private:
  TempDir directory_;
  ZooKeeperMembership membership_;
  int heap_mb_ = 128;
  std::unique_ptr<Process> process_;
  bool paused_ = false;
};

}  // namespace weir::testing
