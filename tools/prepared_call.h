// What `weir call` and `weir bench` have in common: a target, a method by its name, a message.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schema.h"
#include "weir/call_options.h"
#include "weir/channel.h"
#include "weir/generic_stub.h"

namespace weir::tool {

// What the command line says.
struct CallRequest {
  std::string registry;            // by --registry or WEIR_REGISTRY; may hold a password
  std::vector<std::string> words;  // [TARGET] SERVICE/METHOD [MESSAGE]
  SchemaSource schema;
  std::vector<std::string> metadata;  // "NAME=VALUE"
  std::optional<std::string> key;
  std::string provider;
  std::string load_balance = "round_robin";
  std::chrono::nanoseconds timeout = std::chrono::seconds(5);
};

// Everything a call needs but the channel. Movable; what its parts refer to lives as long as it.
struct PreparedCall {
  std::string url;     // for Channel; may hold a password
  std::string target;  // the same, fit to be shown
  std::unique_ptr<Schema> schema;
  const google::protobuf::MethodDescriptor* method = nullptr;
  std::unique_ptr<DescribedService> service;
  std::unique_ptr<google::protobuf::Message> message;
  std::optional<std::string> key;  // for strategies that route by key
  CallOptions options;

  const MethodInfo& info() const { return service->method(*method); }
  std::unique_ptr<google::protobuf::Message> NewReply() const {
    return schema->NewMessage(*method->output_type());
  }
};

// INVALID_ARGUMENT names the mistake and what there is instead.
Result<PreparedCall> Prepare(CallRequest request);

// The message as JSON says it; INVALID_ARGUMENT names the position or the field.
Status MessageFromJson(const std::string& json, google::protobuf::Message& message);
// Fields by the names they have in the .proto; ends with a line feed.
Result<std::string> JsonFromMessage(const google::protobuf::Message& message);

}  // namespace weir::tool
