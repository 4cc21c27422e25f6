// weir: looks at a running system of weir providers, and changes their weights.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "catalog.h"
#include "commands.h"
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

struct Command {
  const char* name;
  const char* words;
  const char* about;
  const char* example;
  std::function<int(const Request&)> run;
};

const std::vector<Command>& Commands() {
  static const std::vector<Command> commands = {
      {"list", "[REGISTRY] [SERVICE...]",
       "Shows services, their providers and weights, since when, in which state, and facts",
       "weir list zk://127.0.0.1:2181/rpc\n  weir list file:///tmp/greeter greeter.Greeter --json",
       List},
      {"watch", "[REGISTRY] [SERVICE...]",
       "Prints each change as one line until SIGINT or SIGTERM: who came, left or has another "
       "weight; the registry lost and back",
       "weir watch zk://127.0.0.1:2181/rpc\n  weir watch file:///tmp/greeter --json --for-ms 60000",
       Watch},
      {"weight", "[REGISTRY] SERVICE ADDRESS N",
       "Changes the weight of a provider: 1 to 10000, 0 to drain it, -1 for the default. It "
       "stands until the provider ends or changes it",
       "weir weight file:///tmp/greeter greeter.Greeter 127.0.0.1:7001 50", ChangeWeight},
      {"drain", "[REGISTRY] ADDRESS",
       "Sets the weight 0 for every service that ADDRESS provides: it gets no new calls",
       "weir drain --registry file:///tmp/greeter 127.0.0.1:7001", Drain},
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

int Main(int argc, char** argv) {
  CLI::App app{"Looks at a running system of weir providers, and changes their weights.", "weir"};
  app.require_subcommand(1);
  app.set_version_flag("--version", WEIR_VERSION);
  app.footer(std::string(kAboutRegistries) +
             "\nExit codes: 0 done, 1 failed, 2 wrong command line. weir COMMAND --help has "
             "examples.");
  Request request;
  int timeout_ms = 5000;
  int for_ms = 0;
  const Command* chosen = nullptr;
  for (const Command& command : Commands()) {
    CLI::App* const one = app.add_subcommand(command.name, command.about);
    one->formatter(std::make_shared<HelpText>(command));
    one->footer(std::string(kAboutRegistries) + "\n\nExample:\n  " + command.example);
    one->add_option("words", request.words, command.words);
    one->add_option("--registry", request.registry, "The registry, if it is no word");
    one->add_flag("--json", request.json, "For programs");
    one->add_option("--timeout-ms", timeout_ms, "How long the registry may take for an answer")
        ->check(CLI::Range(1, 600'000))
        ->capture_default_str();
    if (std::string_view(command.name) == "watch") {
      one->add_option("--for-ms", for_ms, "Ends by itself after so long")
          ->check(CLI::Range(1, 2'000'000'000));
    }
    one->callback([&chosen, &command] { chosen = &command; });
  }
  if (argc > 1 && argv[1][0] != '-' &&
      std::none_of(Commands().begin(), Commands().end(),
                   [&](const Command& one) { return std::string_view(one.name) == argv[1]; })) {
    return FailUsage("unknown command '" + std::string(argv[1]) +
                     "'; known: list, watch, weight, drain; see weir --help");
  }
  // To the parser "-1" is an option; to `weight` it is its last word.
  std::vector<std::string> arguments;
  std::vector<std::string> numbers;
  for (int i = argc - 1; i > 0; --i) {
    (IsNegativeNumber(argv[i]) ? numbers : arguments).push_back(argv[i]);
  }
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::Success& asked) {  // --help, --version
    return app.exit(asked);
  } catch (const CLI::ParseError& mistake) {
    return FailUsage(std::string(mistake.what()) + "; see weir --help");
  }
  request.words.insert(request.words.end(), numbers.begin(), numbers.end());
  request.timeout = std::chrono::milliseconds(timeout_ms);
  if (for_ms > 0) request.duration = std::chrono::milliseconds(for_ms);
  if (const Status status = FindRegistry(request); !status.ok()) return Fail(status);
  SetLogLevel(LogLevel::kError);
  return chosen->run(request);
}

}  // namespace
}  // namespace weir::tool

int main(int argc, char** argv) {
  weir::tool::Leave(weir::tool::Main(argc, argv));
}
