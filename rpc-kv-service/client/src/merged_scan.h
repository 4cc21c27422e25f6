// MergedScan: a page of a scan over everybody who owns keys, merged in their order.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "client_core.h"
#include "weir/call_options.h"
#include "weir/kv/client.h"
#include "weir/kv/detail/completion.h"

namespace weir::kv {

// Asks all at once for a little more than their part of the page, and then delivers the keys up to
// where the first of them stopped.
class MergedScan : public std::enable_shared_from_this<MergedScan> {
 public:
  using Done = detail::Completion<Result<ScanPage>>;

  MergedScan(std::shared_ptr<ClientCore> core, ScanQuery query, Done done);
  void Start();

 private:
  CallOptions Options(const std::string& address) const;
  void OnPages();
  bool RetryIfStale();
  void Merge();
  // Gets the values that were too large for a page, one after the other, and then delivers.
  void FetchLarge();

  const std::shared_ptr<ClientCore> core_;
  const CallOptions::Clock::time_point deadline_;
  const ScanQuery query_;
  Done done_;
  std::vector<Destination> owners_;
  std::vector<Result<ScanReply>> pages_;  // in the order of owners_
  std::atomic<std::size_t> pending_{0};
  std::size_t retries_ = 0;
  ScanPage page_;
  std::vector<std::size_t> large_;  // positions in page_.entries still without their value
  std::vector<std::size_t> gone_;   // deleted before their value was fetched
};

}  // namespace weir::kv
