// LoadProbes: calls that wait for what some providers say of their load before they are placed.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "client/provider_link.h"
#include "runtime/reactor.h"
#include "weir/detail/client_call.h"
#include "weir/load_balance.h"

namespace weir::detail {

// What a pick draws by; kept while the call waits, so that the pick looks where the probe did.
struct Draw {
  std::uint64_t sequence = 0;
  std::uint64_t random = 0;
};

class LoadProbes;

// Allocated from recycled memory.
struct ProbingCall : TimerNode {
  LoadProbes* owner = nullptr;
  ClientCall* call = nullptr;
  Draw draw;
  std::array<const ProviderLink*, kMaxProbes> asked{};  // only to be compared: may be gone
  std::size_t left = 0;                                 // how many have not answered
  ProbingCall* previous = nullptr;
  ProbingCall* next = nullptr;
};

// Belongs to a RouteShard; touched by its reactor's thread only.
class LoadProbes {
 public:
  explicit LoadProbes(RouteShard& shard) : shard_(shard) {}
  LoadProbes(const LoadProbes&) = delete;
  LoadProbes& operator=(const LoadProbes&) = delete;

  // The call waits until all of these (at most kMaxProbes) have answered or it is so late, and is
  // then given to RouteShard::PlaceProbed. Not before this has returned.
  void Add(ClientCall& call, std::span<ProviderLink* const> asked, Reactor::Clock::time_point until,
           Draw draw);
  // The call waits no longer. Returns what it was added with.
  Draw Remove(ClientCall& call) noexcept;
  // The provider has answered.
  void OnLoad(const ProviderLink& link);
  // The one that waits for the longest time; null: none.
  ClientCall* front() const noexcept { return first_ == nullptr ? nullptr : first_->call; }

 private:
  RouteShard& shard_;
  ProbingCall* first_ = nullptr;
  ProbingCall* last_ = nullptr;
};

}  // namespace weir::detail
