// The names and texts that registries keep: what is a provider, which weight it has, where a
// document lies. The same for every scheme.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "weir/registry.h"

namespace weir::discovery {

// From where the consumers of a registry come: a Unix-domain socket is of use on its own machine
// only.
enum class Reach { kMachine, kNetwork };

// INVALID_ARGUMENT naming the field that no registry could hold.
Status CheckService(std::string_view service);
Status CheckInstance(const Instance& instance, Reach reach);
Status CheckDocumentPath(std::string_view path);

// Whether a node's name is a provider's address in its canonical form.
bool IsProviderName(std::string_view name, Reach reach);

// A weight that Registration::SetWeight may be given; anything else is taken for kWeightUnset.
std::int32_t AnnouncedWeight(std::int32_t weight) noexcept;

// The weight that a node's text stands for; nothing when it is no number from -1 to kMaxWeight.
// Space behind the number does not matter. -1 stays kWeightUnset.
std::optional<std::int32_t> ParseWeight(std::string_view text);
// What consumers make of it: 0..kMaxWeight.
std::int32_t EffectiveWeight(std::string_view text);

// A text that others wrote, for a log line: shortened, without control characters.
std::string Shown(std::string_view text);

// The live form of RegistryCounters. Thread-safe.
struct Counters {
  std::atomic<std::uint64_t> ignored_names{0};
  std::atomic<std::uint64_t> rejected_weights{0};
  std::atomic<std::uint64_t> sessions{0};
  std::atomic<std::uint64_t> lost_sessions{0};
  std::atomic<std::uint64_t> disconnections{0};
  std::atomic<std::uint64_t> refusals{0};
  std::atomic<std::uint64_t> takeovers{0};
  std::atomic<std::uint64_t> restorations{0};

  RegistryCounters Read() const;
};

// Turns the nodes found under one service into providers. What is wrong is counted and, once for
// each node, written to the log. Confined to one thread.
class NodeReader {
 public:
  // `counters` must outlive it.
  NodeReader(std::string registry, std::string service, Reach reach, Counters& counters);

  // IsProviderName; what is none is reported.
  bool IsProvider(std::string_view name);
  // The effective weight: "-1" is kDefaultWeight; so is, with a warning, what is no number from -1
  // to kMaxWeight.
  std::int32_t Weight(std::string_view name, std::string_view text);
  // The node exists but may not be read; consumers take it for kDefaultWeight.
  void Refused(std::string_view name);

 private:
  const std::string registry_;
  const std::string service_;
  const Reach reach_;
  Counters& counters_;
  std::set<std::string, std::less<>> reported_;
};

}  // namespace weir::discovery
