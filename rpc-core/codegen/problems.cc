#include "problems.h"

#include <algorithm>
#include <utility>

namespace weir::codegen {

void Problems::AddAt(const google::protobuf::FileDescriptor& file, const std::vector<int>& path,
                     const std::string& message) {
  google::protobuf::SourceLocation location;
  Add(file, file.GetSourceLocation(path, &location) ? &location : nullptr, message);
}

void Problems::Add(const google::protobuf::FileDescriptor& file,
                   const google::protobuf::SourceLocation* location, const std::string& message) {
  std::string line = file.name();
  if (location != nullptr) {
    // Counted from 0 there, from 1 in every editor.
    line += ":" + std::to_string(location->start_line + 1) + ":" +
            std::to_string(location->start_column + 1);
  }
  line += ": " + message;
  // A request message used by several methods is looked at several times.
  if (std::find(lines_.begin(), lines_.end(), line) == lines_.end()) {
    lines_.push_back(std::move(line));
  }
}

std::string Problems::Text() const {
  std::string text;
  for (const std::string& line : lines_) {
    if (!text.empty()) text += "\n";
    text += line;
  }
  return text;
}

}  // namespace weir::codegen
