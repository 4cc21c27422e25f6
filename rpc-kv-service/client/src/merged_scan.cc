#include "merged_scan.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "weir/kv/limits.h"
#include "weir/kv/refusal.h"

namespace weir::kv {

MergedScan::MergedScan(std::shared_ptr<ClientCore> core, ScanQuery query, Done done)
    : core_(std::move(core)),
      deadline_(CallOptions::Clock::now() + core_->timeout()),
      query_(std::move(query)),
      done_(std::move(done)) {}

CallOptions MergedScan::Options(const std::string& address) const {
  return CallOptions().WithProvider(address).WithTimeout(deadline_ - CallOptions::Clock::now());
}

void MergedScan::Start() {
  auto owners = core_->All();
  if (!owners.ok()) return done_(std::move(owners).status());
  owners_ = *std::move(owners);
  const std::uint32_t limit = std::clamp(query_.limit, 1u, kMaxPageKeys);
  const auto count = static_cast<std::uint32_t>(owners_.size());
  ScanRequest request;
  request.set_start(query_.start);
  request.set_end(query_.end);
  request.set_prefix(query_.prefix);
  request.set_keys_only(query_.keys_only);
  request.set_limit(count == 1 ? limit : std::min(limit, limit / count + limit / count / 4 + 8));
  pages_.assign(count, Result<ScanReply>());
  pending_.store(count, std::memory_order_relaxed);
  for (std::size_t i = 0; i < count; ++i) {
    request.set_epoch(owners_[i].epoch);
    core_->stub().Scan(request, Options(owners_[i].address),
                       [self = shared_from_this(), i](Result<ScanReply> page) {
                         self->pages_[i] = std::move(page);
                         if (self->pending_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
                           self->OnPages();
                         }
                       });
  }
}

bool MergedScan::RetryIfStale() {
  const bool stale = std::any_of(pages_.begin(), pages_.end(), [](const auto& page) {
    return !page.ok() && IsStale(page.status());
  });
  if (!stale || retries_ >= std::size(kRetryDelays)) return false;
  core_->retries().Add(kRetryDelays[retries_++], [self = shared_from_this()](Status status) {
    if (!status.ok()) return self->done_(std::move(status));
    self->Start();
  });
  return true;
}

void MergedScan::OnPages() {
  if (RetryIfStale()) return;
  for (std::size_t i = 0; i < pages_.size(); ++i) {
    if (pages_[i].ok()) continue;
    return done_(ExplainFailure(pages_[i].status(), "a part of the keys", owners_[i].address));
  }
  Merge();
  FetchLarge();
}

void MergedScan::Merge() {
  // Beyond the first key that somebody has not delivered yet, the others' keys have to wait.
  for (const auto& page : pages_) {
    if (page->more() && (!page_.more || page->next() < page_.next)) {
      page_.more = true;
      page_.next = page->next();
    }
  }
  std::vector<ScanEntry*> entries;
  for (auto& page : pages_) {
    for (ScanEntry& entry : *page->mutable_entries()) {
      if (!page_.more || entry.key() < page_.next) entries.push_back(&entry);
    }
  }
  std::sort(entries.begin(), entries.end(),
            [](const ScanEntry* a, const ScanEntry* b) { return a->key() < b->key(); });
  const std::size_t limit = std::clamp(query_.limit, 1u, kMaxPageKeys);
  if (entries.size() > limit) {
    page_.more = true;
    page_.next = entries[limit]->key();
    entries.resize(limit);
  }
  for (ScanEntry* entry : entries) {
    if (entry->large()) large_.push_back(page_.entries.size());
    page_.entries.push_back({std::move(*entry->mutable_key()), std::move(*entry->mutable_value())});
  }
  pages_.clear();
}

void MergedScan::FetchLarge() {
  if (large_.empty()) {
    for (const std::size_t i : gone_) {  // from the last to the first
      page_.entries.erase(page_.entries.begin() + static_cast<std::ptrdiff_t>(i));
    }
    return done_(std::move(page_));
  }
  const std::size_t i = large_.back();
  large_.pop_back();
  GetRequest request;
  request.set_key(page_.entries[i].key);
  detail::StartCall(core_, std::move(request),
                    detail::Completion<Result<std::string>>(
                        [self = shared_from_this(), i](Result<std::string> value) {
                          if (value.ok()) {
                            self->page_.entries[i].value = *std::move(value);
                          } else if (value.status().code() == StatusCode::kNotFound) {
                            self->gone_.push_back(i);
                          } else {
                            return self->done_(std::move(value).status());
                          }
                          self->FetchLarge();
                        }));
}

}  // namespace weir::kv
