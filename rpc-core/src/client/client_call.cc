#include "weir/detail/client_call.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "buffer/block.h"
#include "client/channel_core.h"
#include "client/route.h"
#include "runtime/reactor.h"
#include "runtime/timer_wheel.h"
#include "weir/load_balance.h"
#include "wire/frame_writer.h"

namespace weir::detail {
PreparedRequest::PreparedRequest(const Route& route, const MethodInfo& method_info,
                                 const google::protobuf::MessageLite& request,
                                 CallOptions call_options,
                                 std::optional<std::string_view> routing_key)
    : method(&method_info), options(std::move(call_options)) {
  ChannelCore& channel = route.channel();
  const ChannelOptions& limits = channel.options();
  const auto timeout = options.timeout().value_or(limits.timeout);
  deadline =
      CallOptions::Clock::now() + std::clamp(timeout, std::chrono::nanoseconds(0), kLongestTimeout);
  if (options.deadline_limit()) deadline = std::min(deadline, *options.deadline_limit());
  if (!channel.status().ok()) {
    status = channel.status();
    return;
  }
  const std::size_t bytes = request.ByteSizeLong();
  if (bytes > limits.max_message_bytes) {
    status = ResourceExhausted("the request of " + std::to_string(bytes) +
                               " bytes is above the message limit of " +
                               std::to_string(limits.max_message_bytes));
    return;
  }
  if (bytes <= wire::kCopyUpTo) {
    small = RecycledBytes(bytes);
    request.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(small.data()));
  } else {
    Ref<Block> block = Block::Allocate(bytes);
    request.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(block->data()));
    const std::string_view view(block->data(), bytes);
    large.Append(BufferSlice{std::move(block), view});
  }
  if (const auto* rare = options.rare(); rare != nullptr) {
    if (rare->key) routing_key = *rare->key;
    std::size_t metadata_bytes = 0;
    for (const auto& [name, value] : rare->metadata) {
      metadata_bytes += name.size() + value.size() + 32;
    }
    if (metadata_bytes > wire::kMaxMetadataBytes) {
      status = ResourceExhausted("the call's metadata is above 16 KiB");
    }
  }
  if (routing_key) {
    key = *routing_key;
    key_hash = HashKey(key);
    has_key = true;
  }
}

void ClientCall::Start(Route& route) noexcept {
  RuntimeCore& runtime = route.channel().runtime();
  if (Reactor* current = runtime.Current(); current != nullptr) {
    current->RefreshNowUnlessInTurn();
    shard = &route.shard(current->index());
    return shard->Start(*this);
  }
  Reactor& reactor = runtime.ForThisThread();
  shard = &route.shard(reactor.index());
  start_node.call = this;
  start_node.run = [](Task* task) noexcept {
    ClientCall& call = *static_cast<Node*>(task)->call;
    call.shard->Start(call);
  };
  reactor.Post(&start_node);
}

void ClientCall::Cancel() noexcept {
  if (cancel_posted.exchange(true, std::memory_order_relaxed)) return;
  AddRef();
  cancel_node.call = this;
  cancel_node.run = [](Task* task) noexcept {
    ClientCall& call = *static_cast<Node*>(task)->call;
    call.shard->Cancel(call);
    call.Release();
  };
  shard->reactor().Post(&cancel_node);
}

Status BlockingCall::Run(Route& route) {
  if (route.channel().runtime().RunsThisThread()) {
    return FailedPrecondition("a blocking call to " + std::string(request.method->full_name) +
                              " on a reactor thread would wait for itself; use a completion "
                              "token, or mark the method (weir.blocking)");
  }
  Start(route);
  ended_.Wait();
  return std::move(status_);
}

bool BlockingCall::ParseReply(std::string_view body) {
  return reply_.ParseFromArray(body.data(), static_cast<int>(body.size()));
}

void BlockingCall::Finished(Status status) {
  status_ = std::move(status);
  ended_.Set();
}

}  // namespace weir::detail
