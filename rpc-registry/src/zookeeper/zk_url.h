// zk://[user:password@]h1:2181,h2:2181/rpc[?session_timeout_ms=20000]
#pragma once

#include <chrono>
#include <string>

#include "weir/registry.h"

namespace weir::discovery {

// Where a ZooKeeper registry is. A value.
struct ZkUrl {
  std::string text;         // for messages: scheme, hosts and root, without password and options
  std::string hosts;        // "h1:2181,h2:2181", as the C client wants it
  std::string root;         // "/rpc"
  std::string credentials;  // "user:password", or empty; never in a message
  std::chrono::milliseconds session_timeout{20'000};

  // INVALID_ARGUMENT names what is wrong.
  static Result<ZkUrl> Parse(const RegistryUrl& url);
};

}  // namespace weir::discovery
