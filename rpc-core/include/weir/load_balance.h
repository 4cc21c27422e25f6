// The load-balance seam: strategies as pure functions over immutable snapshots.
//
// A strategy holds no state: what it answers depends only on its inputs. Tables derived from the
// provider list live in the Snapshot (built once per change, off the call path); everything that
// changes lives in the Endpoints; sequence number, random word, clock and exclusions arrive in the
// PickContext. So every pick can be logged and replayed bit for bit.
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "weir/endpoint.h"
#include "weir/parameters.h"
#include "weir/registry.h"
#include "weir/status.h"

namespace weir {

// A position in a snapshot's provider list.
using Index = std::uint32_t;
inline constexpr Index kNone = ~Index{0};

struct Layer;

// A provider list with everything a strategy needs to choose from it. Immutable but for what the
// endpoints count; shared by threads. Providers with weight 0 (draining) are not in it.
class Snapshot {
 public:
  // `endpoints[i]` belongs to `providers[i]`: non-null, of equal length, and each with at least
  // `cells` cells.
  Snapshot(std::vector<Provider> providers, std::vector<std::shared_ptr<Endpoint>> endpoints,
           std::uint32_t cells = 1);
  ~Snapshot();
  Snapshot(Snapshot&&) noexcept;
  Snapshot& operator=(Snapshot&&) noexcept;

  Index size() const noexcept { return static_cast<Index>(providers_.size()); }
  const Provider& provider(Index i) const noexcept { return providers_[i]; }
  std::span<const Provider> providers() const noexcept { return providers_; }
  Endpoint& endpoint(Index i) const noexcept { return *endpoints_[i]; }
  std::span<const std::shared_ptr<Endpoint>> endpoints() const noexcept { return endpoints_; }

  // Calls in flight from this channel to provider i, all its threads together.
  std::uint32_t active(Index i) const noexcept {
    std::uint32_t sum = 0;
    for (std::uint32_t cell = 0; cell < cells_; ++cell) {
      sum += std::atomic_ref<std::uint32_t>(row(cell)[i]).load(std::memory_order_relaxed);
    }
    return sum;
  }
  // The same by thread, packed for a scan: rows of row_length() counts, each aligned to 64 bytes
  // and filled up with ~0 behind the last provider. Written while one looks: relaxed loads only.
  std::uint32_t cells() const noexcept { return cells_; }
  std::uint32_t* row(std::uint32_t cell) const noexcept { return rows_.get() + cell * row_length_; }
  std::size_t row_length() const noexcept { return row_length_; }

  // Begins and ends showing here what the endpoints' cells of this number count; by that cell's
  // thread. An endpoint shows in up to two snapshots at once, `show` 0 and 1. A snapshot must not
  // be destroyed while it is attached.
  void Attach(std::uint32_t cell, std::uint32_t show = 0) const noexcept;
  void Detach(std::uint32_t cell, std::uint32_t show = 0) const noexcept;

  // What the strategy's Build made for this list; null if it makes nothing.
  const void* tables() const noexcept { return tables_.get(); }
  void set_tables(std::shared_ptr<const void> tables) noexcept { tables_ = std::move(tables); }
  // The decorators of the strategy, the outermost first; see ConfiguredLoadBalance::BuildTables.
  std::span<const Layer> layers() const noexcept;

 private:
  friend struct ConfiguredLoadBalance;
  struct FreeRows {
    void operator()(std::uint32_t* rows) const noexcept;
  };

  std::vector<Provider> providers_;
  std::vector<std::shared_ptr<Endpoint>> endpoints_;
  std::uint32_t cells_ = 1;
  std::size_t row_length_ = 0;
  std::unique_ptr<std::uint32_t[], FreeRows> rows_;
  std::shared_ptr<const void> tables_;
  std::vector<Layer> layers_;
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
  std::int64_t now_ns = 0;               // the steady clock of the endpoints' times
  std::span<const Index> excluded = {};  // tried already by this call, ejected, or out of reach
};

// True if `i` is among the excluded. (The list is almost always empty and never long.)
inline bool IsExcluded(const PickContext& context, Index i) noexcept {
  for (Index e : context.excluded) {
    if (e == i) return true;
  }
  return false;
}

// The most providers that may be asked about their load before a call.
inline constexpr std::size_t kMaxProbes = 8;

// A strategy: a few functions and a name, no members, no virtual call.
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
  // Says in a few words what `picked`, the answer of `pick` to the same inputs, was chosen for:
  // "the fewer calls in flight (2) of 10.0.0.1:1 and 10.0.0.2:1". Null function: the name alone.
  using Explain = std::string (*)(const RequestView&, const Snapshot&, const PickContext&,
                                  Index picked);
  // Which providers should be asked for a fresh LoadReport before `pick` is called for this call;
  // returns how many it wrote. As pure as `pick`, which is called with the same sequence number and
  // random word when they have answered, or a short time has passed. Null function, or 0: none.
  using Probe = std::size_t (*)(const RequestView&, const Snapshot&, const PickContext&,
                                std::span<Index, kMaxProbes> ask) noexcept;

  Pick pick = nullptr;
  Build build = nullptr;
  Check check = nullptr;
  Explain explain = nullptr;
  Probe probe = nullptr;
};

// The consumer for whom a list of providers is narrowed. A value.
struct Consumer {
  std::string zone = {};     // ChannelOptions::zone
  std::uint64_t random = 0;  // of the channel; the same for all its lists
};

// Changes what a strategy picks, or what it picks from: "subset(k=20)|p2c". As stateless.
struct Decorator {
  // Which of the providers the strategy is to see, by position, ascending; pure. Those that are
  // left out are used when too few of the others can be. Null function: all.
  using Select = std::vector<Index> (*)(std::span<const Provider>, const Parameters&,
                                        const Consumer&);
  // As LoadBalance::Pick; `layer.PickInner` asks the strategy that is decorated, with any request
  // and context. Null function: what the strategy picks.
  using Pick = Index (*)(const RequestView&, const Snapshot&, const PickContext&,
                         const Layer& layer) noexcept;
  // Makes the tables for `layer.tables`.
  using Build = std::shared_ptr<const void> (*)(const Snapshot&, const Parameters&);
  using Check = Status (*)(const Parameters&);
  // What it did to the pick, in a few words; empty: nothing.
  using Explain = std::string (*)(const RequestView&, const Snapshot&, const PickContext&,
                                  const Layer& layer, Index picked);

  Select select = nullptr;
  Pick pick = nullptr;
  Build build = nullptr;
  Check check = nullptr;
  Explain explain = nullptr;
};

// A decorator at work over one snapshot.
struct Layer {
  Decorator::Pick pick = nullptr;
  std::shared_ptr<const void> tables;
  bool is_last = true;  // what it decorates is the strategy, not the next layer
  LoadBalance::Pick strategy = nullptr;

  // What is decorated, asked with these inputs.
  Index PickInner(const RequestView& request, const Snapshot& snapshot,
                  const PickContext& context) const noexcept {
    const Layer* next = this + 1;
    return is_last ? strategy(request, snapshot, context)
                   : next->pick(request, snapshot, context, *next);
  }
};

inline std::span<const Layer> Snapshot::layers() const noexcept {
  return layers_;
}

// What may be added by name: an empty, trivially copyable callable, so that state is a compile
// error.
template <class F>
concept StatelessPick =
    std::is_empty_v<F> && std::is_trivially_copyable_v<F> && std::default_initializable<F> &&
    std::is_nothrow_invocable_r_v<Index, F, const RequestView&, const Snapshot&,
                                  const PickContext&>;

// A function from a request and a list of providers to an address, as other frameworks have it.
template <class F>
concept StatelessChoice =
    std::is_empty_v<F> && std::is_trivially_copyable_v<F> && std::default_initializable<F> &&
    std::is_nothrow_invocable_r_v<std::string_view, F, const RequestView&,
                                  std::span<const Provider>>;

// A strategy with its decorators and parameters, ready for use by a channel. A value.
struct ConfiguredLoadBalance {
  struct Decoration {
    Decorator decorator;
    Parameters parameters;
  };

  std::string text;  // as the user wrote it
  LoadBalance strategy;
  Parameters parameters;
  std::vector<Decoration> decorations;  // the outermost first

  // True if some decorator narrows the list.
  bool narrows() const noexcept;
  // The part of the list that the strategy is to see, by position; all of it without narrowing.
  std::vector<Index> Select(std::span<const Provider> providers, const Consumer& consumer) const;
  // Fills in `snapshot`'s tables; call it once before the snapshot is shared.
  void BuildTables(Snapshot& snapshot, const Snapshot* previous) const;
  // The strategy's answer, as decorated. As LoadBalance::Pick.
  Index Pick(const RequestView& request, const Snapshot& snapshot,
             const PickContext& context) const noexcept {
    const std::span<const Layer> layers = snapshot.layers();
    if (layers.empty()) return strategy.pick(request, snapshot, context);
    return layers.front().pick(request, snapshot, context, layers.front());
  }
  // Why this pick: one line, "p2c: 10.0.0.1:20880, ...".
  std::string Explain(const RequestView& request, const Snapshot& snapshot,
                      const PickContext& context) const;
};

// Strategies and decorators by name. Thread-safe.
class LoadBalanceTable {
 public:
  // Adds or replaces. A name is either a strategy's or a decorator's.
  void Add(std::string name, LoadBalance strategy);
  void Add(std::string name, Decorator decorator);
  // A user's own, in one line. The callable takes (const RequestView&, const Snapshot&, const
  // PickContext&), is noexcept and captures nothing; see docs/load-balance.md.
  template <StatelessPick F>
  void Add(std::string name, F) {
    Add(std::move(name),
        LoadBalance{.pick = [](const RequestView& r, const Snapshot& s,
                               const PickContext& c) noexcept -> Index { return F{}(r, s, c); }});
  }
  // The simplest form: the callable takes (const RequestView&, std::span<const Provider>) and
  // answers the address of one of them (an unknown or empty one: no provider). It sees the
  // providers that are not excluded only if none is: with exclusions the answer is refused if it
  // is excluded, and the next included provider in the list takes its place.
  template <StatelessChoice F>
  void Add(std::string name, F) {
    Add(std::move(name), LoadBalance{.pick = [](const RequestView& r, const Snapshot& s,
                                                const PickContext& c) noexcept -> Index {
          return IndexOfChoice(F{}(r, s.providers()), s, c);
        }});
  }
  // Parses "decorator(key=value,...)|name:key=value,...". INVALID_ARGUMENT for an unknown name (the
  // message lists the known ones) or a parameter that is refused.
  Result<ConfiguredLoadBalance> Configure(std::string_view text) const;
  std::vector<std::string> Names() const;           // of strategies, sorted
  std::vector<std::string> DecoratorNames() const;  // sorted

 private:
  static Index IndexOfChoice(std::string_view address, const Snapshot& snapshot,
                             const PickContext& context) noexcept;
  Result<LoadBalance> FindStrategy(const Parameters& element, std::string_view text) const;
  Result<Decorator> FindDecorator(const Parameters& element, std::string_view text) const;

  mutable std::mutex mutex_;
  std::map<std::string, LoadBalance, std::less<>> strategies_;
  std::map<std::string, Decorator, std::less<>> decorators_;
};

// The table of this process, already holding the strategies of the linked weir libraries.
LoadBalanceTable& LoadBalances();

// The hash of a routing key, computed once per call in the stub: XXH3-64 of the bytes.
std::uint64_t HashKey(std::string_view key) noexcept;

}  // namespace weir
