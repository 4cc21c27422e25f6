// PickRecord: one pick with everything it depended on, so that it can be read, kept, and made again
// bit for bit: why this provider?
//
// A channel writes records with ChannelOptions::pick_log; `weir explain` reads them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weir/endpoint.h"
#include "weir/load_balance.h"
#include "weir/registry.h"
#include "weir/status.h"

namespace weir {

// A value. What it holds is what the strategy was shown: the list as decorators had narrowed it,
// without providers that drain.
struct PickRecord {
  struct Seen {
    Provider provider;
    EndpointState endpoint;

    friend bool operator==(const Seen&, const Seen&) = default;
  };

  std::string strategy;         // as it was configured
  std::string method;           // the RequestView
  std::string key;              // any bytes
  std::uint64_t key_hash = 0;   //
  bool has_key = false;         //
  std::uint64_t sequence = 0;   // the PickContext
  std::uint64_t random = 0;     //
  std::int64_t now_ns = 0;      //
  std::vector<Index> excluded;  //
  std::vector<Seen> providers;  // the Snapshot
  Index picked = kNone;         // the answer; kNone: nobody

  // The address of who was picked; empty for nobody.
  std::string_view picked_address() const noexcept {
    return picked < providers.size() ? std::string_view(providers[picked].provider.address)
                                     : std::string_view();
  }

  // One line of JSON. Bytes of texts that are not printable ASCII are written as \u0000 to \u00ff;
  // what is zero, empty or false is left out, but for address and weight.
  std::string ToText() const;
  // Takes what ToText writes, in any order and with spaces. INVALID_ARGUMENT names the position
  // (from 1) and what is expected there.
  static Result<PickRecord> Parse(std::string_view text);

  // The pick, made again from the record alone by the strategy of that name in LoadBalances();
  // `picked` does not count. INVALID_ARGUMENT if there is no such strategy. Allocates, and builds
  // the strategy's tables.
  Result<Index> Replay() const;
  // The same pick explained: ConfiguredLoadBalance::Explain.
  Result<std::string> Explain() const;

  friend bool operator==(const PickRecord&, const PickRecord&) = default;
};

// Picks, and records it: the answer belongs to what the record holds, even if other threads count
// calls meanwhile. The snapshot holds the strategy's tables. Any thread; far slower than Pick.
PickRecord RecordPick(const ConfiguredLoadBalance& balance, const RequestView& request,
                      const Snapshot& snapshot, const PickContext& context);

}  // namespace weir
