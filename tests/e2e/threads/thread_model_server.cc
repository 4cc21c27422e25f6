// The service Probe in a process of its own, under any thread model. Prints "listening on ADDRESS"
// once the port is taken. Ends orderly with SIGTERM.
#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <thread>

#include "e2e/threads/probe_service.h"
#include "weir/channel.h"

namespace {

// A consumer to be killed: starts calls that do not end, says so, and waits.
int Call(const std::string& address) {
  weir::Channel channel("list://" + address);
  const weir::test::Probe::Stub probe(channel);
  weir::test::ProbeRequest request;
  if (!probe.Plain(request, weir::Timeout(std::chrono::seconds(10))).ok()) return 1;
  request.set_act("until_cancelled");
  for (int i = 0; i < 100; ++i) {
    const auto ignore = [](const weir::Result<weir::test::ProbeReply>&) {};
    probe.Coroutine(request, weir::Timeout(std::chrono::minutes(1)), ignore);
    probe.Deferred(request, weir::Timeout(std::chrono::minutes(1)), ignore);
  }
  std::cout << "calling" << std::endl;
  std::string line;
  std::getline(std::cin, line);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string model = "multi_reactor";
  std::string registry;
  std::string call;
  std::string start;
  std::string flag;
  weir::ServerOptions server_options{.drain_notice = std::chrono::milliseconds(100),
                                     .slow_handler = {}};
  CLI::App options("Serves weir.test.Probe.");
  options.add_option("--model", model);
  options.add_option("--listen", server_options.listen)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  options.add_option("--registry", registry);
  options.add_option("--reactors", server_options.threads.reactors)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  options.add_option("--workers", server_options.threads.workers);
  options.add_option("--max-queued", server_options.threads.max_queued_work);
  options.add_option("--start", start, "what goes wrong in a worker: fail, die; thread: before it");
  options.add_option("--fail-if", flag, "a worker cannot start if this file exists");
  options.add_option("--call", call, "be a consumer of the server at this address instead");
  CLI11_PARSE(options, argc, argv);
  if (!call.empty()) return Call(call);

  const weir::Result<weir::ThreadModel> parsed = weir::ParseThreadModel(model);
  if (!parsed.ok()) {
    std::cerr << parsed.status().ToString() << "\n";
    return 2;
  }
  server_options.threads.model = *parsed;
  weir::Server server(server_options);
  server.OnWorkerStart([&](weir::Server& own) {
    if (start == "die") std::raise(SIGKILL);
    if (start == "fail" || (!flag.empty() && std::filesystem::exists(flag))) {
      return weir::Unavailable("the disk is not there");
    }
    own.Add(std::make_unique<weir::test::ProbeService>());
    return weir::Status();
  });
  if (!registry.empty()) server.RegisterAt(registry);
  if (const weir::Status status = server.Listen(); !status.ok()) {
    std::cerr << status.ToString() << "\n";
    return 1;
  }
  std::cout << "listening on " << server.address() << std::endl;
  std::thread another;
  if (start == "thread")
    another = std::thread([] { std::this_thread::sleep_for(std::chrono::seconds(5)); });
  const int code = server.Run();
  if (another.joinable()) another.detach();
  return code;
}
