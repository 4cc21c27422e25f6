#include "header_writer.h"

#include <google/protobuf/compiler/cpp/names.h>

#include <string>

#include "checks.h"
#include "comments.h"
#include "names.h"
#include "service_writer.h"

namespace weir::codegen {
namespace {

bool NeedsDecimalText(const google::protobuf::FileDescriptor& file) {
  for (int i = 0; i < file.service_count(); ++i) {
    for (int j = 0; j < file.service(i)->method_count(); ++j) {
      const auto* key = HashKeyOf(*file.service(i)->method(j)->input_type());
      if (key != nullptr && IsIntegerKey(*key)) return true;
    }
  }
  return false;
}

}  // namespace

void WriteHeader(const google::protobuf::FileDescriptor& file,
                 google::protobuf::io::Printer& printer) {
  printer.Print(
      "// Made by protoc-gen-weir from $proto$; changes are lost when it is made again.\n"
      "#pragma once\n\n",
      "proto", file.name());
  if (file.service_count() > 0) {
    printer.Print(
        "#include <optional>\n"
        "#include <span>\n"
        "#include <string_view>\n"
        "#include <utility>\n\n");
  }
  printer.Print("#include \"$stem$.pb.h\"\n", "stem",
                google::protobuf::compiler::cpp::StripProto(file.name()));
  if (file.service_count() == 0) return;
  if (NeedsDecimalText(file)) printer.Print("#include \"weir/detail/hash_key.h\"\n");
  printer.Print("#include \"weir/service.h\"\n#include \"weir/stub.h\"\n");

  const std::string name_space = NamespaceOf(file);
  if (!name_space.empty()) printer.Print("\nnamespace $name$ {\n", "name", name_space);
  for (int i = 0; i < file.service_count(); ++i) {
    printer.Print("\n");
    WriteService(*file.service(i), printer);
  }
  if (!name_space.empty()) printer.Print("\n}  // namespace $name$\n", "name", name_space);
}

}  // namespace weir::codegen
