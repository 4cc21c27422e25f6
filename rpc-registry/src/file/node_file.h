// One provider as a file: named after its address, holding its weight, alive while its creator
// holds an flock(2) on it. The kernel gives the lock up when the process ends, however it ends.
//
// Every process writes a new node under another name and renames it when it is locked and complete,
// so that nobody sees one that is half made. Creating and sweeping exclude each other by a lock on
// the file ".lock" of the directory.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "weir/status.h"

namespace weir::discovery {

// The right to a node. A resource: the destructor removes the file, if it is still ours. A child
// forked without exec shares the lock and keeps the node alive. Confined to one thread.
class NodeClaim {
 public:
  // ALREADY_EXISTS when a living process holds the node, UNAVAILABLE when somebody else is just
  // making one; anything else names the file and the reason. The directory must exist.
  static Result<std::unique_ptr<NodeClaim>> Make(const std::string& directory,
                                                 const std::string& name, std::int32_t weight);
  ~NodeClaim();
  NodeClaim(const NodeClaim&) = delete;
  NodeClaim& operator=(const NodeClaim&) = delete;

  // Whether the path still leads to our file (an operator may have removed it).
  bool Stands() const;
  Status SetWeight(std::int32_t weight);

 private:
  NodeClaim(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  const std::string path_;
  const int descriptor_;
};

struct NodeState {
  enum class Kind { kAbsent, kAlive, kDead };
  Kind kind = Kind::kAbsent;
  std::string content;  // when alive: the first line
};

// Looks at a node without disturbing it.
NodeState ProbeNode(const std::string& directory, const std::string& name);

// Removes those of `names` that nobody holds, if this process may.
void SweepNodes(const std::string& directory, const std::vector<std::string>& names);

}  // namespace weir::discovery
