// weir: looks at a running system of weir providers, changes their weights, and calls them.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "call_line.h"
#include "catalog.h"
#include "commands.h"
#include "text.h"
#include "weir/log.h"

namespace weir::tool {

int Fail(const Status& status) {
  std::string line(status.message());
  std::replace(line.begin(), line.end(), '\n', ' ');
  std::fprintf(stderr, "error: %s\n", line.c_str());
  return status.code() == StatusCode::kInvalidArgument ? kUsage : kFailed;
}

int FailUsage(const std::string& message) {
  return Fail(InvalidArgument(message));
}

namespace {

constexpr const char* kRegistryVariable = "WEIR_REGISTRY";

constexpr const char* kAboutRegistries =
    R"(REGISTRY is a URL: zk://host:port/rpc, file:///directory, list://host:port. It stands before the
other words, or behind --registry, or in the environment variable WEIR_REGISTRY. Other users of the
machine can read command lines: a URL with a password (zk://user:password@host:port/rpc) belongs
into WEIR_REGISTRY. It is never printed.)";

constexpr const char* kAboutTargets =
    R"(TARGET is host:port, or a registry: zk://host:port/rpc, file:///directory, list://host:port,... It
stands before the other words, or behind --registry, or in the environment variable WEIR_REGISTRY,
where a URL with a password belongs. MESSAGE is JSON, - for standard input, or @FILE; without it the
message is empty. Durations are written as 250us, 50ms, 1.5s, 2m or 1h.
Exit codes: 0 answered, 1 the call failed, 2 wrong command line.)";

// What the line says, for each kind of command.
struct Line {
  Request request;
  int timeout_ms = 5000;
  int for_ms = 0;
  CallRequest call;
  BenchRequest bench;
};

struct Command {
  const char* name;
  const char* words;
  const char* about;
  const char* example;
  const char* remark;
  void (*add_options)(CLI::App&, Line&);
  int (*run)(const CLI::App&, Line&);
};

// Takes the registry from where it is given; an error says where it may be given.
Status FindRegistry(Request& request) {
  std::vector<std::string>& words = request.words;
  if (!words.empty() && words.front().find("://") != std::string::npos) {
    if (!request.registry.empty()) {
      return InvalidArgument("two registries are given: one by --registry, one as a word");
    }
    request.registry = words.front();
    words.erase(words.begin());
  }
  const char* const variable = std::getenv(kRegistryVariable);
  if (request.registry.empty() && variable != nullptr) request.registry = variable;
  if (!request.registry.empty()) return {};
  return InvalidArgument(
      "REGISTRY is missing: name it first (zk://host:2181/rpc, file:///directory), "
      "with --registry, or in WEIR_REGISTRY");
}

void AddOperatorOptions(CLI::App& app, Line& line) {
  app.add_option("words", line.request.words, "what the command is about");
  app.add_option("--registry", line.request.registry, "The registry, if it is no word");
  app.add_flag("--json", line.request.json, "For programs");
  app.add_option("--timeout-ms", line.timeout_ms, "How long the registry may take for an answer")
      ->check(CLI::Range(1, 600'000))
      ->capture_default_str();
}

void AddWatchOptions(CLI::App& app, Line& line) {
  AddOperatorOptions(app, line);
  app.add_option("--for-ms", line.for_ms, "Ends by itself after so long")
      ->check(CLI::Range(1, 2'000'000'000));
}

template <int (*kCommand)(const Request&)>
int Operate(const CLI::App&, Line& line) {
  Request& request = line.request;
  request.timeout = std::chrono::milliseconds(line.timeout_ms);
  if (line.for_ms > 0) request.duration = std::chrono::milliseconds(line.for_ms);
  if (const Status status = FindRegistry(request); !status.ok()) return Fail(status);
  return kCommand(request);
}

void TakeVariable(CallRequest& request) {
  const char* const variable = std::getenv(kRegistryVariable);
  if (request.registry.empty() && variable != nullptr) request.registry = variable;
}

int RunCall(const CLI::App&, Line& line) {
  TakeVariable(line.call);
  return Call(line.call);
}

int RunBench(const CLI::App& app, Line& line) {
  TakeVariable(line.bench.call);
  if (const Status status = CheckBench(app, line.bench); !status.ok()) return Fail(status);
  return Bench(line.bench);
}

const std::vector<Command>& Commands() {
  static const std::vector<Command> commands = {
      {"list", "[REGISTRY] [SERVICE...]",
       "Shows services, their providers and weights, since when, in which state, and facts",
       "weir list zk://127.0.0.1:2181/rpc\n  weir list file:///tmp/greeter greeter.Greeter --json",
       kAboutRegistries, AddOperatorOptions, Operate<List>},
      {"watch", "[REGISTRY] [SERVICE...]",
       "Prints each change as one line until SIGINT or SIGTERM: who came, left or has another "
       "weight; the registry lost and back",
       "weir watch zk://127.0.0.1:2181/rpc\n  weir watch file:///tmp/greeter --json --for-ms 60000",
       kAboutRegistries, AddWatchOptions, Operate<Watch>},
      {"weight", "[REGISTRY] SERVICE ADDRESS N",
       "Changes the weight of a provider: 1 to 10000, 0 to drain it, -1 for the default. It "
       "stands until the provider ends or changes it",
       "weir weight file:///tmp/greeter greeter.Greeter 127.0.0.1:7001 50", kAboutRegistries,
       AddOperatorOptions, Operate<ChangeWeight>},
      {"drain", "[REGISTRY] ADDRESS",
       "Sets the weight 0 for every service that ADDRESS provides: it gets no new calls",
       "weir drain --registry file:///tmp/greeter 127.0.0.1:7001", kAboutRegistries,
       AddOperatorOptions, Operate<Drain>},
      {"explain", "[FILE...]",
       "Makes picks again that a channel has logged (ChannelOptions::pick_log), and says why each "
       "was made; - or nothing is standard input",
       "weir explain picks.log\n  grep greeter.Greeter/Hello picks.log | weir explain --json",
       "Exit codes: 0 all picks are as recorded, 1 some are not or cannot be read, 2 wrong command "
       "line.",
       [](CLI::App& app, Line& line) {
         app.add_option("words", line.request.words, "files of logged picks");
         app.add_flag("--json", line.request.json, "For programs");
       },
       [](const CLI::App&, Line& line) { return Explain(line.request); }},
      {"call", "[TARGET] SERVICE/METHOD [MESSAGE]",
       "Calls any method once; request and reply are JSON",
       "weir call 127.0.0.1:7001 greeter.Greeter/Hello '{\"name\": \"Ada\"}' --proto greeter.proto",
       kAboutTargets, [](CLI::App& app, Line& line) { AddCallOptions(app, line.call); }, RunCall},
      {"bench", "[TARGET] SERVICE/METHOD [MESSAGE]",
       "Calls any method again and again and shows how often and how fast it was answered",
       "weir bench 127.0.0.1:7001 greeter.Greeter/Hello '{\"name\": \"Ada\"}' --proto "
       "greeter.proto "
       "\\\n    --concurrency 64 --duration 5s --histogram\n"
       "  weir bench zk://127.0.0.1:2181/rpc greeter.Greeter/Hello @hello.json --proto "
       "greeter.proto "
       "\\\n    --rate 20000 --load-balance least_active",
       kAboutTargets, [](CLI::App& app, Line& line) { AddBenchOptions(app, line.bench); },
       RunBench},
  };
  return commands;
}

class HelpText : public CLI::Formatter {
 public:
  explicit HelpText(const Command& command) : command_(command) {}
  std::string make_usage(const CLI::App*, std::string) const override {
    return std::string("Usage: weir ") + command_.name + " " + command_.words + " [OPTIONS]\n";
  }
  std::string make_positionals(const CLI::App*) const override { return {}; }

 private:
  const Command& command_;
};

bool IsNegativeNumber(const std::string& word) {
  return word.size() > 1 && word[0] == '-' && std::all_of(word.begin() + 1, word.end(), [](char c) {
           return std::isdigit(static_cast<unsigned char>(c)) != 0;
         });
}

int Main(int argc, char** argv) {
  CLI::App app{"Looks at a running system of weir providers, changes weights, and makes calls.",
               "weir"};
  app.require_subcommand(1);
  app.set_version_flag("--version", WEIR_VERSION);
  app.footer(std::string(kAboutRegistries) +
             "\nExit codes: 0 done, 1 failed, 2 wrong command line. weir COMMAND --help has "
             "examples.");
  Line line;
  const Command* chosen = nullptr;
  std::vector<std::string> names;
  for (const Command& command : Commands()) {
    CLI::App* const one = app.add_subcommand(command.name, command.about);
    one->formatter(std::make_shared<HelpText>(command));
    one->footer(std::string(command.remark) + "\n\nExample:\n  " + command.example);
    command.add_options(*one, line);
    one->callback([&chosen, &command] { chosen = &command; });
    names.push_back(command.name);
  }
  const std::string first = argc > 1 ? argv[1] : "";
  const bool known = std::find(names.begin(), names.end(), first) != names.end();
  if (!known && !first.empty() && first[0] != '-') {
    return FailUsage("unknown command '" + first + "'; known: " + Some(names) +
                     "; see weir --help");
  }
  // To the parser "-1" is an option; to `weight` it is its last word.
  std::vector<std::string> arguments;
  std::vector<std::string> numbers;
  for (int i = argc - 1; i > 0; --i) {
    (first == "weight" && IsNegativeNumber(argv[i]) ? numbers : arguments).push_back(argv[i]);
  }
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::Success& asked) {  // --help, --version
    return app.exit(asked);
  } catch (const CLI::ParseError& mistake) {
    return FailUsage(std::string(mistake.what()) + "; see weir " + (known ? first + " " : "") +
                     "--help");
  }
  line.request.words.insert(line.request.words.end(), numbers.begin(), numbers.end());
  SetLogLevel(LogLevel::kError);
  return chosen->run(*app.get_subcommand(chosen->name), line);
}

}  // namespace
}  // namespace weir::tool

int main(int argc, char** argv) {
  weir::tool::Leave(weir::tool::Main(argc, argv));
}
