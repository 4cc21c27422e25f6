// The store as a service: weir.kv.Kv over one engine.
//
//   auto store = weir::kv::Store::Open("/var/lib/store", {});
//   server.Add(std::make_unique<weir::kv::KvService>(**store, "127.0.0.1:7001"));
//
// Nothing is acknowledged that is not as durable as the store's sync mode, or the request, asks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "weir/kv/kv.weir.h"
#include "weir/kv/store.h"
#include "weir/registry.h"
#include "weir/service.h"
#include "weir/status.h"

namespace weir::kv {

class KeyGuard;

// Thread-safe. Reads run where they arrive; writes are handed to the engine and answered when it
// says how they ended; scans run on worker threads.
class KvService final : public Kv::Service<KvService> {
 public:
  // `address` is the one consumers use. `sync` is what Stats tells of the sync mode. The order of
  // the end is Server::Drain (or Stop), Store::Close, ~Server, ~Store: the last writes are answered
  // while the store closes.
  KvService(Store& store, std::string address, std::string sync = {});
  ~KvService() override;

  // Makes it a provider of a cluster (docs/kv-service.md): from here on it answers only for the
  // keys that the cluster's member list gives to this address and store. Once, before the server
  // starts. UNAVAILABLE if the registry cannot be reached. May block for kDocumentTimeout.
  Status JoinCluster(std::shared_ptr<Registry> registry, std::string cluster);
  // The epoch of the member list known; 0: none.
  std::uint64_t epoch() const noexcept;
  // Why keyed requests are refused; OK if they are served.
  Status refusal() const;

  void Put(ServerContext& context, const PutRequest& request, weir::Reply<PutReply> reply);
  Result<GetReply> Get(ServerContext& context, const GetRequest& request);
  void Delete(ServerContext& context, const DeleteRequest& request, weir::Reply<DeleteReply> reply);
  void Write(ServerContext& context, const BatchRequest& request, weir::Reply<BatchReply> reply);
  Result<ScanReply> Scan(ServerContext& context, const ScanRequest& request);
  Result<StatsReply> Stats(ServerContext& context, const StatsRequest& request);
  Result<PingReply> Ping(ServerContext& context, const PingRequest& request);

 private:
  Store& store_;
  const std::string sync_;
  const std::unique_ptr<KeyGuard> guard_;
};

}  // namespace weir::kv
