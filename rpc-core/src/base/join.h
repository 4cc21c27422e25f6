// Names in a message: "a, b, c".
#pragma once

#include <string>
#include <vector>

namespace weir {

// "a, b, c"; "none" for an empty list.
inline std::string Join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

}  // namespace weir
