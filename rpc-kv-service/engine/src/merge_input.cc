#include "merge_input.h"

#include <algorithm>

namespace weir::kv {

MergeInput::MergeInput(std::vector<std::unique_ptr<KeyRun>> runs) : runs_(std::move(runs)) {
  for (std::size_t run = 0; run < runs_.size(); ++run) Advance(run);
}

bool MergeInput::Behind(std::size_t a, std::size_t b) const noexcept {
  return runs_[a]->entry().key > runs_[b]->entry().key;
}

void MergeInput::Advance(std::size_t run) {
  if (!runs_[run]->Next()) {
    if (!runs_[run]->status().ok() && status_.ok()) {
      status_ = runs_[run]->status();
      failed_run_ = run;
    }
    return;
  }
  heap_.push_back(run);
  std::push_heap(heap_.begin(), heap_.end(),
                 [this](std::size_t a, std::size_t b) { return Behind(a, b); });
}

bool MergeInput::Next() {
  const auto behind = [this](std::size_t a, std::size_t b) { return Behind(a, b); };
  for (const Found& found : found_) Advance(found.run);
  found_.clear();
  if (!status_.ok()) return false;
  while (!heap_.empty()) {
    const std::size_t run = heap_.front();
    if (!found_.empty() && runs_[run]->entry().key != key()) break;
    std::pop_heap(heap_.begin(), heap_.end(), behind);
    heap_.pop_back();
    found_.push_back({&runs_[run]->entry(), run});
  }
  // One commit lies in one segment, so no two runs have the same seq of a key.
  std::sort(found_.begin(), found_.end(),
            [](const Found& a, const Found& b) { return a.entry->seq > b.entry->seq; });
  return !found_.empty();
}

}  // namespace weir::kv
