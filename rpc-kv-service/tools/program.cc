#include "program.h"

#include <algorithm>
#include <cstdio>

namespace weir::kv::tool {

ExitCode ExitCodeFor(const Status& status) {
  switch (status.code()) {
    case StatusCode::kOk:
      return kExitOk;
    case StatusCode::kNotFound:
      return kExitNo;
    case StatusCode::kInvalidArgument:
      return kExitUsage;
    case StatusCode::kUnavailable:
    case StatusCode::kDeadlineExceeded:
      return kExitUnreachable;
    default:
      return kExitFailed;
  }
}

void Complain(const CLI::App& app, std::string_view message) {
  std::string line(message);
  std::replace(line.begin(), line.end(), '\n', ' ');
  std::fprintf(stderr, "%s: %s\n", app.get_name().c_str(), line.c_str());
}

ExitCode Fail(const CLI::App& app, const Status& status) {
  Complain(app, status.message());
  return ExitCodeFor(status);
}

std::optional<int> Parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::Success& asked) {  // --help, --version
    return app.exit(asked);
  } catch (const CLI::ParseError& mistake) {
    Complain(app, std::string(mistake.what()) + "; see " + app.get_name() + " --help");
    return kExitUsage;
  }
}

}  // namespace weir::kv::tool
