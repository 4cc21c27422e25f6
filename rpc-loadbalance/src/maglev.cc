// maglev: equal keys to the same provider, by one look into a table (Eisenbud et al., "Maglev: A
// Fast and Reliable Software Network Load Balancer", NSDI 2016, section 3.4).
//
// Parameter: size, the slots of the table, a prime; a hundred per provider make the parts even to
// 1 %.
#include <algorithm>
#include <array>
#include <queue>

#include "address_order.h"
#include "arithmetic.h"
#include "exclusion.h"
#include "explain.h"
#include "strategies.h"
#include "weights.h"

namespace weir {
namespace {

constexpr std::int64_t kDefaultSize = 65'537;
constexpr std::int64_t kLargestSize = 5'000'011;
constexpr Index kFree = kNone;
// A key whose provider is excluded goes on so far through the table before it is dealt out.
constexpr std::uint32_t kLongestWalk = 256;

bool IsPrime(std::int64_t n) {
  if (n < 2) return false;
  for (std::int64_t d = 2; d * d <= n; ++d) {
    if (n % d == 0) return false;
  }
  return true;
}

Result<std::uint32_t> ReadSize(const Parameters& parameters) {
  static constexpr std::array<std::string_view, 1> kKeys = {"size"};
  if (Status status = parameters.RefuseOthers(kKeys); !status.ok()) return status;
  const Result<std::int64_t> size = parameters.Integer("size", kDefaultSize, 3, kLargestSize);
  if (!size.ok()) return size.status();
  if (!IsPrime(*size)) return parameters.Refuse("size", "a prime, as 251, 65537 or 655373");
  return static_cast<std::uint32_t>(*size);
}

Status Check(const Parameters& parameters) {
  return ReadSize(parameters).status();
}

// A provider's order of preference for the slots, all of them since the size is prime.
class Preference {
 public:
  Preference(std::string_view address, std::uint32_t size)
      : size_(size),
        skip_(static_cast<std::uint32_t>(AddressHash(address, 1) % (size - 1)) + 1),
        next_(static_cast<std::uint32_t>(AddressHash(address, 0) % size)) {}

  std::uint32_t Next() noexcept {
    const std::uint32_t slot = next_;
    next_ = next_ < size_ - skip_ ? next_ + skip_ : next_ - (size_ - skip_);
    return slot;
  }

 private:
  std::uint32_t size_;
  std::uint32_t skip_;
  std::uint32_t next_;
};

// In rounds each provider, in the order of addresses, takes the first free slot of its preference;
// one of weight w takes its k-th turn in the first round r with r * w >= k * (largest weight).
std::vector<Index> Populate(std::span<const Provider> providers,
                            std::span<const std::uint32_t> weights, std::uint32_t size) {
  std::vector<Index> slots(size, kFree);
  struct Entry {
    Preference preference;
    std::uint64_t weight;
    Index index;
    std::uint64_t turns;
  };
  std::vector<Entry> entries;
  for (const Index i : AddressOrder(providers)) {
    if (weights[i] != 0) entries.push_back({{providers[i].address, size}, weights[i], i, 0});
  }
  const auto take = [&](Entry& entry) {
    std::uint32_t slot = entry.preference.Next();
    while (slots[slot] != kFree) slot = entry.preference.Next();
    slots[slot] = entry.index;
  };
  if (AllEqual(weights)) {
    for (std::uint32_t filled = 0; filled < size; ++filled) take(entries[filled % entries.size()]);
    return slots;
  }
  // Who comes next: by round, then by address.
  const std::uint64_t largest = *std::max_element(weights.begin(), weights.end());
  using Turn = std::pair<std::uint64_t, std::size_t>;
  std::priority_queue<Turn, std::vector<Turn>, std::greater<>> turns;
  const auto line_up = [&](std::size_t e) {
    Entry& entry = entries[e];
    turns.emplace((++entry.turns * largest + entry.weight - 1) / entry.weight, e);
  };
  for (std::size_t e = 0; e < entries.size(); ++e) line_up(e);
  for (std::uint32_t filled = 0; filled < size; ++filled) {
    const std::size_t e = turns.top().second;
    turns.pop();
    take(entries[e]);
    line_up(e);
  }
  return slots;
}

struct Tables {
  std::uint32_t size = 0;
  std::vector<std::uint16_t> narrow;  // the owners, if their numbers fit: half the cache lines
  std::vector<Index> wide;
  std::vector<std::uint32_t> weights;

  Index Owner(std::uint32_t slot) const noexcept {
    return narrow.empty() ? wide[slot] : narrow[slot];
  }
};

std::shared_ptr<const void> Build(const Snapshot& snapshot, const Parameters& parameters,
                                  const Snapshot*) {
  if (snapshot.size() == 0) return nullptr;
  auto tables = std::make_shared<Tables>();
  tables->size = *ReadSize(parameters);
  tables->weights = EffectiveWeights(snapshot.providers());
  std::vector<Index> slots = Populate(snapshot.providers(), tables->weights, tables->size);
  if (snapshot.size() <= 65'536) {
    tables->narrow.assign(slots.begin(), slots.end());
  } else {
    tables->wide = std::move(slots);
  }
  return tables;
}

// On through the table, where the next owners are as good as random: the keys of an excluded
// provider spread over all others, and each always goes to the same.
Index WalkOn(const Tables& tables, const PickContext& context, std::uint64_t word,
             std::uint32_t slot) noexcept {
  for (std::uint32_t step = 0; step < std::min(tables.size, kLongestWalk); ++step) {
    if (++slot == tables.size) slot = 0;
    if (const Index i = tables.Owner(slot); !IsExcluded(context, i)) return i;
  }
  return WeightedIncluded(tables.weights, context, NextWord(word, 0));
}

Index Pick(const RequestView& request, const Snapshot& snapshot,
           const PickContext& context) noexcept {
  if (snapshot.size() == 0) return kNone;
  const auto& tables = *static_cast<const Tables*>(snapshot.tables());
  const std::uint64_t word = KeyWord(request, context);
  const std::uint32_t slot = Below(word, tables.size);
  const Index owner = tables.Owner(slot);
  if (context.excluded.empty() || !IsExcluded(context, owner)) return owner;
  return WalkOn(tables, context, word, slot);
}

std::string Explain(const RequestView& request, const Snapshot& snapshot,
                    const PickContext& context, Index picked) {
  if (picked == kNone) return kAllExcluded;
  const auto& tables = *static_cast<const Tables*>(snapshot.tables());
  const std::uint32_t slot = Below(KeyWord(request, context), tables.size);
  std::string why =
      KeyOf(request) + ": slot " + std::to_string(slot) + " of " + std::to_string(tables.size);
  if (const Index owner = tables.Owner(slot); owner != picked) {
    why += ", on from that of " + snapshot.provider(owner).address;
  }
  return why;
}

}  // namespace

LoadBalance MaglevStrategy() noexcept {
  return {.pick = Pick, .build = Build, .check = Check, .explain = Explain};
}

}  // namespace weir
