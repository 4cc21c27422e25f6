// What weir refuses in a .proto.
#pragma once

#include <google/protobuf/descriptor.h>

#include "problems.h"

namespace weir::codegen {

// The field marked (weir.hash_key), or null. If several are, the first.
const google::protobuf::FieldDescriptor* HashKeyOf(const google::protobuf::Descriptor& message);

// Adds everything in `file` that code cannot be generated for.
void Check(const google::protobuf::FileDescriptor& file, Problems& problems);

}  // namespace weir::codegen
