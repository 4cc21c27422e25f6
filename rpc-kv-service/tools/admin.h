// What the commands of weir-kv-admin share.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "weir/kv/repair.h"
#include "weir/status.h"

namespace weir::kv::tool {

enum AdminExitCode : int {
  kAdminOk = 0,
  kAdminFailed = 1,  // it failed, or found damage
  kAdminUsage = 2,   // wrong command line; nothing was done
};

struct AdminSession {
  explicit AdminSession(const CLI::App& program) : app(program) {}

  const CLI::App& app;
  bool json = false;
  bool progress = false;
  int exit_code = kAdminOk;

  // Complains and sets the exit code.
  void Fail(const Status& status);
  // Tells of damage, a line each on standard error, and sets the exit code if there is any.
  void TellDamage(const std::vector<DamagedPlace>& damaged);
  // Shows progress on standard error: on a terminal, or if it is asked for. Null: nobody watches.
  std::function<void(std::uint64_t done, std::uint64_t total)> Progress(const char* verb) const;
  // Ends the line that Progress has written to.
  void EndProgress() const;
};

using AdminSessionPtr = std::shared_ptr<AdminSession>;

void AddInspectCommands(CLI::App& app, const AdminSessionPtr& session);
void AddRepairCommands(CLI::App& app, const AdminSessionPtr& session);
void AddBackupCommands(CLI::App& app, const AdminSessionPtr& session);

void PrintOut(std::string_view text);

}  // namespace weir::kv::tool
