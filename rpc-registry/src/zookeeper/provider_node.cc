#include "zookeeper/provider_node.h"

#include <zookeeper/zookeeper.h>

#include <utility>

#include "weir/log.h"

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

ProviderNode::ProviderNode(Surroundings around, const std::string& root, Instance instance,
                           std::uint64_t board_id)
    : around_(around),
      instance_(std::move(instance)),
      board_id_(board_id),
      path_(root + "/" + instance_.service + "/" + instance_.address) {}

void ProviderNode::Sync() {
  if (finished_ || !around_.session.connected()) return;
  if (std::exchange(busy_, true)) {
    again_ = true;
    return;
  }
  around_.session.Exists(path_, Then(&ProviderNode::OnSeen));
}

void ProviderNode::OnSeen(const ZkReply& reply) {
  if (withdrawn_) return Remove(reply);
  switch (reply.code) {
    case ZOK:
      return around_.session.id() == reply.owner ? OnOurs() : TakeOver(reply);
    case ZNONODE:
      return Create();
    default:
      return Fail(reply.code);
  }
}

void ProviderNode::OnOurs() {
  if (!written_) {
    written_ = true;
    return around_.session.Set(path_, Weight(), -1, Then(&ProviderNode::OnWritten));
  }
  if (stood_in_ != around_.session.id()) {
    LogInfo(around_.registry + ": registered " + instance_.address + " for " + instance_.service);
  }
  stood_in_ = around_.session.id();
  around_.board.SetStanding(board_id_);
  Rest();
}

void ProviderNode::OnWritten(const ZkReply& reply) {
  if (reply.code == ZOK || reply.code == ZNONODE) return LookAgain();
  written_ = false;
  Fail(reply.code);
}

void ProviderNode::Create() {
  if (stood_in_ == around_.session.id()) {
    // It stood in this very session: somebody has deleted it.
    stood_in_ = 0;
    ++around_.counters.restorations;
  }
  written_ = true;
  around_.session.Create(path_, Weight(), true, Then(&ProviderNode::OnCreated));
}

void ProviderNode::OnCreated(const ZkReply& reply) {
  switch (reply.code) {
    case ZOK:
    case ZNODEEXISTS:
      written_ = written_ && reply.code == ZOK;
      return LookAgain();
    case ZNONODE:
      return around_.session.CreateParents(path_, [self = shared_from_this()](const ZkReply& made) {
        made.code == ZOK ? self->LookAgain() : self->Fail(made.code);
      });
    default:
      // After a lost connection it is not known whether the node was made: the next look tells.
      written_ = false;
      return Fail(reply.code);
  }
}

void ProviderNode::TakeOver(const ZkReply& predecessor) {
  if (!around_.session.IsOurs(predecessor.owner)) {
    const auto now = Executor::Clock::now();
    while (!fights_.empty() && now - fights_.front() > kFightWindow) fights_.pop_front();
    if (fights_.size() >= kMaxFights) {
      const std::string why = "two processes claim " + instance_.address + " for " +
                              instance_.service + ": its node " + path_ +
                              " is taken again and again by another session; stop one of them";
      if (!std::exchange(fight_reported_, true)) LogError(around_.registry + ": " + why);
      around_.board.SetMissing(board_id_, why);
      return GiveUpForNow();
    }
    fights_.push_back(now);
  }
  written_ = true;
  around_.session.Replace(path_, Weight(), predecessor.version, Then(&ProviderNode::OnReplaced));
}

void ProviderNode::OnReplaced(const ZkReply& reply) {
  switch (reply.code) {
    case ZOK:
      ++around_.counters.takeovers;
      LogInfo(around_.registry + ": replaced the node that a former process left for " +
              instance_.address + " of " + instance_.service);
      return LookAgain();
    case ZNONODE:
    case ZBADVERSION:
    case ZNODEEXISTS:
      written_ = false;
      return LookAgain();
    default:
      written_ = false;
      return Fail(reply.code);
  }
}

void ProviderNode::Remove(const ZkReply& reply) {
  if (!yields_ && reply.code == ZOK && reply.owner == around_.session.id()) {
    around_.session.Delete(path_, reply.version, Then(&ProviderNode::Remove));
    return;
  }
  if (reply.code == ZBADVERSION) return LookAgain();
  // Deleted, gone, or somebody else's. When the connection failed, the next one looks again.
  finished_ = yields_ || reply.code == ZOK || reply.code == ZNONODE || reply.code == ZNOAUTH;
  busy_ = false;
}

void ProviderNode::LookAgain() {
  busy_ = false;
  again_ = false;
  Sync();
}

void ProviderNode::Rest() {
  busy_ = false;
  if (std::exchange(again_, false)) Sync();
}

void ProviderNode::Fail(int code) {
  const std::string why = ZkError(code);
  // A failing connection is the session's to report.
  if (around_.board.SetMissing(board_id_, why) && !IsConnectionFailure(code)) {
    LogWarning(around_.registry + ": cannot register " + instance_.address + " for " +
               instance_.service + " at " + path_ + ": " + why);
  }
  GiveUpForNow();
}

// Not again by itself, or an answer such as NOAUTH would make it spin: the next event, connection
// or reconciliation does it.
void ProviderNode::GiveUpForNow() {
  busy_ = false;
  again_ = false;
}

void ProviderNode::OnSessionLost() {
  // With the session the node is gone, or will be.
  if (withdrawn_) finished_ = true;
  around_.board.SetMissing(board_id_, "its session has ended and there is no new one yet");
}

void ProviderNode::OnChange(bool deleted) {
  if (withdrawn_ || !deleted) return Sync();
  const int jitter = std::uniform_int_distribution<int>(0, kMaxJitterMs)(around_.random);
  around_.executor.PostAfter(milliseconds(jitter), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Sync();
  });
}

void ProviderNode::SetWeight(std::int32_t weight) {
  instance_.weight = weight;
  written_ = false;
  Sync();
}

void ProviderNode::Withdraw(bool has_successor) {
  withdrawn_ = true;
  yields_ = has_successor;
  if (yields_ && !busy_) finished_ = true;
  Sync();
}

ZkSession::Done ProviderNode::Then(void (ProviderNode::*step)(const ZkReply&)) {
  return [self = shared_from_this(), step](const ZkReply& reply) { (*self.*step)(reply); };
}

}  // namespace weir::discovery
