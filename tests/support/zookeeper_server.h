// A private ZooKeeper server for tests: a real one, from the distribution's packages, alone on a
// free port of 127.0.0.1 with its data in a temporary directory.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "support/process.h"
#include "support/temp_dir.h"

namespace weir::testing {

// A resource: the destructor kills the server by its pid and removes its data. Not thread-safe.
// Every function throws std::runtime_error with a message for people when it cannot do its work;
// when Java or ZooKeeper's jar is missing, the message names the packages to install.
class ZooKeeperServer {
 public:
  // Starts a server and returns when it serves (about one second).
  ZooKeeperServer();
  ~ZooKeeperServer();
  ZooKeeperServer(const ZooKeeperServer&) = delete;
  ZooKeeperServer& operator=(const ZooKeeperServer&) = delete;

  std::uint16_t port() const noexcept { return port_; }
  // "127.0.0.1:port"
  std::string address() const;
  // "zk://127.0.0.1:port/rpc?session_timeout_ms=4000", say. The server allows session timeouts from
  // 400 ms to 60 s.
  std::string Url(std::string_view path = "/rpc", int session_timeout_ms = 4000) const;

  void Stop();     // SIGTERM, and waits for the end
  void Kill();     // kill -9, and waits for the end
  void Restart();  // starts again on the same port and data; Kill() first if it still runs
  void Wipe();     // removes the data; only while it does not run
  void Pause();    // SIGSTOP
  void Resume();   // SIGCONT
  bool running() const;

  // Answer to a four-letter word such as "srvr", "cons" or "wchp"; empty when nobody answers.
  std::string Ask(std::string_view four_letter_word) const;
  // The ephemeral nodes as the server itself sees them: path -> session that owns it.
  std::map<std::string, std::uint64_t> Ephemerals() const;
  // Ends a live session by force, as if it had expired: its owner learns it from the server.
  void ExpireSession(std::uint64_t session) const;

 private:
  void Start();
  bool Serves() const;

  TempDir directory_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Process> process_;
};

}  // namespace weir::testing
