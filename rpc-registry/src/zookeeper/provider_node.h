// One announcement of this process in ZooKeeper: the node with the weight, which makes it a
// provider, and beside the tree a node with the facts about it, which is written first so that who
// sees a provider finds its facts.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "board.h"
#include "weir/registry.h"
#include "zookeeper/ephemeral_node.h"

namespace weir::discovery {

// "/rpc" -> "/rpc-meta": where the facts lie.
std::string FactsRoot(const std::string& root);

// The facts: nice to have. What goes wrong is told once and hinders nobody.
class FactsNode final : public EphemeralNode {
 public:
  FactsNode(const Surroundings& around, const std::string& root, const Instance& instance,
            std::function<void()> settled);

 private:
  void OnStanding(bool fresh) override;
  void OnMissing(int code) override;
  void OnSettled() override { settled_(); }

  const std::function<void()> settled_;
  int reported_ = 0;  // error that was last written to the log
};

// The weight, and with it the announcement as a whole. An operator's change of the weight is
// adopted and stands until the next one, also when the node has to be made again.
class ProviderNode final : public EphemeralNode {
 public:
  // `board` must outlive it.
  static std::shared_ptr<ProviderNode> Make(const Surroundings& around, RegistrationBoard& board,
                                            const std::string& root, const Instance& instance,
                                            std::uint64_t board_id);

  const std::string& facts_path() const noexcept { return facts_->path(); }
  bool finished() const noexcept { return EphemeralNode::finished() && facts_->finished(); }

  // Brings both nodes into being, or looks after them.
  void Keep();
  void OnSessionLost();
  // The watch on the node with the facts fired.
  void OnFactsChange(bool deleted) { facts_->OnChange(deleted); }
  void SetWeight(std::int32_t weight);
  void Withdraw(bool has_successor);

 private:
  ProviderNode(const Surroundings& around, RegistrationBoard& board, const std::string& root,
               const Instance& instance, std::uint64_t board_id);

  void OnStanding(bool fresh) override;
  void OnMissing(int code) override;
  void OnVanished() override;
  void OnTakenOver() override;
  void OnFight() override;
  void OnForeignData(const std::string& data) override;

  RegistrationBoard& board_;
  const std::uint64_t board_id_;
  const std::string name_;  // "h:7001 for greeter.Greeter"
  std::int32_t weight_;
  std::shared_ptr<FactsNode> facts_;
  bool facts_tried_ = false;  // in this session
  bool fight_reported_ = false;
  std::string rejected_;  // junk that was last written to the log
};

}  // namespace weir::discovery
