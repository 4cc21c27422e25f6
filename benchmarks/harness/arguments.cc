#include "harness/arguments.h"

#include <algorithm>
#include <cstdio>
#include <sstream>

namespace weir::bench {

void AddCommonArguments(CLI::App& app, CommonArguments& arguments) {
  app.add_option("--runs", arguments.runs, "How often each case is run; medians are printed")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--seconds", arguments.seconds, "How long each run measures")
      ->check(CLI::Range(0.01, 600.0))
      ->capture_default_str();
  app.add_option("--only", arguments.only, "These cases alone, separated by commas");
  app.add_option("--json", arguments.json_path, "Also write the figures to this file");
}

int Parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "error: %s; see %s --help\n", error.what(), app.get_name().c_str());
    return 2;
  }
  return -1;
}

bool Choose(const char* what, const std::string& list, const std::vector<std::string>& known,
            std::vector<std::string>* chosen) {
  if (list.empty()) {
    *chosen = known;
    return true;
  }
  std::vector<std::string> wanted;
  std::istringstream items(list);
  for (std::string item; std::getline(items, item, ',');) wanted.push_back(item);
  for (const std::string& item : wanted) {
    if (std::find(known.begin(), known.end(), item) != known.end()) continue;
    std::string names;
    for (const std::string& name : known) names += (names.empty() ? "" : ", ") + name;
    std::fprintf(stderr, "error: %s: there is no '%s'; there are %s\n", what, item.c_str(),
                 names.c_str());
    return false;
  }
  for (const std::string& name : known) {
    if (std::find(wanted.begin(), wanted.end(), name) != wanted.end()) chosen->push_back(name);
  }
  return true;
}

std::string CommandLine(int argc, char** argv) {
  std::string line(argv[0]);
  line.erase(0, line.rfind('/') + 1);
  for (int i = 1; i < argc; ++i) line.append(" ").append(argv[i]);
  return line;
}

}  // namespace weir::bench
