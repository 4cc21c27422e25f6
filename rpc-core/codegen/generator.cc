#include "generator.h"

#include <google/protobuf/io/printer.h>
#include <google/protobuf/io/zero_copy_stream.h>

#include <memory>

#include "checks.h"
#include "header_writer.h"
#include "problems.h"

namespace weir::codegen {

bool Generator::Generate(const google::protobuf::FileDescriptor* file, const std::string& parameter,
                         google::protobuf::compiler::GeneratorContext* context,
                         std::string* error) const {
  return GenerateAll({file}, parameter, context, error);
}

bool Generator::GenerateAll(const std::vector<const google::protobuf::FileDescriptor*>& files,
                            const std::string& parameter,
                            google::protobuf::compiler::GeneratorContext* context,
                            std::string* error) const {
  if (!parameter.empty()) {
    *error = "unknown parameter \"" + parameter + "\": --weir_out takes only a folder";
    return false;
  }
  Problems problems;
  for (const auto* file : files) Check(*file, problems);
  if (!problems.empty()) {
    *error = problems.Text();
    return false;
  }
  for (const auto* file : files) {
    const std::string name = google::protobuf::compiler::StripProto(file->name()) + ".weir.h";
    const std::unique_ptr<google::protobuf::io::ZeroCopyOutputStream> stream(context->Open(name));
    google::protobuf::io::Printer printer(stream.get(), '$');
    WriteHeader(*file, printer);
  }
  return true;
}

}  // namespace weir::codegen
