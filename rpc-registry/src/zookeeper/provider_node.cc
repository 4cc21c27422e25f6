#include "zookeeper/provider_node.h"

#include <optional>
#include <utility>

#include "facts.h"
#include "weir/log.h"

namespace weir::discovery {

std::string FactsRoot(const std::string& root) {
  return root + "-meta";
}

FactsNode::FactsNode(const Surroundings& around, const std::string& root, const Instance& instance,
                     std::function<void()> settled)
    : EphemeralNode(around, FactsRoot(root) + "/" + instance.service + "/" + instance.address,
                    FactsText(WithStart(instance.facts))),
      settled_(std::move(settled)) {}

void FactsNode::OnStanding(bool) {
  reported_ = 0;
}

void FactsNode::OnMissing(int code) {
  if (IsConnectionFailure(code) || std::exchange(reported_, code) == code) return;
  LogWarning(around().registry + ": cannot write the facts at " + path() + ": " + ZkError(code) +
             "; the provider is registered without them");
}

std::shared_ptr<ProviderNode> ProviderNode::Make(const Surroundings& around,
                                                 RegistrationBoard& board, const std::string& root,
                                                 const Instance& instance, std::uint64_t board_id) {
  const std::shared_ptr<ProviderNode> node(
      new ProviderNode(around, board, root, instance, board_id));
  node->facts_ = std::make_shared<FactsNode>(around, root, instance,
                                             [weak = std::weak_ptr<ProviderNode>(node)] {
                                               const auto self = weak.lock();
                                               if (self && !std::exchange(self->facts_tried_, true))
                                                 self->Sync();
                                             });
  return node;
}

ProviderNode::ProviderNode(const Surroundings& around, RegistrationBoard& board,
                           const std::string& root, const Instance& instance,
                           std::uint64_t board_id)
    : EphemeralNode(around, root + "/" + instance.service + "/" + instance.address,
                    std::to_string(instance.weight)),
      board_(board),
      board_id_(board_id),
      name_(instance.address + " for " + instance.service),
      weight_(instance.weight) {}

void ProviderNode::Keep() {
  if (withdrawn()) Sync();
  facts_->Sync();
  if (!withdrawn() && facts_tried_) Sync();
}

void ProviderNode::OnSessionLost() {
  facts_tried_ = false;
  facts_->OnSessionLost();
  EphemeralNode::OnSessionLost();
  board_.SetMissing(board_id_, "its session has ended and there is no new one yet");
}

void ProviderNode::SetWeight(std::int32_t weight) {
  weight_ = weight;
  Write(std::to_string(weight));
}

void ProviderNode::Withdraw(bool has_successor) {
  // Who still sees the provider still finds its facts.
  EphemeralNode::Withdraw(has_successor);
  facts_->Withdraw(has_successor);
}

void ProviderNode::OnStanding(bool fresh) {
  if (fresh) LogInfo(around().registry + ": registered " + name_);
  if (!Contested()) fight_reported_ = false;
  board_.SetStanding(board_id_);
}

void ProviderNode::OnMissing(int code) {
  const std::string why = ZkError(code);
  // A failing connection is the session's to report.
  if (board_.SetMissing(board_id_, why) && !IsConnectionFailure(code)) {
    LogWarning(around().registry + ": cannot register " + name_ + " at " + path() + ": " + why);
  }
}

void ProviderNode::OnVanished() {
  ++around().counters.restorations;
  LogWarning(around().registry + ": somebody deleted the node of " + name_ + "; making it again");
}

void ProviderNode::OnTakenOver() {
  ++around().counters.takeovers;
  LogInfo(around().registry + ": replaced the node that a former session left for " + name_);
}

void ProviderNode::OnFight() {
  const std::string why = "two processes claim " + name_ + ": its node " + path() +
                          " is taken again and again by another session; stop one of them";
  if (!std::exchange(fight_reported_, true)) LogError(around().registry + ": " + why);
  board_.SetMissing(board_id_, why);
}

void ProviderNode::OnForeignData(const std::string& data) {
  const std::optional<std::int32_t> weight = ParseWeight(data);
  if (!weight) {
    if (std::exchange(rejected_, Shown(data)) == Shown(data)) return;
    ++around().counters.rejected_weights;
    LogWarning(around().registry + ": somebody wrote '" + Shown(data) + "' as the weight of " +
               name_ + ", which is no number from -1 to " + std::to_string(kMaxWeight) +
               "; consumers count it as " + std::to_string(kDefaultWeight) +
               ", a new node will hold " + std::to_string(weight_) + " again");
    return;
  }
  rejected_.clear();
  const std::int32_t former = std::exchange(weight_, *weight);
  if (former == *weight) return;
  Adopt(std::to_string(*weight));
  LogInfo(around().registry + ": somebody changed the weight of " + name_ + " from " +
          std::to_string(former) + " to " + std::to_string(*weight) + "; it stands");
}

}  // namespace weir::discovery
