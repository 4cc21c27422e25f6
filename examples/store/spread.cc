#include "spread.h"

#include <atomic>
#include <cstdio>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "weir/channel.h"
#include "weir/kv/kv.weir.h"
#include "weir/load_balance.h"

namespace {

using weir::kv::Kv;
using weir::kv::PingReply;
using weir::kv::PingRequest;

constexpr int kAtOnce = 32;

// How many of `calls` calls each provider served.
class Spread {
 public:
  Spread(Kv::Stub stub, int calls) : stub_(std::move(stub)), left_(calls) {}

  weir::Status Run() {
    std::future<void> done = done_.get_future();
    for (int i = 0; i < kAtOnce; ++i) Next();
    done.wait();
    return failure_;
  }
  const std::map<std::string, int>& served() const { return served_; }

 private:
  // Runs on the channel's reactor once it is going; each answer starts the next call.
  void Next() {
    const int number = left_.fetch_sub(1);
    if (number <= 0) {
      if (++idle_ == kAtOnce) done_.set_value();
      return;
    }
    PingRequest request;
    request.set_key("key " + std::to_string(number));
    stub_.Ping(request, {}, [this](const weir::Result<PingReply>& reply) {
      {
        const std::lock_guard lock(mutex_);
        if (reply.ok()) {
          ++served_[reply->address()];
        } else {
          failure_ = reply.status();
        }
      }
      Next();
    });
  }

  Kv::Stub stub_;
  std::atomic<int> left_;
  std::atomic<int> idle_{0};
  std::promise<void> done_;
  std::mutex mutex_;
  std::map<std::string, int> served_;
  weir::Status failure_;
};

}  // namespace

weir::Status PrintSpread(const std::string& registry, int calls) {
  std::vector<std::string> providers;
  for (const std::string& name : weir::LoadBalances().Names()) {
    weir::Channel channel(registry, {.load_balance = name});
    if (weir::Status status =
            channel.WaitForProviders(Kv::kInfo.full_name, std::chrono::seconds(10));
        !status.ok()) {
      return status;
    }
    Spread spread(Kv::Stub(channel), calls);
    if (weir::Status status = spread.Run(); !status.ok()) return status;
    if (providers.empty()) {
      std::printf("  %-18s", "strategy");
      for (const auto& [address, count] : spread.served()) {
        providers.push_back(address);
        std::printf("%18s", address.c_str());
      }
      std::printf("\n");
    }
    std::printf("  %-18s", name.c_str());
    for (const std::string& address : providers) {
      const auto found = spread.served().find(address);
      std::printf("%18d", found == spread.served().end() ? 0 : found->second);
    }
    std::printf("\n");
    std::fflush(stdout);
  }
  return {};
}
