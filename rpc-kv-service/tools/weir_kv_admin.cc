// weir-kv-admin: looks after the directories of stores. It opens no connection.
#include <memory>

#include "admin.h"
#include "program.h"
#include "weir/log.h"

namespace weir::kv::tool {
namespace {

constexpr const char* kFooter =
    "Exit codes: 0 done; 1 failed, or damage was found; 2 wrong command line.\n\n"
    "STORE is the data directory of a store that no process has open: one that has is named.\n\n"
    "Example:\n"
    "  weir-kv-admin verify /var/lib/app || weir-kv-admin repair /var/lib/app /var/lib/app-new";

int Main(int argc, char** argv) {
  SetLogLevel(LogLevel::kError);
  CLI::App app("Looks into, verifies, repairs, backs up and restores stores on disk.",
               "weir-kv-admin");
  app.footer(kFooter);
  app.set_version_flag("--version", "weir-kv-admin " WEIR_VERSION);
  app.fallthrough();
  const auto session = std::make_shared<AdminSession>(app);
  app.add_flag("--json", session->json, "One JSON object instead of text; of dump, one a line");
  app.add_flag("--progress", session->progress,
               "A line a second on standard error; a terminal gets it anyway");
  AddInspectCommands(app, session);
  AddRepairCommands(app, session);
  AddBackupCommands(app, session);
  if (const auto code = Parse(app, argc, argv)) return *code;
  // Asked here and not by CLI11, which would overlook the name of a command that does not exist.
  if (app.get_subcommands().empty()) {
    Complain(app, "no command; see weir-kv-admin --help");
    return kAdminUsage;
  }
  return session->exit_code;
}

}  // namespace
}  // namespace weir::kv::tool

int main(int argc, char** argv) {
  return weir::kv::tool::Main(argc, argv);
}
