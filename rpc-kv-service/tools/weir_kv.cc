// weir-kv: the key-value store from the command line.
#include <cstdlib>
#include <memory>

#include "session.h"
#include "weir/log.h"

namespace weir::kv::tool {
namespace {

constexpr const char* kFooter =
    "Exit codes: 0 done; 1 the answer is no (no such key, or verify found a difference); 2 wrong\n"
    "option or unreadable file, nothing was done; 3 the owner of a key, or the registry, cannot "
    "be\n"
    "reached or did not answer in time; 4 refused or failed otherwise.\n\n"
    "WEIR_KV_REGISTRY and WEIR_KV_CLUSTER stand in for --registry and --cluster.\n\n"
    "Example:\n"
    "  weir-kv --registry file:///run/weir --cluster main put colour blue";

int Main(int argc, char** argv) {
  // What goes wrong is told once, by the command itself.
  SetLogLevel(LogLevel::kError);
  CLI::App app("Reads, writes and tends weir's key-value store.", "weir-kv");
  app.footer(kFooter);
  app.set_version_flag("--version", "weir-kv " WEIR_VERSION);
  app.fallthrough();
  const auto session = std::make_shared<Session>(app);
  app.add_option("--registry", session->registry, "Where the providers are registered")
      ->type_name("URL")
      ->envname("WEIR_KV_REGISTRY");
  app.add_option("--cluster", session->cluster,
                 "The cluster; without, there must be exactly one provider, which owns all keys")
      ->type_name("NAME")
      ->envname("WEIR_KV_CLUSTER");
  app.add_option("--timeout", session->timeout_s, "Seconds an operation may take (default 5)")
      ->check(CLI::Range(0.001, 86400.0))
      ->type_name("SECONDS");
  int exit_code = kExitOk;
  AddDataCommands(app, session, &exit_code);
  AddLoadCommands(app, session, &exit_code);
  AddClusterCommands(app, session, &exit_code);
  if (const auto code = Parse(app, argc, argv)) return *code;
  // Asked here and not by CLI11, which would overlook the name of a command that does not exist.
  if (app.get_subcommands().empty()) {
    Complain(app, "no command; see weir-kv --help");
    return kExitUsage;
  }
  return exit_code;
}

}  // namespace
}  // namespace weir::kv::tool

int main(int argc, char** argv) {
  return weir::kv::tool::Main(argc, argv);
}
