// One provider as a file: named after its address, holding its weight, alive while its creator
// holds an flock(2) on it. The kernel gives the lock up when the process ends, however it ends.
//
// Every process writes a new node under another name and renames it when it is locked and complete,
// so that nobody sees one that is half made. Creating and sweeping exclude each other by a lock on
// the file ".lock" of the directory. Facts about the provider lie in another directory, under the
// same name; they mean something only while the node is alive.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/registry.h"
#include "weir/status.h"

namespace weir::discovery {

// Of what is written in a node nobody reads more.
inline constexpr std::size_t kMaxNodeText = 64;

// Where the nodes of one service lie, and the facts about them. A value.
struct NodeFolder {
  // The folder of `service` in a registry's directory.
  NodeFolder(const std::string& root, const std::string& service)
      : nodes(root + "/" + service), facts(root + "/.meta/" + service) {}
  std::string nodes;
  std::string facts;
};

// The file of a provider, and back: the address itself, but for the slashes in that of a
// Unix-domain socket, for which "%2F" stands.
std::string NodeName(std::string_view address);
std::string NodeAddress(std::string_view name);

// The right to a node. A resource: the destructor removes the file and its facts, if it is still
// ours. A child forked without exec shares the lock and keeps the node alive. Confined to one
// thread.
class NodeClaim {
 public:
  // ALREADY_EXISTS when a living process holds the node, UNAVAILABLE when somebody else is just
  // making one; anything else names the file and the reason. The folder must exist. Who sees the
  // node finds `facts`, unless they cannot be written: see HasFacts.
  static Result<std::unique_ptr<NodeClaim>> Make(const NodeFolder& folder, const std::string& name,
                                                 std::int32_t weight, const std::string& facts);
  ~NodeClaim();
  NodeClaim(const NodeClaim&) = delete;
  NodeClaim& operator=(const NodeClaim&) = delete;

  // Whether the path still leads to our file (an operator may have removed it).
  bool Stands() const;
  // Whether a dead predecessor's file was replaced.
  bool took_over() const noexcept { return took_over_; }
  Status SetWeight(std::int32_t weight);
  // What stands in our file now, be it removed or not: the first line, shortened.
  std::string Text() const;
  // Writes the facts, in the place of others.
  Status PutFacts(const std::string& text) const;
  bool HasFacts() const;

 private:
  NodeClaim(std::string path, std::string facts_path, int descriptor, bool took_over)
      : path_(std::move(path)),
        facts_path_(std::move(facts_path)),
        descriptor_(descriptor),
        took_over_(took_over) {}
  const std::string path_;
  const std::string facts_path_;
  const int descriptor_;
  const bool took_over_;
};

struct NodeState {
  enum class Kind {
    kAbsent,
    kAlive,
    kDead,
    kUnknown,  // the system refuses to let us look: `error`
  };
  Kind kind = Kind::kAbsent;
  std::string content;  // when alive or dead: the first line, shortened
  int error = 0;
  // Together they tell this file from another one in its place.
  std::uint64_t inode = 0;
  std::int64_t written_ns = 0;
};

// Looks at a node without disturbing it.
NodeState ProbeNode(const std::string& directory, const std::string& name);

// What is written about a living node; empty when there is nothing to be read.
Facts ReadNodeFacts(const NodeFolder& folder, const std::string& name);

// When the file was made; where the file system does not tell, when it was last written.
std::optional<std::chrono::system_clock::time_point> NodeTime(const std::string& path);

// Writes a weight into somebody's living node. NOT_FOUND, PERMISSION_DENIED and UNAVAILABLE name
// the file and what to do.
Status ReweighNode(const std::string& path, std::int32_t weight);

// Removes those of `names` that nobody holds, with their facts, if this process may.
void SweepNodes(const NodeFolder& folder, const std::vector<std::string>& names);

}  // namespace weir::discovery
