// What every command of weir-kv starts from: the global options, and the ways they open.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "program.h"
#include "weir/kv/client.h"
#include "weir/status.h"

namespace weir::kv::tool {

struct Session {
  explicit Session(const CLI::App& program) : app(program) {}

  const CLI::App& app;
  std::string registry;
  std::string cluster;
  double timeout_s = 5;

  std::chrono::milliseconds timeout() const {
    return std::chrono::milliseconds(static_cast<std::int64_t>(timeout_s * 1000));
  }
  // INVALID_ARGUMENT without --registry.
  Status CheckRegistry() const;
  Result<std::unique_ptr<Client>> Open() const;
  // Opens the client and runs `work`; complains about what fails. The exit code.
  int With(const std::function<int(Client&)>& work) const;
  int Fail(const Status& status) const { return tool::Fail(app, status); }
};

// A command: adds itself to the program; `*exit_code` is set when it was chosen and has run.
void AddDataCommands(CLI::App& app, const std::shared_ptr<Session>& session, int* exit_code);
void AddLoadCommands(CLI::App& app, const std::shared_ptr<Session>& session, int* exit_code);
void AddClusterCommands(CLI::App& app, const std::shared_ptr<Session>& session, int* exit_code);

}  // namespace weir::kv::tool
