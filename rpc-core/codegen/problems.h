// What is wrong with a .proto, said so that its author can put it right.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <vector>

namespace weir::codegen {

// Problems found, in order. Each is one line: "file.proto:line:column: message".
class Problems {
 public:
  // `where` is a descriptor of anything that stands in a file.
  template <class Descriptor>
  void Add(const Descriptor& where, const std::string& message) {
    google::protobuf::SourceLocation location;
    Add(*where.file(), where.GetSourceLocation(&location) ? &location : nullptr, message);
  }
  // `path` leads to a place in the file, as in SourceCodeInfo.Location.
  void AddAt(const google::protobuf::FileDescriptor& file, const std::vector<int>& path,
             const std::string& message);

  bool empty() const noexcept { return lines_.empty(); }
  // The lines, each once.
  std::string Text() const;

 private:
  void Add(const google::protobuf::FileDescriptor& file,
           const google::protobuf::SourceLocation* location, const std::string& message);

  std::vector<std::string> lines_;
};

}  // namespace weir::codegen
