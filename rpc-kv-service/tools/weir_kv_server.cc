// weir-kv-server: one provider of the key-value store.
#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "program.h"
#include "weir/address.h"
#include "weir/kv/kv_service.h"
#include "weir/kv/members.h"
#include "weir/kv/store.h"
#include "weir/registry.h"
#include "weir/server.h"

namespace weir::kv::tool {
namespace {

constexpr const char* kFooter =
    "One line on standard output says when it serves. SIGTERM and SIGINT end it: it leaves the\n"
    "registry, finishes what runs, and closes the store.\n\n"
    "Exit codes: 0 ended as asked; 2 wrong option; 3 the registry or the address cannot be had;\n"
    "4 the store cannot be opened, or anything else.\n\n"
    "Example:\n"
    "  weir-kv-server --data /var/lib/kv --listen 127.0.0.1:7001 \\\n"
    "      --registry file:///run/weir --cluster main";

constexpr const char* kSyncForms = "none, bytes:N, interval:MS or always";

struct ServerCommand {
  std::string data;
  std::string listen = "127.0.0.1:7001";
  std::string advertise;
  std::string registry;
  std::string cluster;
  std::int32_t weight = kWeightUnset;
  std::uint32_t threads = 0;
  std::string sync = "always";
};

// The sync modes as the command line writes them.
Result<SyncPolicy> ReadSync(const std::string& text) {
  std::string engine_text = text;
  if (text.starts_with("bytes:")) engine_text[5] = '=';
  if (text.starts_with("interval:")) {
    engine_text[8] = '=';
    engine_text += "ms";
  }
  auto policy = ParseSyncPolicy(engine_text);
  if (policy.ok() && text.find('=') == std::string::npos) return policy;
  return InvalidArgument("--sync " + text + " is not known: use " + kSyncForms);
}

// Opens the registry and looks whether it can be reached, before anything is made.
Result<std::shared_ptr<Registry>> ReachRegistry(const ServerCommand& command) {
  auto path = MembersPath(command.cluster.empty() ? "none" : command.cluster);
  if (!path.ok()) return std::move(path).status();
  auto registry = Registries().Open(command.registry);
  if (!registry.ok()) return registry;
  if ((*registry)->documents() == nullptr) {
    return InvalidArgument("nobody can register at " + command.registry +
                           "; use zk:// or file://, or leave out --registry");
  }
  if (auto read = (*registry)->documents()->Read(*path); !read.ok()) {
    return Unavailable("registry " + command.registry +
                       " cannot be used: " + std::string(read.status().message()));
  }
  return registry;
}

void SayReady(const ServerCommand& command, const Server& server, const Store& store,
              const KvService& service) {
  std::string line = "weir-kv-server: serving on " + server.address() + ", data " + command.data +
                     ", store id " + store.id() + ", sync " + command.sync;
  if (!command.cluster.empty()) {
    line += ", cluster " + command.cluster;
    line += service.refusal().ok() ? " epoch " + std::to_string(service.epoch())
                                   : std::string(" (not serving keys)");
  }
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

Status Serve(const ServerCommand& command) {
  if (command.data.empty()) {
    return InvalidArgument("--data is missing: name the directory of the store");
  }
  const auto sync = ReadSync(command.sync);
  if (!sync.ok()) return sync.status();
  if (!command.cluster.empty() && command.registry.empty()) {
    return InvalidArgument("--cluster " + command.cluster +
                           " needs --registry: the member list is kept there");
  }
  if (!command.advertise.empty()) {
    const auto address = Address::Parse(command.advertise);
    if (!address.ok()) return address.status();
    if (!address->can_be_called()) {
      return InvalidArgument("--advertise needs a port that is not 0");
    }
  }
  std::shared_ptr<Registry> registry;
  if (!command.registry.empty()) {
    auto reached = ReachRegistry(command);
    if (!reached.ok()) return std::move(reached).status();
    registry = *std::move(reached);
  }

  asio::io_context signals;
  asio::signal_set leave(signals, SIGTERM, SIGINT);
  leave.async_wait([](const asio::error_code&, int) {});

  std::unique_ptr<Store> store;  // outlives the server, is closed before it
  Server server({.listen = command.listen, .threads = {.reactors = command.threads}});
  if (Status status = server.Listen(); !status.ok()) return status;
  auto opened = Store::Open(command.data, {.sync = *sync});
  if (!opened.ok()) {
    std::string why = "cannot open the store: " + std::string(opened.status().message());
    if (opened.status().code() == StatusCode::kNotFound) why += "; make its parent directory first";
    return FailedPrecondition(std::move(why));
  }
  store = *std::move(opened);

  const std::string address = command.advertise.empty() ? server.address() : command.advertise;
  auto owned = std::make_unique<KvService>(*store, address, command.sync);
  const KvService& service = *owned;
  if (!command.cluster.empty()) {
    if (Status status = owned->JoinCluster(registry, command.cluster); !status.ok()) return status;
  }
  server.Add(std::move(owned));
  if (registry) {
    server.RegisterAt(command.registry, {.weight = command.weight, .address = address});
  }
  if (Status status = server.Start(); !status.ok()) return status;
  if (Status status = server.WaitUntilRegistered(std::chrono::seconds(10)); !status.ok()) {
    server.Stop();
    (void)store->Close();
    return status;
  }
  SayReady(command, server, *store, service);
  signals.run();
  server.Drain();
  return store->Close();
}

int Main(int argc, char** argv) {
  ServerCommand command;
  CLI::App app("A provider of weir's key-value store: keeps keys in a directory and serves them.",
               "weir-kv-server");
  app.footer(kFooter);
  app.set_version_flag("--version", "weir-kv-server " WEIR_VERSION);
  app.add_option("--data", command.data, "Directory of the store; made if it is not there")
      ->type_name("DIR");
  app.add_option("--listen", command.listen,
                 "Where to listen; port 0 takes any free one (default 127.0.0.1:7001)")
      ->type_name("HOST:PORT");
  app.add_option("--advertise", command.advertise,
                 "Address under which others reach it, if it is not the one listened on")
      ->type_name("HOST:PORT");
  app.add_option("--registry", command.registry,
                 "Where to announce itself: zk://... or file:///... (default: nowhere)")
      ->type_name("URL");
  app.add_option("--cluster", command.cluster,
                 "Serve only the keys that this cluster's member list gives to it\n"
                 "(weir-kv cluster); without, it serves every key")
      ->type_name("NAME");
  app.add_option("--weight", command.weight, "Announced weight, 1 to 10000 (default 100)")
      ->check(CLI::Range(1, kMaxWeight))
      ->type_name("N");
  app.add_option("--threads", command.threads,
                 "Reactor threads, up to 1024 (default: one per core)")
      ->check(CLI::Range(0, 1024))
      ->type_name("N");
  app.add_option("--sync", command.sync,
                 std::string("When writes reach the disk: ") + kSyncForms + " (default always:\n" +
                     "before they are acknowledged)")
      ->type_name("MODE");
  if (const auto code = Parse(app, argc, argv)) return *code;
  if (Status status = Serve(command); !status.ok()) return Fail(app, status);
  return kExitOk;
}

}  // namespace
}  // namespace weir::kv::tool

int main(int argc, char** argv) {
  return weir::kv::tool::Main(argc, argv);
}
