// The scenarios that come with the program, as text: made by CMake from scenarios/*.scenario.
#pragma once

#include <span>
#include <string_view>

namespace weir::lab {

struct BuiltinScenario {
  std::string_view file;  // "b.scenario"
  std::string_view text;
};
extern const std::span<const BuiltinScenario> kBuiltinScenarios;

}  // namespace weir::lab
