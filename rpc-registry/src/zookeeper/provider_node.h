// One announcement of this process in ZooKeeper: keeps an ephemeral node there, owned by the
// current session, whatever becomes of sessions and of the node.
//
// It always goes by what the server says: look (and set a watch), then create, replace or write,
// then look again. A node of another session is a dead predecessor's, since we hold the listening
// socket; treating it as ours would lose the provider for ever when that session expires.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <random>
#include <string>

#include "board.h"
#include "executor.h"
#include "node.h"
#include "weir/registry.h"
#include "zookeeper/session.h"

namespace weir::discovery {

// Confined to the executor's thread. Shared, because requests under way refer to it.
class ProviderNode : public std::enable_shared_from_this<ProviderNode> {
 public:
  // What the nodes of a registry share. All must outlive them.
  struct Surroundings {
    const std::string& registry;
    Executor& executor;
    ZkSession& session;
    RegistrationBoard& board;
    Counters& counters;
    std::minstd_rand& random;
  };

  ProviderNode(Surroundings around, const std::string& root, Instance instance,
               std::uint64_t board_id);

  const std::string& path() const noexcept { return path_; }
  // Withdrawn, and the node is gone or no longer ours.
  bool finished() const noexcept { return finished_; }
  bool withdrawn() const noexcept { return withdrawn_; }

  // Compares what should be with what is, and acts; nothing while disconnected.
  void Sync();
  void OnSessionLost();
  // The watch on the node fired.
  void OnChange(bool deleted);
  void SetWeight(std::int32_t weight);
  // Removes the node, unless it now belongs to `successor`, an announcement of the same address.
  void Withdraw(bool has_successor);

 private:
  void OnSeen(const ZkReply& reply);
  void OnOurs();
  void Create();
  void TakeOver(const ZkReply& predecessor);
  void Remove(const ZkReply& reply);
  void LookAgain();
  void Rest();
  void Fail(int code);
  void GiveUpForNow();
  ZkSession::Done Then(void (ProviderNode::*step)(const ZkReply&));
  void OnCreated(const ZkReply& reply);
  void OnReplaced(const ZkReply& reply);
  void OnWritten(const ZkReply& reply);
  std::string Weight() const { return std::to_string(instance_.weight); }

  const Surroundings around_;
  Instance instance_;
  const std::uint64_t board_id_;
  const std::string path_;
  bool busy_ = false;     // a request is under way
  bool again_ = false;    // and another look is due after it
  bool written_ = false;  // the node holds our weight
  bool withdrawn_ = false;
  bool yields_ = false;  // to another announcement of the same address
  bool finished_ = false;
  std::uint64_t stood_in_ = 0;  // session in which the node last stood
  std::deque<Executor::Clock::time_point> fights_;
  bool fight_reported_ = false;
};

}  // namespace weir::discovery
