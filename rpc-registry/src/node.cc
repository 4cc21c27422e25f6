#include "node.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <utility>

#include "weir/address.h"
#include "weir/log.h"

namespace weir::discovery {
namespace {

// How many nodes one reader names in the log: a junk-filled directory must not fill the disk.
constexpr std::size_t kMaxReported = 1000;

bool IsPart(std::string_view part, std::string_view also) {
  return !part.empty() && part.size() <= 200 && part.front() != '.' &&
         std::all_of(part.begin(), part.end(), [&](unsigned char c) {
           return std::isalnum(c) != 0 || c == '_' || c == '.' ||
                  also.find(static_cast<char>(c)) != std::string_view::npos;
         });
}

}  // namespace

std::string Shown(std::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, 40))
    shown += std::isprint(static_cast<unsigned char>(c)) ? c : '?';
  return shown + (text.size() > 40 ? "..." : "");
}

Status CheckService(std::string_view service) {
  if (IsPart(service, "")) return {};
  return InvalidArgument("service '" + Shown(service) +
                         "': expected a name such as greeter.Greeter (letters, digits, '_', '.')");
}

Status CheckInstance(const Instance& instance, Reach reach) {
  if (Status status = CheckService(instance.service); !status.ok()) return status;
  const Result<Address> address = Address::Parse(instance.address);
  if (!address.ok()) return address.status();
  if (address->is_unix() && reach == Reach::kNetwork) {
    return InvalidArgument("address '" + instance.address +
                           "': other machines cannot reach a Unix-domain socket; listen on TCP, or "
                           "announce it where only this machine looks (file://, list://)");
  }
  if (!address->can_be_called()) {
    return InvalidArgument("address '" + instance.address +
                           "': port 0 cannot be announced; announce the port that was bound");
  }
  if (instance.weight < kWeightUnset || instance.weight > kMaxWeight) {
    return InvalidArgument("weight " + std::to_string(instance.weight) + " of " + instance.address +
                           ": expected -1 (not set), 0 (draining) or 1 to " +
                           std::to_string(kMaxWeight));
  }
  std::size_t bytes = 0;
  for (const auto& [name, text] : instance.facts) {
    if (!IsPart(name, "-")) {
      return InvalidArgument("fact '" + Shown(name) + "' of " + instance.address +
                             ": a name is made of letters, digits, '_', '-' and '.'");
    }
    bytes += name.size() + text.size();
  }
  if (bytes > kMaxFactsBytes) {
    return InvalidArgument("the facts about " + instance.address + ": " + std::to_string(bytes) +
                           " bytes are above the limit of " + std::to_string(kMaxFactsBytes));
  }
  return {};
}

Status CheckDocumentPath(std::string_view path) {
  std::size_t parts = 0;
  for (std::string_view rest = path;; ++parts) {
    const auto slash = rest.find('/');
    if (!IsPart(rest.substr(0, slash), "-")) break;
    if (slash == std::string_view::npos) {
      if (parts >= 1) return {};
      break;
    }
    rest.remove_prefix(slash + 1);
  }
  return InvalidArgument("document '" + Shown(path) +
                         "': expected <tree>/<name>..., such as kv/main/members");
}

bool IsProviderName(std::string_view name, Reach reach) {
  const Result<Address> address = Address::Parse(name);
  return address.ok() && address->can_be_called() && address->ToString() == name &&
         (reach == Reach::kMachine || !address->is_unix());
}

std::int32_t AnnouncedWeight(std::int32_t weight) noexcept {
  return weight < kWeightUnset || weight > kMaxWeight ? kWeightUnset : weight;
}

std::optional<std::int32_t> ParseWeight(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) {
    text.remove_suffix(1);
  }
  std::int32_t weight = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), weight);
  const bool whole = !text.empty() && error == std::errc() && end == text.data() + text.size();
  if (!whole || weight < kWeightUnset || weight > kMaxWeight) return std::nullopt;
  return weight;
}

std::int32_t EffectiveWeight(std::string_view text) {
  const std::int32_t weight = ParseWeight(text).value_or(kWeightUnset);
  return weight == kWeightUnset ? kDefaultWeight : weight;
}

RegistryCounters Counters::Read() const {
  return {.ignored_names = ignored_names,
          .rejected_weights = rejected_weights,
          .sessions = sessions,
          .lost_sessions = lost_sessions,
          .disconnections = disconnections,
          .refusals = refusals,
          .takeovers = takeovers,
          .restorations = restorations};
}

NodeReader::NodeReader(std::string registry, std::string service, Reach reach, Counters& counters)
    : registry_(std::move(registry)),
      service_(std::move(service)),
      reach_(reach),
      counters_(counters) {}

bool NodeReader::IsProvider(std::string_view name) {
  if (IsProviderName(name, reach_)) return true;
  if (reported_.size() < kMaxReported && reported_.emplace(name).second) {
    ++counters_.ignored_names;
    LogWarning(registry_ + ": " + service_ + " has a node '" + Shown(name) +
               "' that is no host:port; ignored");
  }
  return false;
}

std::int32_t NodeReader::Weight(std::string_view name, std::string_view text) {
  if (ParseWeight(text)) return EffectiveWeight(text);
  if (reported_.size() < kMaxReported &&
      reported_.insert(std::string(name) + " " + Shown(text)).second) {
    ++counters_.rejected_weights;
    LogWarning(registry_ + ": weight '" + Shown(text) + "' of " + std::string(name) + " for " +
               service_ + " is no number from -1 to " + std::to_string(kMaxWeight) +
               "; counted as " + std::to_string(kDefaultWeight));
  }
  return kDefaultWeight;
}

void NodeReader::Refused(std::string_view name) {
  if (reported_.size() >= kMaxReported || !reported_.insert(std::string(name) + " refused").second)
    return;
  LogWarning(registry_ + ": not authorised to read the weight of " + std::string(name) + " for " +
             service_ + "; counted as " + std::to_string(kDefaultWeight) +
             ". Make the node readable for everybody");
}

}  // namespace weir::discovery
