// Adds the scheme hosts:// (hosts_registry.h), finds a provider through a file, and follows the
// file when a second one is written into it.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "greeter.weir.h"
#include "hosts_registry.h"
#include "weir/channel.h"
#include "weir/server.h"

namespace {

class Named final : public greeter::Greeter::Service<Named> {
 public:
  explicit Named(std::string name) : name_(std::move(name)) {}
  weir::Result<greeter::HelloReply> Hello(weir::ServerContext&, const greeter::HelloRequest&) {
    greeter::HelloReply reply;
    reply.set_served_by(name_);
    return reply;
  }

 private:
  std::string name_;
};

// A server that registers nowhere: its address is written into the file by hand.
std::unique_ptr<weir::Server> Start(const std::string& name) {
  auto server = std::make_unique<weir::Server>();
  server->Add(std::make_unique<Named>(name));
  if (weir::Status status = server->Start(); !status.ok()) {
    std::fprintf(stderr, "error: %s\n", status.ToString().c_str());
    return nullptr;
  }
  return server;
}

// Replaces the file as a whole, so that no reader meets half of it.
void Write(const std::filesystem::path& file, const std::string& text) {
  const std::filesystem::path fresh = file.string() + ".new";
  std::ofstream(fresh) << text;
  std::filesystem::rename(fresh, file);
}

}  // namespace

int main() {
  // Before the first channel or server uses it.
  weir::Registries().Add("hosts", HostsRegistry::Open);

  const auto first = Start("first");
  const auto second = Start("second");
  if (!first || !second) return 1;
  const auto file =
      std::filesystem::temp_directory_path() / ("weir-hosts-" + std::to_string(::getpid()));
  const std::string line =
      "greeter.Greeter " + first->address() + " 300  # the one we begin with\n";
  Write(file, line);
  int exit_code = 1;
  {
    weir::Channel channel("hosts://" + file.string());
    const greeter::Greeter::Stub greeter(channel);
    const weir::Result<greeter::HelloReply> reply = greeter.Hello({});
    std::printf("served by %s\n",
                reply.ok() ? reply->served_by().c_str() : reply.status().ToString().c_str());

    Write(file, line + "greeter.Greeter " + second->address() + "\n");
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (exit_code != 0 && std::chrono::steady_clock::now() < give_up) {
      const weir::Result<greeter::HelloReply> next = greeter.Hello({});
      if (!next.ok()) break;
      if (next->served_by() == "second") exit_code = 0;
    }
    std::printf("served by second, too: %s\n", exit_code == 0 ? "yes" : "no");
  }
  std::filesystem::remove(file);

  weir::Channel nowhere("hosts://" + file.string());
  std::printf("without the file: %s\n", nowhere.status().ToString().c_str());
  return exit_code;
}
