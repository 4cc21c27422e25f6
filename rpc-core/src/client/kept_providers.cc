#include "client/kept_providers.h"

#include <algorithm>
#include <utility>

namespace weir::detail {

ProviderList KeptProviders::Update(const ProviderList& announced, Clock::time_point now) {
  if (announced_) {
    // What was shown until now was seen until now.
    for (const Provider& provider : *announced_) seen_[provider.address].last = now;
  }
  returned_.clear();
  for (const Provider& provider : *announced) {
    seen_[provider.address] = {provider, now};
    if (kept_.erase(provider.address) > 0) returned_.push_back(provider.address);
  }
  std::erase_if(seen_, [&](const auto& entry) { return now - entry.second.last > kMemory; });
  announced_ = announced;
  const bool shrunk = announced->size() * 2 < seen_.size();
  if (limit_.count() > 0 && (shrunk || !kept_.empty())) {
    const auto shown = [&](const std::string& address) {
      return std::binary_search(
          announced->begin(), announced->end(), Provider{address},
          [](const Provider& a, const Provider& b) { return a.address < b.address; });
    };
    for (const auto& [address, seen] : seen_) {
      if (!shown(address)) kept_.try_emplace(address, Kept{seen.provider, now, false});
    }
  }
  Merge();
  return list_;
}

bool KeptProviders::Review(const EvidenceOf& evidence, Clock::time_point now) {
  bool changed = false;
  for (auto at = kept_.begin(); at != kept_.end();) {
    auto& [address, kept] = *at;
    const LiveLinks::Evidence found = evidence(address);
    if (found.connected && found.heard > kept.since) kept.proven = true;
    const bool answers = kept.proven ? found.connected : now - kept.since < kProof;
    if (answers && now - kept.since < limit_) {
      ++at;
      continue;
    }
    // Not to be taken for missing once more.
    seen_.erase(address);
    at = kept_.erase(at);
    changed = true;
  }
  if (changed) Merge();
  return changed;
}

void KeptProviders::Merge() {
  if (kept_.empty()) {
    list_ = announced_;
    return;
  }
  auto merged = std::make_shared<std::vector<Provider>>(*announced_);
  for (const auto& [address, kept] : kept_) merged->push_back(kept.provider);
  std::sort(merged->begin(), merged->end(),
            [](const Provider& a, const Provider& b) { return a.address < b.address; });
  list_ = std::move(merged);
}

std::vector<std::string> KeptProviders::addresses() const {
  std::vector<std::string> all;
  for (const auto& [address, kept] : kept_) all.push_back(address);
  return all;
}

std::size_t KeptProviders::proven() const noexcept {
  return static_cast<std::size_t>(
      std::count_if(kept_.begin(), kept_.end(), [](const auto& one) { return one.second.proven; }));
}

}  // namespace weir::detail
