// What a merge reads: the records of several segments in one order of keys.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "key_run.h"
#include "weir/status.h"

namespace weir::kv {

// One thread. Goes through all keys of some runs in ascending order.
class MergeInput {
 public:
  struct Found {
    const RunEntry* entry;  // until Next
    std::size_t run;        // which of the runs it is from
  };

  explicit MergeInput(std::vector<std::unique_ptr<KeyRun>> runs);

  // Goes to the next key. False: there is none, or a run has failed: see status().
  bool Next();
  const Status& status() const noexcept { return status_; }
  std::size_t failed_run() const noexcept { return failed_run_; }  // if status() is not OK
  std::string_view key() const noexcept { return found_.front().entry->key; }
  // The current key's newest record of each run that knows it; the newest of all first.
  std::span<const Found> found() const noexcept { return found_; }

 private:
  bool Behind(std::size_t a, std::size_t b) const noexcept;
  void Advance(std::size_t run);

  std::vector<std::unique_ptr<KeyRun>> runs_;
  std::vector<std::size_t> heap_;  // of runs that have an entry; the lowest key at the front
  std::vector<Found> found_;
  Status status_;
  std::size_t failed_run_ = 0;
};

}  // namespace weir::kv
