#include "prepared_call.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <utility>

#include "catalog.h"
#include "text.h"
#include "weir/options.pb.h"
#include "weir/registry.h"

namespace weir::tool {
namespace {

namespace pb = google::protobuf;

// A target has a scheme, a port or a path of a socket; a method has none of their colons.
bool IsTarget(const std::string& word) {
  return word.find(':') != std::string::npos;
}

Status TakeTarget(CallRequest& request, PreparedCall& call) {
  std::vector<std::string>& words = request.words;
  call.url = request.registry;
  if (!words.empty() && IsTarget(words.front())) {
    call.url = words.front();
    words.erase(words.begin());
  }
  if (call.url.empty()) {
    return InvalidArgument(
        "TARGET is missing: name it first (host:port, zk://host:2181/rpc, file:///directory), "
        "with --registry, or in WEIR_REGISTRY");
  }
  if (call.url.find("://") == std::string::npos) call.url = "list://" + call.url;
  if (Status status = CheckRegistryUrl(call.url); !status.ok()) return status;
  call.target = RegistryUrl::Parse(call.url)->text;
  return {};
}

Result<std::string> ReadMessage(const std::string& word) {
  std::string text = word;
  if (word == "-") {
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
  } else if (!word.empty() && word.front() == '@') {
    std::ifstream file(word.substr(1), std::ios::binary);
    if (!file) return InvalidArgument("message " + word + ": the file cannot be read");
    text.assign(std::istreambuf_iterator<char>(file), {});
  }
  return text;
}

Status AddMetadata(const std::vector<std::string>& pairs, CallOptions& options) {
  for (const std::string& pair : pairs) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      return InvalidArgument("--metadata '" + Printable(pair) + "': expected NAME=VALUE");
    }
    static_cast<void>(
        std::move(options).WithMetadata(pair.substr(0, equals), pair.substr(equals + 1)));
  }
  return {};
}

// The text of the field marked (weir.hash_key), as generated stubs make it.
std::optional<std::string> KeyOf(const pb::Message& message) {
  const pb::Descriptor& type = *message.GetDescriptor();
  const pb::Reflection& values = *message.GetReflection();
  for (int i = 0; i < type.field_count(); ++i) {
    const pb::FieldDescriptor* const field = type.field(i);
    if (!field->options().GetExtension(weir::hash_key) || field->is_repeated()) continue;
    switch (field->cpp_type()) {
      case pb::FieldDescriptor::CPPTYPE_STRING:
        return values.GetString(message, field);
      case pb::FieldDescriptor::CPPTYPE_INT32:
        return std::to_string(values.GetInt32(message, field));
      case pb::FieldDescriptor::CPPTYPE_INT64:
        return std::to_string(values.GetInt64(message, field));
      case pb::FieldDescriptor::CPPTYPE_UINT32:
        return std::to_string(values.GetUInt32(message, field));
      case pb::FieldDescriptor::CPPTYPE_UINT64:
        return std::to_string(values.GetUInt64(message, field));
      default:
        break;
    }
  }
  return std::nullopt;
}

std::vector<std::string> FieldNames(const pb::Descriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->name());
  return names;
}

}  // namespace

Status MessageFromJson(const std::string& json, pb::Message& message) {
  const std::string& type = message.GetDescriptor()->full_name();
  // Protobuf's own errors do not say where; for what is no JSON at all this parser does.
  try {
    [[maybe_unused]] const auto parsed = nlohmann::json::parse(json);
  } catch (const nlohmann::json::parse_error& error) {
    std::string what = error.what();  // "[json.exception.parse_error.101] parse error at line..."
    if (const auto end = what.find("] "); end != std::string::npos) what.erase(0, end + 2);
    return InvalidArgument("the message is no JSON: " + Printable(what));
  }
  const auto status = pb::util::JsonStringToMessage(json, &message);
  if (!status.ok()) {
    return InvalidArgument("the message is no " + type + ": " +
                           Printable(status.message().ToString()) +
                           "; its fields: " + Some(FieldNames(*message.GetDescriptor()), 20));
  }
  if (!message.IsInitialized()) {
    return InvalidArgument("the message is no whole " + type + ": missing " +
                           message.InitializationErrorString());
  }
  return {};
}

Result<std::string> JsonFromMessage(const pb::Message& message) {
  pb::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto status = pb::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) {
    return Internal("the reply cannot be written as JSON: " + status.message().ToString());
  }
  if (json.empty() || json.back() != '\n') json += '\n';
  return json;
}

Result<PreparedCall> Prepare(CallRequest request) {
  PreparedCall call;
  if (Status status = TakeTarget(request, call); !status.ok()) return status;
  const std::vector<std::string>& words = request.words;
  if (words.empty()) {
    return InvalidArgument(
        "SERVICE/METHOD is missing behind the target, as in greeter.Greeter/Hello");
  }
  if (words.size() > 2) {
    return InvalidArgument("'" + Printable(words[2]) +
                           "' is one word too many; in a shell, put the message between quotes");
  }
  Result<std::unique_ptr<Schema>> schema = Schema::Load(request.schema);
  if (!schema.ok()) return schema.status();
  call.schema = *std::move(schema);
  const auto method = call.schema->FindMethod(words[0]);
  if (!method.ok()) return method.status();
  call.method = *method;
  call.service = std::make_unique<DescribedService>(*call.method->service());
  const Result<std::string> json = ReadMessage(words.size() > 1 ? words[1] : "{}");
  if (!json.ok()) return json.status();
  call.message = call.schema->NewMessage(*call.method->input_type());
  if (Status status = MessageFromJson(*json, *call.message); !status.ok()) return status;
  call.key = request.key ? std::move(request.key) : KeyOf(*call.message);
  call.options = CallOptions().WithTimeout(request.timeout);
  if (!request.provider.empty()) {
    call.options = std::move(call.options).WithProvider(request.provider);
  }
  if (Status status = AddMetadata(request.metadata, call.options); !status.ok()) return status;
  return call;
}

}  // namespace weir::tool
