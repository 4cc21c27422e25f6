// A ring from the ring of an earlier list. Both lists are walked in the order of their addresses to
// learn whose virtual nodes come, go or stay; those that come are hashed and sorted, those that go
// are looked up, and what lies between two changes is copied, its owners renumbered.
#include <algorithm>
#include <cstring>
#include <tuple>

#include "address_order.h"
#include "ring_points.h"
#include "weir/loadbalance/hash_ring.h"

namespace weir {
namespace {

// The same provider in both lists, or in one.
struct Pair {
  Index before = kNone;
  Index after = kNone;
};

std::vector<Pair> Match(std::span<const Provider> before, std::span<const Provider> after) {
  const std::vector<Index> old_order = AddressOrder(before);
  const std::vector<Index> new_order = AddressOrder(after);
  std::vector<Pair> pairs;
  pairs.reserve(std::max(before.size(), after.size()) + 1);
  auto b = old_order.begin();
  auto a = new_order.begin();
  while (b != old_order.end() || a != new_order.end()) {
    int order = b == old_order.end() ? 1 : -1;
    if (b != old_order.end() && a != new_order.end()) {
      order = before[*b].address.compare(after[*a].address);
    }
    pairs.push_back({order <= 0 ? *b++ : kNone, order >= 0 ? *a++ : kNone});
  }
  return pairs;
}

struct Addition {
  std::uint32_t at;  // before which point of the old ring
  std::uint32_t position;
  Index owner;
};

}  // namespace

bool HashRing::Update(std::span<const Provider> providers, std::span<const std::uint32_t> counts,
                      const HashRing& previous, std::span<const Provider> previous_providers) {
  if (previous.options_.hash != options_.hash || previous.size_ == 0 || counts.empty() ||
      previous.providers_ != previous_providers.size()) {
    return false;
  }
  const std::vector<std::uint32_t> old_counts = VirtualNodes(previous_providers, previous.options_);
  const std::vector<Pair> pairs = Match(previous_providers, providers);
  const auto count_before = [&](const Pair& p) {
    return p.before == kNone ? 0 : old_counts[p.before];
  };
  const auto count_after = [&](const Pair& p) { return p.after == kNone ? 0 : counts[p.after]; };
  std::size_t changes = 0;
  std::size_t size = previous.size_;
  std::uint32_t most = 0;
  for (const Pair& pair : pairs) {
    const std::uint32_t before = count_before(pair);
    const std::uint32_t after = count_after(pair);
    changes += std::max(before, after) - std::min(before, after);
    size = size + after - before;
    most = std::max({most, before, after});
  }
  if (changes > previous.size_ / 8) return false;

  std::vector<std::uint32_t> removed;  // points of the old ring
  std::vector<Addition> added;
  std::vector<Index> owner_after(previous_providers.size(), kNone);
  LabelPositions labels(options_.hash, changes == 0 ? 0 : most);
  for (const Pair& pair : pairs) {
    if (pair.before != kNone) owner_after[pair.before] = pair.after;
    const std::uint32_t before = count_before(pair);
    const std::uint32_t after = count_after(pair);
    if (before > after) {
      for (const std::uint32_t position :
           labels.Of(previous_providers[pair.before].address, after, before)) {
        std::size_t i = previous.First(position);
        while (i < previous.size_ && previous.owners_[i] != pair.before) ++i;
        removed.push_back(static_cast<std::uint32_t>(i));
      }
    } else if (before < after) {
      const std::string& address = providers[pair.after].address;
      for (const std::uint32_t position : labels.Of(address, before, after)) {
        std::size_t i = previous.First(position);
        while (i < previous.size_ && previous.positions_[i] == position &&
               previous_providers[previous.owners_[i]].address < address) {
          ++i;
        }
        added.push_back({static_cast<std::uint32_t>(i), position, pair.after});
      }
    }
  }
  std::sort(removed.begin(), removed.end());
  // Two labels of a provider at one position are two points side by side.
  for (std::size_t i = 1; i < removed.size(); ++i) {
    removed[i] = std::max(removed[i], removed[i - 1] + 1);
  }
  if (!removed.empty() && removed.back() >= previous.size_) return false;
  std::sort(added.begin(), added.end(), [&](const Addition& a, const Addition& b) {
    return std::tie(a.position, providers[a.owner].address) <
           std::tie(b.position, providers[b.owner].address);
  });

  Allocate(size);
  std::size_t end = 0;
  const auto copy = [&](std::size_t begin, std::size_t stop) {
    std::memcpy(positions_.get() + end, previous.positions_.get() + begin,
                (stop - begin) * sizeof(std::uint32_t));
    std::transform(previous.owners_.get() + begin, previous.owners_.get() + stop,
                   owners_.get() + end,
                   [renumbered = owner_after.data()](Index owner) { return renumbered[owner]; });
    end += stop - begin;
  };
  std::size_t from = 0;
  auto removal = removed.begin();
  const auto remove_until = [&](std::size_t to) {
    for (; removal != removed.end() && *removal < to; ++removal) {
      copy(from, *removal);
      from = *removal + 1;
    }
  };
  for (const Addition& addition : added) {
    remove_until(addition.at);
    copy(from, addition.at);
    from = addition.at;
    positions_[end] = addition.position;
    owners_[end++] = addition.owner;
  }
  remove_until(previous.size_);
  copy(from, previous.size_);
  Complete();
  return true;
}

}  // namespace weir
