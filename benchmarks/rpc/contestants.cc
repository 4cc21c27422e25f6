// The list of contestants.
#include "rpc/contestant.h"

namespace weir::bench {
namespace {

// From here on what counts is bytes per second.
constexpr std::size_t kLarge = 64u << 10;

bool Always(const Workload&) {
  return true;
}
bool WithLargePayloads(const Workload& workload) {
  return workload.payload_bytes >= kLarge;
}
bool OneAtATime(const Workload& workload) {
  return workload.connections * workload.in_flight == 1;
}

}  // namespace

const std::vector<Entry>& Entries() {
  static const std::vector<Entry> entries = {
      {"bare_epoll", MakeBareEpoll, "", Always, true},
      {"bare_asio", MakeBareAsio, "", Always, true},
      {"weir", MakeWeir, "", Always, true},
      {"weir_attachment", MakeWeirAttachment, "", WithLargePayloads, false},
      {"weir_blocking", MakeWeirBlocking, "", OneAtATime, false},
      {"grpc", MakeGrpc, WEIR_BENCH_GRPC_ABSENT, Always, true},
      {"thrift", MakeThrift, WEIR_BENCH_THRIFT_ABSENT, Always, true},
  };
  return entries;
}

}  // namespace weir::bench
