# cmake -DOUTPUT=file.cc -DFILES="a.scenario;b.scenario" -P embed_scenarios.cmake: scenario files as
# one C++ source.
set(entries "")
foreach(file IN LISTS FILES)
  get_filename_component(name "${file}" NAME)
  file(READ "${file}" text)
  string(APPEND entries "    {\"${name}\", R\"scenario(${text})scenario\"},\n")
endforeach()
file(WRITE "${OUTPUT}" "#include \"lab/builtin_scenarios.h\"

namespace weir::lab {
namespace {
constexpr BuiltinScenario kAll[] = {
${entries}};
}  // namespace
const std::span<const BuiltinScenario> kBuiltinScenarios = kAll;
}  // namespace weir::lab
")
