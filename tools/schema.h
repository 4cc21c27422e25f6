// Schema: the services and messages that a user's .proto files or descriptor set define.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "weir/status.h"

namespace weir::tool {

// Where the definitions are. One of `protos` and `descriptor_set` must be given.
struct SchemaSource {
  std::vector<std::string> protos;       // .proto files, as paths or as in an import
  std::vector<std::string> proto_paths;  // where imports are looked for; beside the file, too
  std::string descriptor_set;            // as protoc --include_imports --descriptor_set_out writes
};

// A resource; what it gives lives as long as it does. Thread-safe once loaded.
class Schema {
 public:
  // INVALID_ARGUMENT names file and line of every mistake, and what to do about missing imports.
  // What google/protobuf/ holds, and weir/options.proto, need not be there.
  static Result<std::unique_ptr<Schema>> Load(const SchemaSource& source);
  ~Schema();

  // "greeter.Greeter/Hello". INVALID_ARGUMENT names the nearest, and what there is.
  Result<const google::protobuf::MethodDescriptor*> FindMethod(std::string_view text) const;
  std::unique_ptr<google::protobuf::Message> NewMessage(const google::protobuf::Descriptor&) const;

 private:
  struct Parts;
  explicit Schema(std::unique_ptr<Parts> parts);
  std::vector<std::string> Services() const;

  const std::unique_ptr<Parts> parts_;
};

}  // namespace weir::tool
