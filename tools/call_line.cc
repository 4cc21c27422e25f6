#include "call_line.h"

#include <string>
#include <vector>

#include "text.h"

namespace weir::tool {
namespace {

constexpr std::chrono::seconds kUsualTime{10};

// An option that may be given again and again, each time with one value.
void AddEach(CLI::App& app, const char* name, std::vector<std::string>& into, const char* about) {
  app.add_option(name, into, about)->allow_extra_args(false);
}

void AddDuration(CLI::App& app, const std::string& name, std::chrono::nanoseconds& into,
                 const char* about, std::chrono::nanoseconds least) {
  app.add_option_function<std::string>(
      name,
      [name, &into, least](const std::string& text) {
        const auto duration = ParseDuration(text);
        if (!duration.ok()) {
          throw CLI::ValidationError(name, std::string(duration.status().message()));
        }
        if (*duration < least) throw CLI::ValidationError(name, "'" + text + "' is too short");
        into = *duration;
      },
      about);
}

}  // namespace

void AddCallOptions(CLI::App& app, CallRequest& request) {
  app.add_option("words", request.words, "[TARGET] SERVICE/METHOD [MESSAGE]");
  app.add_option("--registry", request.registry, "The target, if it is no word");
  AddEach(app, "--proto", request.schema.protos, "A .proto file; again for more");
  AddEach(app, "--proto-path", request.schema.proto_paths,
          "A directory for imports, as protoc takes it; again for more");
  app.add_option("--descriptor-set", request.schema.descriptor_set,
                 "Instead of --proto: what protoc --include_imports --descriptor_set_out wrote");
  AddEach(app, "--metadata", request.metadata,
          "NAME=VALUE to travel with the call; again for more");
  app.add_option("--key", request.key,
                 "The routing key; without it, the field marked (weir.hash_key)");
  app.add_option("--provider", request.provider, "The only provider that may be called");
  app.add_option("--load-balance", request.load_balance, "A strategy, as round_robin")
      ->capture_default_str();
  AddDuration(app, "--timeout", request.timeout, "How long a call may take (5s)",
              std::chrono::microseconds(1));
}

void AddBenchOptions(CLI::App& app, BenchRequest& request) {
  AddCallOptions(app, request.call);
  LoadPlan& plan = request.plan;
  app.add_option("--concurrency", plan.concurrency,
                 "Closed loop: so many calls in flight, each followed by the next")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app.add_option("--rate", plan.rate, "Open loop: so many calls are started per second")
      ->check(CLI::Range(0.001, 10'000'000.0));
  AddDuration(app, "--duration", plan.time, "How long it measures (10s, unless --calls is given)",
              std::chrono::milliseconds(1));
  AddDuration(app, "--warmup", plan.warm_up, "How long it calls before it measures (1s)",
              std::chrono::nanoseconds(0));
  app.add_option("--calls", plan.calls, "Ends after so many calls")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1'000'000'000'000}));
  app.add_option("--threads", request.threads, "Threads that make the calls")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--connections", request.connections,
                 "Connections to each provider from each thread, at most")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_flag("--json", request.json, "For programs");
  app.add_flag("--histogram", request.histogram, "Shows how the latencies are spread, too");
  app.add_flag("--progress", request.progress,
               "A line per second on standard error even if it is no terminal");
  plan.warm_up = std::chrono::seconds(1);
}

Status CheckBench(const CLI::App& app, BenchRequest& request) {
  if (app.count("--rate") > 0 && app.count("--concurrency") > 0) {
    return InvalidArgument(
        "--rate and --concurrency exclude each other: calls start by a schedule, or one after the "
        "other");
  }
  if (app.count("--calls") == 0 && app.count("--duration") == 0) request.plan.time = kUsualTime;
  return {};
}

}  // namespace weir::tool
