// A provider of greeter.Greeter: listens, registers, serves until SIGTERM or SIGINT, then drains.
#include <CLI/CLI.hpp>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>

#include "greeter.weir.h"
#include "weir/server.h"

namespace {

class GreeterImpl final : public greeter::Greeter::Service<GreeterImpl> {
 public:
  // `server` outlives its services.
  explicit GreeterImpl(const weir::Server& server) : server_(server) {}

  weir::Result<greeter::HelloReply> Hello(weir::ServerContext&,
                                          const greeter::HelloRequest& request) {
    if (request.name().empty()) return weir::InvalidArgument("HelloRequest.name is empty");
    greeter::HelloReply reply;
    reply.set_text("Hello, " + request.name() + "!");
    reply.set_served_by(server_.address());
    return reply;
  }

 private:
  const weir::Server& server_;
};

}  // namespace

int main(int argc, char** argv) {
  std::string listen = "127.0.0.1:0";
  std::string registry = "file:///tmp/weir-greeter";
  std::string threads = "multi_reactor";
  std::int32_t weight = weir::kWeightUnset;
  CLI::App options("Greets whoever asks, until SIGTERM.");
  options.add_option("--listen", listen, "host:port; port 0 takes any free one")
      ->capture_default_str();
  options.add_option("--registry", registry, "where to register")->capture_default_str();
  options.add_option("--threads", threads, "thread model, such as single_reactor or prefork")
      ->capture_default_str();
  options.add_option("--weight", weight, "share of the calls, 1 to 10000; 0 gets none");
  options.failure_message([](const CLI::App*, const CLI::Error& error) {
    return std::string("error: ") + error.what() + "; see --help\n";
  });
  CLI11_PARSE(options, argc, argv);

  const weir::Result<weir::ThreadModel> model = weir::ParseThreadModel(threads);
  if (!model.ok()) {
    std::cerr << "error: " << model.status().message() << "\n";
    return 1;
  }
  weir::Server server({.listen = listen, .threads = {.model = *model}});
  server.Add(std::make_unique<GreeterImpl>(server));
  server.RegisterAt(registry, {.weight = weight});
  return server.Run();
}
