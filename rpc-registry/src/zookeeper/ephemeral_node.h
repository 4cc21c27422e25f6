// One ephemeral node of this process: kept in ZooKeeper, owned by the current session, whatever
// becomes of sessions and of the node.
//
// It always goes by what the server says: look (and set a watch), then create, replace or write,
// then look again. A node of another session is a dead predecessor's, since we hold the listening
// socket; treating it as ours would lose the node for ever when that session expires.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <string>

#include "executor.h"
#include "node.h"
#include "zookeeper/surroundings.h"

namespace weir::discovery {

// Confined to the executor's thread. Shared, because requests under way refer to it. What it is
// for is told by the classes derived from it.
class EphemeralNode : public std::enable_shared_from_this<EphemeralNode> {
 public:
  virtual ~EphemeralNode() = default;
  EphemeralNode(const EphemeralNode&) = delete;
  EphemeralNode& operator=(const EphemeralNode&) = delete;

  const std::string& path() const noexcept { return path_; }
  // Withdrawn, and the node is gone or no longer ours.
  bool finished() const noexcept { return finished_; }
  bool withdrawn() const noexcept { return withdrawn_; }

  // Compares what should be with what is, and acts; nothing while disconnected.
  void Sync();
  void OnSessionLost();
  // The watch on the node fired.
  void OnChange(bool deleted);
  // Removes the node, unless it now belongs to another announcement of the same address.
  void Withdraw(bool has_successor);

 protected:
  EphemeralNode(const Surroundings& around, std::string path, std::string data)
      : around_(around), path_(std::move(path)), data_(std::move(data)) {}

  const Surroundings& around() const noexcept { return around_; }
  // Writes `data` as soon as that can be done.
  void Write(std::string data);
  // What a new node will hold, should this one have to be made again.
  void Adopt(std::string data) { data_ = std::move(data); }
  // Whether it was taken from another session lately.
  bool Contested();

  // The node is there and ours; `fresh`: for the first time in this session.
  virtual void OnStanding(bool fresh) = 0;
  // It cannot be made or read; `code` says why. Nothing is tried again before the next event,
  // connection or reconciliation.
  virtual void OnMissing(int code) = 0;
  virtual void OnVanished() {}   // somebody deleted it; it is made again
  virtual void OnTakenOver() {}  // from a dead predecessor
  // Taken again and again by another session: that one lives.
  virtual void OnFight() {}
  // Somebody else wrote into it what we did not.
  virtual void OnForeignData(const std::string&) {}
  // A round of looking and acting has ended, however.
  virtual void OnSettled() {}

 private:
  void OnSeen(const ZkReply& reply);
  void OnSeenOnly(const ZkReply& reply);
  void OnOurs(const std::string& data);
  void Create();
  void OnStored();
  void TakeOver(const ZkReply& predecessor);
  void Remove(const ZkReply& reply);
  void LookAgain();
  void Rest();
  void Fail(int code);
  void GiveUpForNow();
  ZkSession::Done Then(void (EphemeralNode::*step)(const ZkReply&));
  void OnCreated(const ZkReply& reply);
  void OnReplaced(const ZkReply& reply);
  void OnWritten(const ZkReply& reply);

  const Surroundings around_;
  const std::string path_;
  std::string data_;
  std::string sent_;       // what was last written, or may have been
  bool busy_ = false;      // a request is under way
  bool again_ = false;     // and another look is due after it
  bool unwritten_ = true;  // our data is newer than what the node is known to hold
  bool withdrawn_ = false;
  bool yields_ = false;  // to another announcement of the same address
  bool finished_ = false;
  std::uint64_t stood_in_ = 0;  // session in which the node last stood
  std::deque<Executor::Clock::time_point> fights_;
};

}  // namespace weir::discovery
