#include "explain.h"

#include <cstdio>

namespace weir {

std::string Milliseconds(double ns) {
  char text[40];
  std::snprintf(text, sizeof(text), "%.3g ms", ns / 1e6);
  return text;
}

std::string KeyOf(const RequestView& request) {
  if (!request.has_key) return "no key, so the random word";
  return "key '" + std::string(request.key) + "'";
}

}  // namespace weir
