// weir weight and weir drain: other people's weights, changed and read back.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "catalog.h"
#include "commands.h"
#include "text.h"
#include "weir/address.h"

namespace weir::tool {
namespace {

constexpr std::chrono::milliseconds kReadAgain{20};

struct Change {
  std::string service;
  std::string address;
  ProviderEntry before;
  ProviderEntry after;
};

std::optional<std::int32_t> Number(const std::string& text) {
  std::int32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return number;
}

std::vector<std::string> Addresses(const std::vector<ProviderEntry>& entries) {
  std::vector<std::string> addresses;
  for (const ProviderEntry& entry : entries) addresses.push_back(entry.address);
  return addresses;
}

std::optional<ProviderEntry> Find(const std::vector<ProviderEntry>& entries,
                                  const std::string& address) {
  for (const ProviderEntry& entry : entries) {
    if (entry.address == address) return entry;
  }
  return std::nullopt;
}

// Writes the weight and reads until it stands there.
Result<Change> Apply(Catalog& catalog, const std::string& service, const ProviderEntry& before,
                     std::int32_t weight) {
  Change change{service, before.address, before, before};
  if (Status status = catalog.Reweigh(service, before.address, weight); !status.ok()) {
    return status;
  }
  const auto deadline = std::chrono::steady_clock::now() + catalog.timeout();
  const std::int32_t effective = weight == kWeightUnset ? kDefaultWeight : weight;
  while (true) {
    const auto entries = catalog.Providers(service);
    if (!entries.ok()) return entries.status();
    const auto entry = Find(*entries, before.address);
    if (entry) change.after = *entry;
    if (entry && entry->weight == effective && State(*entry) != "weight_rejected") return change;
    if (std::chrono::steady_clock::now() >= deadline) {
      return Aborted("the weight of " + before.address + " for " + service + " was written, but " +
                     (entry ? "reads " + WeightText(*entry) + ": somebody else changes it, too"
                            : "the provider has left meanwhile"));
    }
    std::this_thread::sleep_for(kReadAgain);
  }
}

void Print(const std::vector<Change>& changes, bool json) {
  Json rows = Json::array();
  for (const Change& change : changes) {
    if (json) {
      rows.push_back({{"service", change.service},
                      {"address", change.address},
                      {"old_weight", change.before.weight},
                      {"new_weight", change.after.weight}});
    } else {
      std::printf("%s at %s: weight %s -> %s\n", change.service.c_str(), change.address.c_str(),
                  WeightText(change.before).c_str(), WeightText(change.after).c_str());
    }
  }
  if (json) std::fputs(JsonText(rows).c_str(), stdout);
}

}  // namespace

int ChangeWeight(const Request& request) {
  if (request.words.size() != 3) {
    return FailUsage("weight takes SERVICE ADDRESS N; see weir weight --help");
  }
  const std::string& service = request.words[0];
  const std::optional<std::int32_t> weight = Number(request.words[2]);
  if (!weight || *weight < kWeightUnset || *weight > kMaxWeight) {
    return FailUsage("weight '" + Printable(request.words[2]) + "': expected 1 to " +
                     std::to_string(kMaxWeight) + ", 0 to drain, or -1 for the default");
  }
  const Result<Address> address = Address::Parse(request.words[1]);
  if (!address.ok()) return Fail(address.status());
  const auto catalog = Catalog::Open(request.registry, request.timeout);
  if (!catalog.ok()) return Fail(catalog.status());
  const auto entries = (*catalog)->Providers(service);
  if (!entries.ok()) return Fail(entries.status());
  const auto entry = Find(*entries, address->ToString());
  if (!entry) {
    if (entries->empty()) {
      if (const Status known = (*catalog)->CheckKnown(service); !known.ok()) return Fail(known);
    }
    return Fail(NotFound("no provider of " + service + " is registered at " + address->ToString() +
                         " in " + (*catalog)->name() +
                         "; registered: " + Some(Addresses(*entries))));
  }
  Result<Change> change = Apply(**catalog, service, *entry, *weight);
  if (!change.ok()) return Fail(change.status());
  Print({*std::move(change)}, request.json);
  return kOk;
}

int Drain(const Request& request) {
  if (request.words.size() != 1) return FailUsage("drain takes ADDRESS; see weir drain --help");
  const Result<Address> address = Address::Parse(request.words[0]);
  if (!address.ok()) return Fail(address.status());
  const auto catalog = Catalog::Open(request.registry, request.timeout);
  if (!catalog.ok()) return Fail(catalog.status());
  const auto services = (*catalog)->Services();
  if (!services.ok()) return Fail(services.status());
  std::vector<Change> changes;
  std::set<std::string> known;
  int exit_code = kOk;
  for (const std::string& service : *services) {
    const auto entries = (*catalog)->Providers(service);
    if (!entries.ok()) {
      exit_code = Fail(entries.status());
      continue;
    }
    for (std::string& one : Addresses(*entries)) known.insert(std::move(one));
    const auto entry = Find(*entries, address->ToString());
    if (!entry) continue;
    Result<Change> change = Apply(**catalog, service, *entry, 0);
    if (change.ok()) {
      changes.push_back(*std::move(change));
    } else {
      exit_code = Fail(change.status());
    }
  }
  Print(changes, request.json);
  if (!changes.empty() || exit_code != kOk) return exit_code;
  return Fail(
      NotFound(address->ToString() + " is registered nowhere in " + (*catalog)->name() +
               "; registered: " + Some(std::vector<std::string>(known.begin(), known.end()))));
}

}  // namespace weir::tool
