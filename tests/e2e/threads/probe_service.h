// A service whose handlers tell on which threads they run, and how many of them at once.
#pragma once

#include <unistd.h>

#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <atomic>
#include <chrono>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "probe.weir.h"
#include "weir/server.h"

namespace weir::test {

class ProbeService final : public Probe::Service<ProbeService> {
 public:
  Result<ProbeReply> Plain(ServerContext& context, const ProbeRequest& request) {
    const OnThread here(*this);
    return Handle(context, request);
  }

  asio::awaitable<Result<ProbeReply>> Coroutine(ServerContext& context,
                                                const ProbeRequest& request) {
    Result<ProbeReply> reply = Internal("not begun");
    {
      const OnThread here(*this);
      reply = Begin(context, request);
    }
    if (request.delay_ms() > 0 || request.act() == "until_cancelled") {
      asio::steady_timer timer(co_await asio::this_coro::executor);
      timer.expires_after(std::chrono::milliseconds(
          request.act() == "until_cancelled" ? 60'000 : request.delay_ms()));
      try {
        co_await timer.async_wait(asio::use_awaitable);
      } catch (const std::system_error&) {
        const OnThread here(*this);
        if (context.cancelled()) ++cancelled_;
        co_return Cancelled("the handler was told to stop");
      }
      const OnThread here(*this);
    }
    co_return reply;
  }

  void Deferred(ServerContext& context, const ProbeRequest& request,
                weir::Reply<ProbeReply> reply) {
    const OnThread here(*this);
    Result<ProbeReply> answer = Begin(context, request);
    if (request.act() == "until_cancelled") {
      auto kept = std::make_shared<weir::Reply<ProbeReply>>(std::move(reply));
      context.OnCancel([this, kept]() mutable {
        const OnThread there(*this);
        ++cancelled_;
        kept.reset();
      });
      return;
    }
    if (request.delay_ms() == 0) return reply(answer);
    std::thread([delay = std::chrono::milliseconds(request.delay_ms()), answer = std::move(answer),
                 reply = std::move(reply)]() mutable {
      std::this_thread::sleep_for(delay);
      reply(answer);
    }).detach();
  }

  Result<ProbeReply> Blocking(ServerContext& context, const ProbeRequest& request) {
    return Handle(context, request);
  }
  Result<ProbeReply> Idempotent(ServerContext& context, const ProbeRequest& request) {
    return Plain(context, request);
  }

  // A coroutine, so that no model sends it to a worker that may be taken.
  asio::awaitable<Result<ProbeFacts>> Facts(ServerContext&, const ProbeFactsRequest&) {
    ProbeFacts facts;
    facts.set_started(started_);
    facts.set_cancelled(cancelled_);
    facts.set_astray(astray_);
    facts.set_most_at_once(most_at_once_);
    facts.set_process(::getpid());
    co_return facts;
  }

 private:
  // A stretch of a handler that keeps a thread.
  class OnThread {
   public:
    explicit OnThread(ProbeService& service) : service_(service) {
      const int now = ++service_.at_once_;
      int most = service_.most_at_once_;
      while (now > most && !service_.most_at_once_.compare_exchange_weak(most, now)) {
      }
      int first = 0;
      if (!service_.thread_.compare_exchange_strong(first, ::gettid()) && first != ::gettid()) {
        ++service_.astray_;
      }
    }
    ~OnThread() { --service_.at_once_; }
    OnThread(const OnThread&) = delete;
    OnThread& operator=(const OnThread&) = delete;

   private:
    ProbeService& service_;
  };

  Result<ProbeReply> Begin(ServerContext& context, const ProbeRequest& request) {
    ++started_;
    if (request.act() == "throw") throw std::runtime_error("as asked");
    if (request.act() == "until_cancelled" && !request.payload().empty()) {
      std::cout << "begun " + request.payload() + "\n" << std::flush;
    }
    if (!context.attachment().empty()) {
      context.SetReplyAttachment(std::move(context.attachment()));
    }
    ProbeReply reply;
    reply.set_payload(request.payload());
    reply.set_metadata(std::string(context.FindMetadata("probe")));
    reply.set_process(::getpid());
    reply.set_thread(::gettid());
    reply.set_has_deadline(context.deadline().has_value());
    return reply;
  }

  Result<ProbeReply> Handle(ServerContext& context, const ProbeRequest& request) {
    Result<ProbeReply> reply = Begin(context, request);
    const bool until_cancelled = request.act() == "until_cancelled";
    const auto end = std::chrono::steady_clock::now() +
                     std::chrono::milliseconds(until_cancelled ? 10'000 : request.delay_ms());
    while (std::chrono::steady_clock::now() < end) {
      if (until_cancelled && context.cancelled()) {
        ++cancelled_;
        return Cancelled("the handler was told to stop");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return reply;
  }

  std::atomic<int> started_{0};
  std::atomic<int> cancelled_{0};
  std::atomic<int> at_once_{0};
  std::atomic<int> most_at_once_{0};
  std::atomic<int> astray_{0};
  std::atomic<int> thread_{0};
};

}  // namespace weir::test
