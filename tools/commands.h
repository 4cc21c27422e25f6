// The commands of `weir`. Each prints what it has to say and returns the exit code.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "load.h"
#include "prepared_call.h"
#include "weir/status.h"

namespace weir::tool {

inline constexpr int kOk = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;

// What the command line says.
struct Request {
  std::string registry;            // URL; may hold a password
  std::vector<std::string> words;  // behind the command, without the registry
  bool json = false;
  std::chrono::milliseconds timeout{5000};              // for each answer of the registry
  std::optional<std::chrono::milliseconds> duration{};  // of a watch
};

// What the command line of `bench` says.
struct BenchRequest {
  CallRequest call;
  LoadPlan plan;
  std::uint32_t threads = 1;
  std::uint32_t connections = 1;  // to each provider, from each thread
  bool json = false;
  bool histogram = false;
  bool progress = false;  // even if standard error is no terminal
};

int List(const Request& request);
int Watch(const Request& request);
int ChangeWeight(const Request& request);
int Drain(const Request& request);
int Explain(const Request& request);
int Call(const CallRequest& request);
int Bench(const BenchRequest& request);

// One line on standard error; the exit code that belongs to it.
int Fail(const Status& status);
int FailUsage(const std::string& message);
// A call that failed: its code, too.
int FailCall(const Status& status);

}  // namespace weir::tool
