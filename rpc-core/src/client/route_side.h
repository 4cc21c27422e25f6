// RouteSide: the providers of one snapshot as one reactor reaches them.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "weir/load_balance.h"

namespace weir {

class ClientShard;
class ProviderLink;

namespace detail {

struct EjectedProvider;

// Where the provider stands in the list; kNone if it does not.
Index PositionOf(const Snapshot& snapshot, std::string_view address) noexcept;

struct RouteSide {
  const Snapshot* snapshot = nullptr;
  std::vector<ProviderLink*> links;  // as in the snapshot
  std::vector<Index> unusable;       // positions in it, ascending
  std::vector<Index> on_trial;       // of those that may have one call

  void Use(const Snapshot* providers, ClientShard& client);
  // Those out of reach, and the ejected ones unless that leaves less than `panic_percent` of the
  // list.
  void FindUnusable(const std::vector<EjectedProvider>& ejected, std::uint32_t panic_percent);
  // The one on trial has its call.
  void EndTrial(const ProviderLink& link);
  // Less than half of them can be used.
  bool IsThin() const noexcept { return 2 * unusable.size() > links.size(); }
};

}  // namespace detail
}  // namespace weir
