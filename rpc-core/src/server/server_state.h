// ServerState: what the connections of a server share.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <unordered_set>
#include <utility>
#include <vector>

#include "runtime/runtime_core.h"
#include "server/server_load.h"
#include "server/service_table.h"
#include "transport/native_protocol.h"
#include "weir/server.h"

namespace weir {

class ServerConnection;

// The part of a server that lives on one reactor: touched by its thread alone, but for the
// counters.
struct alignas(64) ServerShard {
  Reactor* reactor = nullptr;
  LoadCell* load = nullptr;
  std::uint32_t plain_calls = 0;  // modulo 2^32
  std::unordered_set<ServerConnection*> connections;
  std::atomic<std::uint64_t> calls_started{0};
  std::atomic<std::uint64_t> calls_failed{0};
  std::atomic<std::uint64_t> protocol_errors{0};

  // For counters that one thread writes: no locked instruction.
  static void Count(std::atomic<std::uint64_t>& counter) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
};

struct ServerState {
  explicit ServerState(ServerOptions server_options);
  // Before the first connection; the runtime outlives it.
  void RunOn(detail::RuntimeCore& core);
  detail::RuntimeCore& runtime() noexcept { return *runtime_; }
  ServerLoad& load() noexcept { return *load_; }

  const ServerOptions options;
  const NativeTerms terms;
  ServiceTable services;
  std::vector<std::unique_ptr<ServerShard>> shards;  // one per reactor
  std::atomic<std::uint32_t> open_connections{0};
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint32_t> running_calls{0};  // of the forms that outlive their turn

 private:
  // How many calls this server can work on at once.
  std::uint32_t Slots() const noexcept;

  detail::RuntimeCore* runtime_ = nullptr;
  std::unique_ptr<ServerLoad> load_;
};

}  // namespace weir
