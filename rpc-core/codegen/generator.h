// protoc-gen-weir: from foo.proto it makes foo.weir.h.
//
//   protoc -I. --cpp_out=out --weir_out=out foo.proto
//
// names.h      what things are called in C++
// checks.h     what is refused, and problems.h how it is said
// comments.h   what the .proto says about itself
// header_writer.h, service_writer.h   the text
#pragma once

#include <google/protobuf/compiler/code_generator.h>

#include <string>
#include <vector>

namespace weir::codegen {

class Generator final : public google::protobuf::compiler::CodeGenerator {
 public:
  uint64_t GetSupportedFeatures() const override { return FEATURE_PROTO3_OPTIONAL; }

  bool Generate(const google::protobuf::FileDescriptor* file, const std::string& parameter,
                google::protobuf::compiler::GeneratorContext* context,
                std::string* error) const override;
  // All files or none, and the problems of all in `error`, each on its line.
  bool GenerateAll(const std::vector<const google::protobuf::FileDescriptor*>& files,
                   const std::string& parameter,
                   google::protobuf::compiler::GeneratorContext* context,
                   std::string* error) const override;
};

}  // namespace weir::codegen
