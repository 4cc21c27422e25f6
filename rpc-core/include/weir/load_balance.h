// The load-balance seam: strategies as pure functions over immutable snapshots.
//
// A strategy holds no state: what it answers depends only on its inputs. Tables derived from the
// provider list live in the Snapshot (built once per change, off the call path); everything that
// changes lives in the Endpoints; sequence number, random word, clock and exclusions arrive in the
// PickContext. So every pick can be logged and replayed bit for bit.
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "weir/registry.h"
#include "weir/status.h"

namespace weir {

// A position in a snapshot's provider list.
using Index = std::uint32_t;
inline constexpr Index kNone = ~Index{0};

// What changes while calls run, one cache line per provider, shared by all threads of a channel. It
// outlives changes of the provider list: a provider that stays, or returns soon, keeps its numbers.
// Written by the channel only.
struct alignas(64) Endpoint {
  std::atomic<std::uint32_t> active{0};    // calls in flight from this channel
  std::atomic<std::uint32_t> failures{0};  // transport failures since the last success
  std::atomic<std::uint64_t> calls{0};     // calls completed
};

// A provider list with everything a strategy needs to choose from it. Immutable but for the
// endpoints' counters; shared by threads. Providers with weight 0 (draining) are not in it.
class Snapshot {
 public:
  // `endpoints[i]` belongs to `providers[i]`. Both non-null and of equal length.
  Snapshot(std::vector<Provider> providers, std::vector<std::shared_ptr<Endpoint>> endpoints);

  Index size() const noexcept { return static_cast<Index>(providers_.size()); }
  const Provider& provider(Index i) const noexcept { return providers_[i]; }
  std::span<const Provider> providers() const noexcept { return providers_; }
  Endpoint& endpoint(Index i) const noexcept { return *endpoints_[i]; }
  std::span<const std::shared_ptr<Endpoint>> endpoints() const noexcept { return endpoints_; }
  // What the strategy's Build made for this list; null if it makes nothing.
  const void* tables() const noexcept { return tables_.get(); }
  void set_tables(std::shared_ptr<const void> tables) noexcept { tables_ = std::move(tables); }

 private:
  std::vector<Provider> providers_;
  std::vector<std::shared_ptr<Endpoint>> endpoints_;
  std::shared_ptr<const void> tables_;
};

// The call to be placed, as far as strategies may look at it.
struct RequestView {
  std::string_view method = {};  // "greeter.Greeter/Hello"
  std::string_view key = {};     // the (weir.hash_key) field, or the key set on the call
  std::uint64_t key_hash = 0;    // HashKey(key), computed once, in the stub; goes with `key`
  bool has_key = false;          // without a key, key strategies fall back on PickContext::random
};

// The varying inputs of a pick, filled by the channel.
struct PickContext {
  std::uint64_t sequence = 0;            // increases by one per call; random start per channel
  std::uint64_t random = 0;              // one random word
  std::int64_t now_ns = 0;               // steady clock
  std::span<const Index> excluded = {};  // tried already by this call, or known to be unreachable
};

// True if `i` is among the excluded. (The list is almost always empty and never long.)
inline bool IsExcluded(const PickContext& context, Index i) noexcept {
  for (Index e : context.excluded) {
    if (e == i) return true;
  }
  return false;
}

// "name:key=value,key=value", parsed. A value. The getters give `fallback` for an absent key; a
// value they cannot accept is INVALID_ARGUMENT naming key, value, position and the allowed form.
class Parameters {
 public:
  // INVALID_ARGUMENT names the position and the expected form. Known keys and the values' forms are
  // the strategy's to check.
  static Result<Parameters> Parse(std::string_view strategy_text);
  const std::string& name() const noexcept { return name_; }
  const std::map<std::string, std::string, std::less<>>& values() const noexcept { return values_; }

  // A decimal integer from `min` to `max`.
  Result<std::int64_t> Integer(std::string_view key, std::int64_t fallback, std::int64_t min,
                               std::int64_t max) const;
  // A decimal number ("1.25") from `min` to `max`.
  Result<double> Number(std::string_view key, double fallback, double min, double max) const;
  // One of `choices`; the result is its position among them.
  Result<std::size_t> OneOf(std::string_view key, std::size_t fallback,
                            std::span<const std::string_view> choices) const;
  // Refuses every key that is not in `known`.
  Status RefuseOthers(std::span<const std::string_view> known) const;

 private:
  Status Refuse(std::string_view key, std::string_view expected) const;

  std::string text_;  // whole, for messages
  std::string name_;
  std::map<std::string, std::string, std::less<>> values_;
};

// A strategy: two functions and a name, no members, no virtual call.
struct LoadBalance {
  // Chooses a provider; kNone if the snapshot is empty or everything is excluded. Pure; allocates
  // nothing, takes no lock, makes no system call. Any thread. The snapshot must hold the tables
  // that this strategy's `build` made for it (ConfiguredLoadBalance::BuildTables).
  using Pick = Index (*)(const RequestView&, const Snapshot&, const PickContext&) noexcept;
  // Makes the tables for `snapshot.tables()`; `previous` (may be null) may be reused. Pure. Null
  // function: no tables. The parameters have been accepted by `check`.
  using Build = std::shared_ptr<const void> (*)(const Snapshot& snapshot, const Parameters&,
                                                const Snapshot* previous);
  // Refuses unknown or malformed parameters, naming them. Null function: takes no parameters.
  using Check = Status (*)(const Parameters&);

  Pick pick = nullptr;
  Build build = nullptr;
  Check check = nullptr;
};

// What may be added by name: an empty, trivially copyable callable, so that state is a compile
// error.
template <class F>
concept StatelessPick =
    std::is_empty_v<F> && std::is_trivially_copyable_v<F> && std::default_initializable<F> &&
    std::is_nothrow_invocable_r_v<Index, F, const RequestView&, const Snapshot&,
                                  const PickContext&>;

// A strategy with its parameters, ready for use by a channel. A value.
struct ConfiguredLoadBalance {
  std::string text;  // as the user wrote it
  LoadBalance strategy;
  Parameters parameters;

  // Fills in `snapshot`'s tables; call it once before the snapshot is shared.
  void BuildTables(Snapshot& snapshot, const Snapshot* previous) const;
};

// Strategies by name. Thread-safe.
class LoadBalanceTable {
 public:
  void Add(std::string name, LoadBalance strategy);
  // A user's own, in one line. The callable takes (const RequestView&, const Snapshot&, const
  // PickContext&), is noexcept and captures nothing; see docs/load-balance.md.
  template <StatelessPick F>
  void Add(std::string name, F) {
    Add(std::move(name),
        LoadBalance{.pick = [](const RequestView& r, const Snapshot& s,
                               const PickContext& c) noexcept -> Index { return F{}(r, s, c); }});
  }
  // Parses "name:key=value,...". INVALID_ARGUMENT for an unknown name (the message lists the known
  // ones) or a parameter the strategy refuses.
  Result<ConfiguredLoadBalance> Configure(std::string_view text) const;
  std::vector<std::string> Names() const;  // sorted

 private:
  mutable std::mutex mutex_;
  std::map<std::string, LoadBalance, std::less<>> strategies_;
};

// The table of this process, already holding the strategies of the linked weir libraries.
LoadBalanceTable& LoadBalances();

// The hash of a routing key, computed once per call in the stub: XXH3-64 of the bytes.
std::uint64_t HashKey(std::string_view key) noexcept;

}  // namespace weir
