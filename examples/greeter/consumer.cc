// A consumer of greeter.Greeter: finds the providers, greets some people, tells who served whom.
#include <CLI/CLI.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "greeter.weir.h"
#include "weir/channel.h"

namespace {

using namespace std::chrono_literals;

greeter::HelloRequest Request(const std::string& name) {
  greeter::HelloRequest request;
  request.set_name(name);
  return request;
}

int Fail(const weir::Status& status) {
  std::cerr << "error: " << status.message() << "\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::string registry = "file:///tmp/weir-greeter";
  std::string strategy = "round_robin";
  int calls = 6;
  double wait = 5;
  std::vector<std::string> names = {"Ada", "Grace", "Barbara"};
  CLI::App options("Greets people through all providers of greeter.Greeter.");
  options.add_option("--registry", registry, "where the providers are")->capture_default_str();
  options.add_option("--strategy", strategy, "how to choose one per call")->capture_default_str();
  options.add_option("--calls", calls, "how many calls")->capture_default_str();
  options.add_option("--wait", wait, "seconds to wait for a provider")->capture_default_str();
  options.add_option("names", names, "whom to greet, in turn")->capture_default_str();
  options.failure_message([](const CLI::App*, const CLI::Error& error) {
    return std::string("error: ") + error.what() + "; see --help\n";
  });
  CLI11_PARSE(options, argc, argv);

  weir::Channel channel(registry, {.load_balance = strategy});
  const greeter::Greeter::Stub greeter(channel);
  weir::Status ready = channel.WaitForProviders(
      greeter::Greeter::kInfo.full_name,
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(wait)));
  if (!ready.ok()) return Fail(ready);

  // Blocking calls, one after the other.
  std::map<std::string, int> served;
  for (int i = 0; i < calls; ++i) {
    weir::Result<greeter::HelloReply> reply = greeter.Hello(Request(names[i % names.size()]));
    if (!reply.ok()) return Fail(reply.status());
    std::cout << reply->text() << " (from " << reply->served_by() << ")\n";
    ++served[reply->served_by()];
  }
  for (const auto& [provider, count] : served) {
    std::cout << provider << " served " << count << " of " << calls << " calls\n";
  }

  // The same call from a coroutine, which waits without keeping a thread.
  asio::io_context io;
  weir::Status status;
  asio::co_spawn(
      io,
      [&]() -> asio::awaitable<void> {
        weir::Result<greeter::HelloReply> reply =
            co_await greeter.Hello(Request("coroutine"), weir::Timeout(1s), asio::use_awaitable);
        if (reply.ok()) std::cout << reply->text() << "\n";
        status = reply.status();
      },
      asio::detached);
  io.run();
  return status.ok() ? 0 : Fail(status);
}
