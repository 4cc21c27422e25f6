// Reads the data of many nodes, a few at a time, so that a large service does not swamp the server.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "zookeeper/session.h"

namespace weir::discovery {

// How many of one round's reads are under way at a time.
inline constexpr int kMaxReads = 32;

struct NodeRead {
  std::string path;
  bool watch = false;
};

// One round of reading. Confined to the executor's thread; keeps itself alive until it has ended.
class NodeReads : public std::enable_shared_from_this<NodeReads> {
 public:
  // One answer; false: read no more.
  using Each = std::function<bool(const std::string& path, const ZkReply& reply)>;
  // All have been answered, or the reading was ended and nothing is under way any more.
  using Done = std::function<void()>;

  // The session must outlive it. The server answers in the order of `reads`. `done` is called
  // exactly once, for no reads at once.
  static void Start(ZkSession& session, std::deque<NodeRead> reads, Each each, Done done);

 private:
  NodeReads(ZkSession& session, std::deque<NodeRead> reads, Each each, Done done)
      : session_(session),
        reads_(std::move(reads)),
        each_(std::move(each)),
        done_(std::move(done)) {}
  void Ask();

  ZkSession& session_;
  std::deque<NodeRead> reads_;
  const Each each_;
  const Done done_;
  int reading_ = 0;
};

}  // namespace weir::discovery
