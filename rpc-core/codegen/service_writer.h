// Writes the class of one service.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/printer.h>

namespace weir::codegen {

// Is the field, a hash key, sent as the decimal text of its value?
bool IsIntegerKey(const google::protobuf::FieldDescriptor& field);

void WriteService(const google::protobuf::ServiceDescriptor& service,
                  google::protobuf::io::Printer& printer);

}  // namespace weir::codegen
