// thread_model_server as a process, and calls of it.
#pragma once

#include <gtest/gtest.h>

#include <asio/use_future.hpp>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "probe.weir.h"
#include "support/process.h"
#include "weir/channel.h"
#include "weir/runtime.h"

namespace weir::test {

using namespace std::chrono_literals;

class ProbeServer {
 public:
  explicit ProbeServer(ThreadModel model, std::vector<std::string> more = {},
                       const weir::testing::ProcessOptions& options = {})
      : process_(Arguments(model, std::move(more)), options) {
    constexpr std::string_view kSays = "listening on ";
    const auto line = process_.WaitForLine(kSays, 20s);
    EXPECT_TRUE(line.has_value()) << process_.Errors();
    if (line) address_ = line->substr(kSays.size());
  }

  weir::testing::Process& process() { return process_; }
  const std::string& address() const { return address_; }
  std::string url() const { return "list://" + address_; }

 private:
  static std::vector<std::string> Arguments(ThreadModel model, std::vector<std::string> more) {
    std::vector<std::string> arguments = {WEIR_THREAD_MODEL_SERVER, "--model",
                                          std::string(ThreadModelName(model))};
    for (std::string& one : more) arguments.push_back(std::move(one));
    return arguments;
  }

  weir::testing::Process process_;
  std::string address_;
};

inline ProbeRequest Ask(std::string payload, int delay_ms = 0, std::string act = {}) {
  ProbeRequest request;
  request.set_payload(std::move(payload));
  request.set_delay_ms(delay_ms);
  request.set_act(std::move(act));
  return request;
}

enum class Form { kPlain, kCoroutine, kDeferred, kBlocking };
inline constexpr Form kForms[] = {Form::kPlain, Form::kCoroutine, Form::kDeferred, Form::kBlocking};

inline std::string_view NameOf(Form form) {
  constexpr std::string_view kNames[] = {"plain", "coroutine", "deferred", "blocking"};
  return kNames[static_cast<int>(form)];
}

// Calls the method of that form.
template <class... Token>
auto Call(const Probe::Stub& probe, Form form, const ProbeRequest& request, CallOptions options,
          Token&&... token) {
  switch (form) {
    case Form::kPlain:
      return probe.Plain(request, std::move(options), std::forward<Token>(token)...);
    case Form::kCoroutine:
      return probe.Coroutine(request, std::move(options), std::forward<Token>(token)...);
    case Form::kDeferred:
      return probe.Deferred(request, std::move(options), std::forward<Token>(token)...);
    case Form::kBlocking:
      break;
  }
  return probe.Blocking(request, std::move(options), std::forward<Token>(token)...);
}

}  // namespace weir::test
