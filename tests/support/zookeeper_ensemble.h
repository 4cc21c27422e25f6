// A private ZooKeeper ensemble for tests: several real servers on free ports of 127.0.0.1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "support/zookeeper_server.h"

namespace weir::testing {

// A resource: the destructor kills the servers and removes their data. Not thread-safe. Functions
// throw std::runtime_error with a message for people when they cannot do their work.
class ZooKeeperEnsemble {
 public:
  // Starts the servers and returns when all of them serve (about three seconds).
  explicit ZooKeeperEnsemble(std::size_t size = 3);

  std::size_t size() const noexcept { return members_.size(); }
  // One server, by index from 0: Stop, Kill, Launch, Pause, Resume, Wipe. (Its Restart() waits
  // until it serves, which needs a quorum of the others.)
  ZooKeeperServer& member(std::size_t index) { return *members_[index]; }

  // "zk://127.0.0.1:p1,127.0.0.1:p2,127.0.0.1:p3/rpc?session_timeout_ms=4000", say.
  std::string Url(std::string_view path = "/rpc", int session_timeout_ms = 4000) const;

  // The index of the server that leads a quorum now.
  std::optional<std::size_t> Leader() const;
  // Waits until every server that runs and is not paused serves, one of them as leader.
  void WaitForQuorum();

  void StopAll();    // SIGTERM to all, and waits for their ends
  void LaunchAll();  // starts those that do not run; see WaitForQuorum
  void WipeAll();    // removes the data of all; only while none runs

  // As the leader sees them; empty while there is none.
  std::map<std::string, std::uint64_t> Ephemerals() const;
  // The sessions whose owners are connected to any of the servers.
  std::set<std::uint64_t> Sessions() const;
  // Ends a session by force; see ExpireZooKeeperSession. Needs a quorum.
  void ExpireSession(std::uint64_t session) const;

 private:
  std::vector<std::unique_ptr<ZooKeeperServer>> members_;
};

}  // namespace weir::testing
