// Comments of a .proto, as lines of C++.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <vector>

namespace weir::codegen {

// The comment before and the comment behind a declaration, without their marks, one entry per
// line; a line of nothing between them. What would not stay inside a // comment, or would show
// otherwise than it is stored, is replaced.
std::vector<std::string> CommentLines(const google::protobuf::SourceLocation& location);

template <class Descriptor>
std::vector<std::string> CommentOf(const Descriptor& descriptor) {
  google::protobuf::SourceLocation location;
  if (!descriptor.GetSourceLocation(&location)) return {};
  return CommentLines(location);
}

}  // namespace weir::codegen
