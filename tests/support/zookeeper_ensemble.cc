#include "support/zookeeper_ensemble.h"

#include <stdexcept>

namespace weir::testing {
namespace {

std::vector<std::unique_ptr<ZooKeeperServer>> StartMembers(std::size_t size) {
  std::vector<std::uint16_t> ports;
  std::string servers;
  for (std::size_t i = 1; i <= size; ++i) {
    ports.push_back(FreePort());
    servers += "server." + std::to_string(i) + "=127.0.0.1:" + std::to_string(FreePort()) + ":" +
               std::to_string(FreePort()) + "\n";
  }
  std::vector<std::unique_ptr<ZooKeeperServer>> members;
  for (std::size_t i = 0; i < size; ++i) {
    members.push_back(std::make_unique<ZooKeeperServer>(ZooKeeperMembership{
        .id = static_cast<int>(i) + 1, .client_port = ports[i], .servers = servers}));
  }
  return members;
}

}  // namespace

ZooKeeperEnsemble::ZooKeeperEnsemble(std::size_t size) {
  // Somebody may take a free port before its server does: try others.
  for (int attempt = 1;; ++attempt) {
    members_ = StartMembers(size);
    try {
      WaitForQuorum();
      return;
    } catch (const std::runtime_error&) {
      if (attempt == 3) throw;
    }
  }
}

std::string ZooKeeperEnsemble::Url(std::string_view path, int session_timeout_ms) const {
  std::string hosts;
  for (const auto& member : members_) hosts += (hosts.empty() ? "" : ",") + member->address();
  return "zk://" + hosts + std::string(path) +
         "?session_timeout_ms=" + std::to_string(session_timeout_ms);
}

std::optional<std::size_t> ZooKeeperEnsemble::Leader() const {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const ZooKeeperServer& member = *members_[i];
    if (member.Serves() && member.Ask("srvr").find("Mode: leader") != std::string::npos) return i;
  }
  return std::nullopt;
}

void ZooKeeperEnsemble::WaitForQuorum() {
  const bool led = WaitUntil(
      [this] {
        for (const auto& member : members_) {
          if (member->running() && !member->paused()) member->AwaitServing();
        }
        return Leader().has_value();
      },
      kZooKeeperStartTimeout);
  if (!led) throw std::runtime_error("no server of the private ZooKeeper ensemble leads");
}

void ZooKeeperEnsemble::StopAll() {
  for (const auto& member : members_) member->Stop();
}

void ZooKeeperEnsemble::LaunchAll() {
  for (const auto& member : members_) member->Launch();
}

void ZooKeeperEnsemble::WipeAll() {
  for (const auto& member : members_) member->Wipe();
}

std::map<std::string, std::uint64_t> ZooKeeperEnsemble::Ephemerals() const {
  const auto leader = Leader();
  return leader ? members_[*leader]->Ephemerals() : std::map<std::string, std::uint64_t>();
}

std::set<std::uint64_t> ZooKeeperEnsemble::Sessions() const {
  std::set<std::uint64_t> sessions;
  for (const auto& member : members_) {
    if (member->Serves()) sessions.merge(member->Sessions());
  }
  return sessions;
}

void ZooKeeperEnsemble::ExpireSession(std::uint64_t session) const {
  const auto leader = Leader();
  if (!leader) throw std::runtime_error("cannot expire a session: no ZooKeeper server leads");
  members_[*leader]->ExpireSession(session);
}

}  // namespace weir::testing
