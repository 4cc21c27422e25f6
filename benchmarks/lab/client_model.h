// ClientModel: a simulated client: a channel's snapshot and endpoints, and its picks, by the very
// functions that a channel calls.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lab/event_queue.h"
#include "lab/random.h"
#include "weir/load_balance.h"

namespace weir::lab {

inline constexpr std::uint32_t kNoServer = ~std::uint32_t{0};

// A server as a registry lists it. A value.
struct ListedServer {
  std::uint32_t server = 0;
  Provider provider;
  Nanos started = 0;  // 0: long ago
};

class ClientModel {
 public:
  // `balance` must outlive the client. `servers`: how many there are at most.
  ClientModel(const ConfiguredLoadBalance& balance, std::uint32_t servers, Random random);
  ~ClientModel();
  ClientModel(ClientModel&&) noexcept;
  ClientModel& operator=(ClientModel&&) = delete;

  // A new provider list, in the order of its addresses.
  void UseList(const std::vector<ListedServer>& listed);
  // The inputs of the next pick, but for what is excluded.
  PickContext NextContext(Nanos now) noexcept;
  // The servers to be asked about their load before that pick; returns how many.
  std::size_t Probe(const RequestView& request, const PickContext& context,
                    std::span<std::uint32_t, kMaxProbes> servers);
  // A server that is none of `tried`, if possible; kNoServer if none can be picked.
  std::uint32_t Pick(const RequestView& request, PickContext context,
                     std::span<const std::uint32_t> tried);

  Endpoint& endpoint(std::uint32_t server) { return *endpoints_[server]; }
  // Null for a server that this client has never picked from.
  bool Knows(std::uint32_t server) const noexcept { return endpoints_[server] != nullptr; }
  // The connection to a server was lost, or stands again: it is not picked until then.
  void SetReachable(std::uint32_t server, bool reachable);
  const Snapshot& snapshot() const noexcept { return *snapshot_; }

 private:
  void Exclude(std::span<const std::uint32_t> tried);

  const ConfiguredLoadBalance* balance_;
  Random random_;
  Consumer consumer_;
  std::uint64_t sequence_;
  std::vector<std::shared_ptr<Endpoint>> endpoints_;  // by server
  std::unique_ptr<Snapshot> snapshot_;
  std::vector<std::uint32_t> servers_;      // by position in the snapshot
  std::vector<Index> positions_;            // by server; kNone: not in it
  std::vector<std::uint32_t> unreachable_;  // servers
  std::vector<Index> excluded_;             // of the present pick
};

// True if the strategy sends equal keys to the same provider and others elsewhere.
bool IsKeyed(const ConfiguredLoadBalance& balance);

}  // namespace weir::lab
