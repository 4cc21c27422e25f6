// store-tour: looks at the store as its consumers do. scripts/demo.sh runs it over three providers.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "failover.h"
#include "spread.h"
#include "weir/log.h"

int main(int argc, char** argv) {
  CLI::App app{"Looks at a running store as its consumers do."};
  app.require_subcommand(1);
  std::string registry;
  std::string cluster = "main";
  std::string dead;
  int calls = 10'000;

  CLI::App* spread = app.add_subcommand("spread", "How each strategy spreads calls");
  spread->add_option("--registry", registry, "Where the providers are registered")->required();
  spread->add_option("--calls", calls, "Calls a strategy")
      ->check(CLI::Range(1, 10'000'000))
      ->capture_default_str();
  CLI::App* failover = app.add_subcommand(
      "failover", "Calls all the time, while a provider dies and comes back; ends with SIGINT");
  failover->add_option("--registry", registry, "Where the providers are registered")->required();
  failover->add_option("--cluster", cluster, "Whose keys are read")->capture_default_str();
  failover->add_option("--dead", dead, "Address of the provider that will die")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    std::fprintf(stderr, "error: %s; see store-tour --help\n", error.what());
    return 2;
  }
  weir::SetLogLevel(weir::LogLevel::kError);
  if (*failover) return WatchFailover(registry, cluster, dead);
  if (weir::Status status = PrintSpread(registry, calls); !status.ok()) {
    std::fprintf(stderr, "error: %s\n", status.ToString().c_str());
    return 1;
  }
  return 0;
}
