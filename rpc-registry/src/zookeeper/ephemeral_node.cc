#include "zookeeper/ephemeral_node.h"

#include <zookeeper/zookeeper.h>

#include <utility>

namespace weir::discovery {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A node that was deleted under us comes back after a random moment, so that two who fight over it
// do not do so in step.
constexpr int kMaxJitterMs = 500;
// So many replacements of other people's nodes within the window are a fight between the living.
constexpr std::size_t kMaxFights = 3;
constexpr seconds kFightWindow{60};

}  // namespace

void EphemeralNode::Sync() {
  if (finished_ || !around_.session.connected()) return;
  if (std::exchange(busy_, true)) {
    again_ = true;
    return;
  }
  around_.session.Get(path_, true, Then(&EphemeralNode::OnSeen));
}

void EphemeralNode::OnSeen(const ZkReply& reply) {
  if (withdrawn_) return Remove(reply);
  switch (reply.code) {
    case ZOK:
      return around_.session.id() == reply.owner ? OnOurs(reply.data) : TakeOver(reply);
    case ZNONODE:
      return Create();
    case ZNOAUTH:
      // Whose it is can be asked even by those who may not read it.
      return around_.session.Exists(path_, Then(&EphemeralNode::OnSeenOnly));
    default:
      return Fail(reply.code);
  }
}

void EphemeralNode::OnSeenOnly(const ZkReply& reply) {
  switch (reply.code) {
    case ZOK: {
      if (around_.session.id() == reply.owner) return OnOurs(data_);
      ZkReply unread = reply;
      unread.data = data_;
      return TakeOver(unread);
    }
    case ZNONODE:
      return LookAgain();
    default:
      return Fail(reply.code);
  }
}

void EphemeralNode::OnOurs(const std::string& data) {
  if (data != data_) {
    if (unwritten_) {
      sent_ = data_;
      return around_.session.Set(path_, sent_, -1, Then(&EphemeralNode::OnWritten));
    }
    OnForeignData(data);
  }
  unwritten_ = false;
  const bool fresh = std::exchange(stood_in_, around_.session.id()) != around_.session.id();
  OnStanding(fresh);
  Rest();
}

void EphemeralNode::OnWritten(const ZkReply& reply) {
  if (reply.code == ZOK) OnStored();
  if (reply.code == ZOK || reply.code == ZNONODE) return LookAgain();
  Fail(reply.code);
}

// From here on what differs there is somebody else's, unless we have changed our mind meanwhile.
void EphemeralNode::OnStored() {
  unwritten_ = data_ != sent_;
}

void EphemeralNode::Create() {
  if (stood_in_ == around_.session.id()) {
    // It stood in this very session: somebody has deleted it.
    stood_in_ = 0;
    OnVanished();
  }
  sent_ = data_;
  around_.session.Create(path_, sent_, true, Then(&EphemeralNode::OnCreated));
}

void EphemeralNode::OnCreated(const ZkReply& reply) {
  switch (reply.code) {
    case ZOK:
      OnStored();
      return LookAgain();
    case ZNODEEXISTS:
      return LookAgain();
    case ZNONODE:
      return around_.session.CreateParents(path_, [self = shared_from_this()](const ZkReply& made) {
        made.code == ZOK ? self->LookAgain() : self->Fail(made.code);
      });
    default:
      // After a lost connection it is not known whether the node was made: the next look tells.
      return Fail(reply.code);
  }
}

void EphemeralNode::TakeOver(const ZkReply& predecessor) {
  if (around_.session.IsOurs(predecessor.owner)) {
    // Left by our own former session; what was written there since still counts.
    if (!unwritten_ && predecessor.data != data_) OnForeignData(predecessor.data);
  } else {
    if (Contested() && fights_.size() >= kMaxFights) {
      OnFight();
      return GiveUpForNow();
    }
    fights_.push_back(Executor::Clock::now());
  }
  sent_ = data_;
  around_.session.Replace(path_, sent_, predecessor.version, Then(&EphemeralNode::OnReplaced));
}

bool EphemeralNode::Contested() {
  const auto now = Executor::Clock::now();
  while (!fights_.empty() && now - fights_.front() > kFightWindow) fights_.pop_front();
  return !fights_.empty();
}

void EphemeralNode::OnReplaced(const ZkReply& reply) {
  switch (reply.code) {
    case ZOK:
      OnStored();
      OnTakenOver();
      return LookAgain();
    case ZNONODE:
    case ZBADVERSION:
    case ZNODEEXISTS:
      return LookAgain();
    default:
      return Fail(reply.code);
  }
}

void EphemeralNode::Remove(const ZkReply& reply) {
  if (!yields_ && reply.code == ZOK && reply.owner == around_.session.id()) {
    around_.session.Delete(path_, reply.version, Then(&EphemeralNode::Remove));
    return;
  }
  if (reply.code == ZBADVERSION) return LookAgain();
  // Deleted, gone, or somebody else's. When the connection failed, the next one looks again.
  finished_ = yields_ || reply.code == ZOK || reply.code == ZNONODE || reply.code == ZNOAUTH;
  busy_ = false;
}

void EphemeralNode::LookAgain() {
  busy_ = false;
  again_ = false;
  Sync();
}

void EphemeralNode::Rest() {
  busy_ = false;
  if (std::exchange(again_, false)) return Sync();
  OnSettled();
}

void EphemeralNode::Fail(int code) {
  if (code == ZNOAUTH) ++around_.counters.refusals;
  OnMissing(code);
  GiveUpForNow();
}

// Not again by itself, or an answer such as NOAUTH would make it spin: the next event, connection
// or reconciliation does it.
void EphemeralNode::GiveUpForNow() {
  busy_ = false;
  // A change that came meanwhile is an event of its own: what was asked for then, such as the
  // removal, must not wait for the reconciliation.
  if (std::exchange(again_, false) && withdrawn_) return Sync();
  OnSettled();
}

void EphemeralNode::OnSessionLost() {
  // With the session the node is gone, or will be.
  if (withdrawn_) finished_ = true;
}

void EphemeralNode::OnChange(bool deleted) {
  if (withdrawn_ || !deleted) return Sync();
  const int jitter = std::uniform_int_distribution<int>(0, kMaxJitterMs)(around_.random);
  around_.executor.PostAfter(milliseconds(jitter), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Sync();
  });
}

void EphemeralNode::Write(std::string data) {
  data_ = std::move(data);
  unwritten_ = true;
  Sync();
}

void EphemeralNode::Withdraw(bool has_successor) {
  withdrawn_ = true;
  yields_ = has_successor;
  if (yields_ && !busy_) finished_ = true;
  Sync();
}

ZkSession::Done EphemeralNode::Then(void (EphemeralNode::*step)(const ZkReply&)) {
  return [self = shared_from_this(), step](const ZkReply& reply) { (*self.*step)(reply); };
}

}  // namespace weir::discovery
