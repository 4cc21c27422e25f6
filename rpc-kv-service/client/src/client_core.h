// ClientCore: where requests of a client go, and what its running calls share.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "retry_queue.h"
#include "weir/kv/client.h"
#include "weir/kv/kv.weir.h"
#include "weir/kv/members.h"
#include "weir/registry.h"
#include "weir/status.h"

namespace weir::kv {

// A provider to ask, and the epoch that the request carries.
struct Destination {
  std::string address;
  std::uint64_t epoch = 0;
};

// A request that was refused for its epoch is sent again, after these waits: at once with the list
// read anew, and then, should it be the provider that lags behind, a few times more.
inline constexpr std::chrono::milliseconds kRetryDelays[] = {
    std::chrono::milliseconds(0), std::chrono::milliseconds(50), std::chrono::milliseconds(100),
    std::chrono::milliseconds(200), std::chrono::milliseconds(400)};

// Thread-safe. Running calls keep it alive; Close ends what it does by itself.
class ClientCore {
 public:
  ClientCore(const Channel& channel, std::string registry_url, const ClientOptions& options);

  // Learns who there is; blocks.
  Status Open();
  void Close();

  const Kv::Stub& stub() const noexcept { return stub_; }
  const std::shared_ptr<Runtime>& runtime() const noexcept { return runtime_; }
  std::chrono::nanoseconds timeout() const noexcept { return timeout_; }
  RetryQueue& retries() noexcept { return retries_; }

  // The owner of a key.
  Result<Destination> Route(std::string_view key) const;
  Result<Destination> Route(const PutRequest& request) const { return Route(request.key()); }
  Result<Destination> Route(const GetRequest& request) const { return Route(request.key()); }
  Result<Destination> Route(const DeleteRequest& request) const { return Route(request.key()); }
  // The one owner of all keys of a batch.
  Result<Destination> Route(const BatchRequest& request) const;
  // Everybody who owns keys.
  Result<std::vector<Destination>> All() const;
  Result<std::shared_ptr<const Ownership>> Members() const;

 private:
  Status OpenSingle(std::shared_ptr<Registry> registry);
  Result<Destination> Single() const;

  const std::string registry_url_;
  const std::string cluster_;
  const std::chrono::nanoseconds timeout_;
  const std::shared_ptr<Runtime> runtime_;
  const Kv::Stub stub_;
  std::shared_ptr<Registry> registry_;
  // With a cluster. Members() and Route() use it until Close.
  mutable std::mutex mutex_;
  std::unique_ptr<Membership> membership_;
  // Without one.
  mutable std::condition_variable changed_;
  ProviderList providers_;
  std::unique_ptr<Subscription> subscription_;
  RetryQueue retries_;  // last: uses the above
};

// What to tell of a call to the owner of keys (named `what`: `key "k"`) that failed.
Status ExplainFailure(const Status& status, const std::string& what, const std::string& owner);
// True if a provider refused because it knows another member list.
bool IsStale(const Status& status);

}  // namespace weir::kv
