// What generated stubs are made of: one call, blocking or with any Asio completion token.
#pragma once

#include <google/protobuf/message_lite.h>

#include <asio/async_result.hpp>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "weir/call_options.h"
#include "weir/channel.h"
#include "weir/detail/client_call.h"
#include "weir/method.h"
#include "weir/status.h"

namespace weir {

// Base of every generated Stub. A value: cheap to copy, thread-safe, keeps the channel's core
// alive.
class StubBase {
 protected:
  StubBase(const Channel& channel, const ServiceInfo& service);

  // Blocks the calling thread, which must not be a reactor of the channel's runtime
  // (FAILED_PRECONDITION). `key` is the value of the field marked (weir.hash_key), if there is one.
  template <class Reply>
  Result<Reply> Call(const MethodInfo& method, const google::protobuf::MessageLite& request,
                     CallOptions options, std::optional<std::string_view> key = {}) const {
    Result<Reply> result = Reply();
    Status status = CallInto(method, request, *result, std::move(options), key);
    if (!status.ok()) result = std::move(status);
    return result;
  }
  // The same, with a reply that is there already.
  Status CallInto(const MethodInfo& method, const google::protobuf::MessageLite& request,
                  google::protobuf::MessageLite& reply, CallOptions options,
                  std::optional<std::string_view> key = {}) const {
    return detail::BlockingCall({*route_, method, request, std::move(options), key}, reply)
        .Run(*route_);
  }

  // Completes `token` with void(Result<Reply>), on the executor associated with it or, if there is
  // none, on a reactor. The request is serialised before this returns and need not live longer.
  // Per-operation cancellation cancels the call, at the provider too.
  template <class Reply, class CompletionToken>
  auto Call(const MethodInfo& method, const google::protobuf::MessageLite& request,
            CallOptions options, std::optional<std::string_view> key,
            CompletionToken&& token) const {
    detail::PreparedRequest prepared(*route_, method, request, std::move(options), key);
    return asio::async_initiate<CompletionToken, void(Result<Reply>)>(
        detail::StartCall<Reply>{}, token, std::move(prepared), route_);
  }

 private:
  std::shared_ptr<detail::Route> route_;
};

}  // namespace weir
