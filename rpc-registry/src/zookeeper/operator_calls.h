// The two verbs of operators on a zk:// registry: looking at a service and changing a weight.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "executor.h"
#include "node.h"
#include "weir/registry.h"
#include "zookeeper/awaited.h"
#include "zookeeper/session.h"

namespace weir::discovery {

// Inspect and Reweigh block, from any thread but the executor's.
class OperatorCalls {
 public:
  // All must outlive it; `session` belongs to the executor's thread.
  OperatorCalls(const ZkUrl& url, Executor& executor, ZkSession& session, Counters& counters)
      : url_(url), executor_(executor), session_(session), counters_(counters) {}

  Result<std::vector<ProviderEntry>> Inspect(std::string_view service);
  Status Reweigh(std::string_view service, std::string_view address, std::int32_t weight);

  // On the executor's thread.
  void OnConnected();

 private:
  // Begins on the executor's thread and waits for the answer, or answers UNAVAILABLE. A call is
  // begun when there is a connection, and begun again when that failed.
  template <class Value>
  Value Run(const std::string& what, std::function<void(std::shared_ptr<Awaited<Value>>)> begin);
  struct Inspection;
  struct Change;
  void Begin(const std::shared_ptr<Inspection>& inspection);
  void ReadNodes(const std::shared_ptr<Inspection>& inspection,
                 const std::vector<std::string>& names);
  void Begin(const std::shared_ptr<Change>& change);
  Status Refusal(const std::string& what);

  const ZkUrl url_;
  Executor& executor_;
  ZkSession& session_;
  Counters& counters_;
  std::list<std::function<void()>> waiting_;  // the executor's thread only
};

}  // namespace weir::discovery
