// One service of a file:// registry: what this process announces in its folder, and who listens to
// what stands there.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "board.h"
#include "executor.h"
#include "file/directory_watch.h"
#include "file/node_file.h"
#include "listener.h"
#include "node.h"
#include "weir/registry.h"

namespace weir::discovery {

// What the folders of one registry share. All of it outlives them.
struct FolderContext {
  const std::string& url;
  const std::string& root;  // the registry's directory
  RegistrationBoard& board;
  Counters& counters;
  DirectoryWatch& watch;
  Executor& executor;
  std::function<void()> trouble_changed;  // of a folder
};

// One announcement of this process.
struct Announcement {
  Instance instance;
  std::string facts;  // as they are written
  std::uint64_t board_id = 0;
  std::unique_ptr<NodeClaim> claim;
  bool stood = false;             // at least once
  bool unwritten = false;         // our weight is still to be written
  bool facts_complained = false;  // one line in the log is enough
  int failures = 0;               // in a row
};

// Confined to the executor's thread. Lives until the executor is stopped.
class ServiceFolder {
 public:
  ServiceFolder(const FolderContext& context, std::string service);

  void Listen(const std::shared_ptr<ProviderSlot>& slot);
  void Forget(const std::shared_ptr<ProviderSlot>& slot) { feed_.Remove(slot); }
  void Announce(const std::shared_ptr<Announcement>& announcement);
  void Withdraw(const std::shared_ptr<Announcement>& announcement);
  void SetWeight(Announcement& announcement, std::int32_t weight);

  // Something may have changed: makes what is missing of ours, reads what there is and tells
  // the listeners, now or, where reading takes long, a little later.
  void Look();
  void LookAgain(std::chrono::milliseconds delay);
  // The event is of this folder's directory; true if it asks for a look.
  bool Concerns(const DirectoryWatch::Event& event);
  // Why it cannot be read; empty when it can.
  const std::string& trouble() const noexcept { return trouble_; }

 private:
  bool Attach();
  void Ensure(const std::shared_ptr<Announcement>& announcement);
  void Adopt(Announcement& announcement, const std::string& text);
  void PutFacts(Announcement& announcement);
  void Scan();
  void Publish(std::vector<Provider> providers);
  void CannotRead(int error);
  void SetTrouble(std::string trouble);
  bool VanishedJustNow();
  const Provider* Known(const std::string& name) const;
  std::int32_t WeightOf(const std::string& name, const std::string& content);
  void TakeFactsOf(const std::string& file, const NodeState& node, Provider& provider);

  const FolderContext context_;
  const std::string service_;
  const NodeFolder folder_;
  NodeReader reader_;
  int watch_ = -1;
  std::vector<std::shared_ptr<Announcement>> announcements_;
  Feed<ProviderList> feed_;
  std::string trouble_;
  Executor::Clock::time_point not_before_{};  // of the next scan
  bool scan_pending_ = false;
  bool retry_pending_ = false;
  std::optional<Executor::Clock::time_point> vanished_;
  std::map<std::string, Executor::Clock::time_point> empty_since_;  // by node
  std::set<std::string> unreadable_;                                // nodes, told once

  // What was read about a node, as long as it is the same file. By its name.
  struct Described {
    std::uint64_t inode;
    std::int64_t written_ns;
    std::string zone;
    std::int64_t started_ms;
  };
  std::map<std::string, Described> described_;
};

}  // namespace weir::discovery
