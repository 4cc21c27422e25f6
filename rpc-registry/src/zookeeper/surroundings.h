// What the nodes and watches of one ZooKeeper registry share.
#pragma once

#include <random>
#include <string>

#include "executor.h"
#include "node.h"
#include "zookeeper/session.h"

namespace weir::discovery {

// All must outlive those who hold it. Used on the executor's thread.
struct Surroundings {
  const std::string& registry;  // its URL, without a password
  Executor& executor;
  ZkSession& session;
  Counters& counters;
  std::minstd_rand& random;
};

}  // namespace weir::discovery
