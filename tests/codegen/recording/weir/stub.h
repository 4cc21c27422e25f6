// Stands for weir/stub.h: notes what a generated stub asks for, and answers with an empty reply.
#pragma once

#include <google/protobuf/message_lite.h>

#include <optional>
#include <string>
#include <string_view>

#include "weir/method.h"
#include "weir/status.h"

namespace weir {

class Channel {};
class CallOptions {};

// The latest call of any stub.
struct RecordedCall {
  std::string method;
  std::optional<std::string> key;
};
inline RecordedCall recorded_call;

class StubBase {
 protected:
  StubBase(const Channel&, const ServiceInfo&) {}

  template <class Reply>
  Result<Reply> Call(const MethodInfo& method, const google::protobuf::MessageLite&, CallOptions,
                     std::optional<std::string_view> key = {}) const {
    recorded_call = {std::string(method.full_name), std::nullopt};
    if (key) recorded_call.key = *key;
    return Reply();
  }
  template <class Reply, class CompletionToken>
  auto Call(const MethodInfo& method, const google::protobuf::MessageLite& request,
            CallOptions options, std::optional<std::string_view> key,
            CompletionToken&& token) const {
    token(Call<Reply>(method, request, options, key));
  }
};

}  // namespace weir
