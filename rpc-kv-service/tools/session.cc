#include "session.h"

#include <utility>

namespace weir::kv::tool {

Status Session::CheckRegistry() const {
  if (!registry.empty()) return {};
  return InvalidArgument(
      "--registry is missing: name where the providers are registered, such as "
      "file:///run/weir, zk://127.0.0.1:2181/rpc or list://127.0.0.1:7001");
}

Result<std::unique_ptr<Client>> Session::Open() const {
  if (Status status = CheckRegistry(); !status.ok()) return status;
  return Client::Open(registry, {.cluster = cluster, .timeout = timeout()});
}

int Session::With(const std::function<int(Client&)>& work) const {
  const auto client = Open();
  if (!client.ok()) return Fail(client.status());
  return work(**client);
}

}  // namespace weir::kv::tool
