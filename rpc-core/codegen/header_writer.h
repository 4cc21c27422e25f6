// Writes foo.weir.h: the C++ of a .proto's services.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/printer.h>

namespace weir::codegen {

// `file` must have passed Check.
void WriteHeader(const google::protobuf::FileDescriptor& file,
                 google::protobuf::io::Printer& printer);

}  // namespace weir::codegen
