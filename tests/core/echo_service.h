// The service that the tests of the runtime call.
#pragma once

#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "echo.weir.h"
#include "weir/channel.h"
#include "weir/server.h"

namespace weir::test {

// What the handlers of a server saw; shared by the test.
struct EchoLog {
  std::atomic<int> started{0};
  std::atomic<int> cancelled{0};
};

class EchoService final : public Echo::Service<EchoService> {
 public:
  explicit EchoService(std::string name = {}, EchoLog* log = nullptr)
      : name_(std::move(name)), log_(log) {}

  Result<EchoReply> Plain(ServerContext& context, const EchoRequest& request) {
    Started();
    if (request.payload() == "throw") throw std::runtime_error("as asked");
    if (request.delay_ms() > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(request.delay_ms()));
    }
    return Answer(context, request);
  }

  asio::awaitable<Result<EchoReply>> Coroutine(ServerContext& context, const EchoRequest& request) {
    Started();
    if (request.payload() == "throw") throw std::runtime_error("as asked");
    if (request.delay_ms() > 0) {
      asio::steady_timer timer(co_await asio::this_coro::executor);
      timer.expires_after(std::chrono::milliseconds(request.delay_ms()));
      try {
        co_await timer.async_wait(asio::use_awaitable);
      } catch (const std::system_error&) {
        if (log_ != nullptr && context.cancelled()) ++log_->cancelled;
        co_return Cancelled("the handler was told to stop");
      }
    }
    co_return Answer(context, request);
  }

  void Deferred(ServerContext& context, const EchoRequest& request, weir::Reply<EchoReply> reply) {
    Started();
    if (request.payload() == "drop") return;
    if (request.payload() == "never") {
      // Kept until the caller gives up.
      auto kept = std::make_shared<weir::Reply<EchoReply>>(std::move(reply));
      context.OnCancel([this, kept]() mutable {
        if (log_ != nullptr) ++log_->cancelled;
        kept.reset();
      });
      return;
    }
    std::thread([this, &context, &request, reply = std::move(reply)]() mutable {
      std::this_thread::sleep_for(std::chrono::milliseconds(request.delay_ms()));
      const Result<EchoReply> answer = Answer(context, request);
      reply(answer);
      reply(Internal("a second answer, which must be ignored"));
    }).detach();
  }

  Result<EchoReply> Blocking(ServerContext& context, const EchoRequest& request) {
    return Plain(context, request);
  }
  Result<EchoReply> Idempotent(ServerContext& context, const EchoRequest& request) {
    return Plain(context, request);
  }

 private:
  void Started() {
    if (log_ != nullptr) ++log_->started;
  }
  Result<EchoReply> Answer(ServerContext& context, const EchoRequest& request) {
    if (request.code() != 0) {
      return Status(static_cast<StatusCode>(request.code()), "as asked", "details");
    }
    if (!context.attachment().empty()) {
      context.SetReplyAttachment(std::move(context.attachment()));
    }
    EchoReply reply;
    reply.set_payload(request.payload());
    reply.set_served_by(name_);
    return reply;
  }

  std::string name_;
  EchoLog* log_;
};

// A server of EchoService, started and registered; each test uses a registry of its own name.
inline std::unique_ptr<Server> StartEcho(const std::string& registry, const std::string& name = {},
                                         EchoLog* log = nullptr, ServerOptions options = {}) {
  auto server = std::make_unique<Server>(std::move(options));
  server->Add(std::make_unique<EchoService>(name, log));
  server->RegisterAt(registry);
  if (Status status = server->Start(); !status.ok()) {
    throw std::runtime_error(status.ToString());
  }
  return server;
}

}  // namespace weir::test
