// Ends that meet: cancels and replies, closes and completions, drains and calls.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/io_context.hpp>
#include <asio/use_future.hpp>
#include <future>
#include <latch>
#include <mutex>
#include <optional>
#include <thread>

#include "fault/function_echo.h"
#include "fault/raw_peer.h"
#include "support/process.h"

namespace weir::test {
namespace {

using weir::testing::WaitUntil;

std::string Name() {
  return ::testing::UnitTest::GetInstance()->current_test_info()->name();
}

EchoRequest Request(std::string payload, int delay_ms = 0) {
  EchoRequest request;
  request.set_payload(std::move(payload));
  request.set_delay_ms(delay_ms);
  return request;
}

TEST(Races, F26_CancelsRacingRepliesCompleteEachCallOnce) {
  const std::string registry = "mem://" + Name();
  auto server = StartEcho(registry);
  Channel channel(registry, {.runtime = std::make_shared<Runtime>(ThreadOptions{.reactors = 1})});
  Echo::Stub echo(channel);
  ASSERT_TRUE(echo.Plain(Request("x")).ok());
  constexpr int kCalls = 20'000;
  constexpr int kAtOnce = 200;
  asio::io_context io;
  std::vector<asio::cancellation_signal> signals(kCalls);
  std::vector<int> completions(kCalls, 0);
  int cancelled = 0;
  int answered = 0;
  for (int first = 0; first < kCalls; first += kAtOnce) {
    for (int i = first; i < first + kAtOnce; ++i) {
      auto done = asio::bind_cancellation_slot(
          signals[static_cast<std::size_t>(i)].slot(),
          asio::bind_executor(io, [&, i](const Result<EchoReply>& reply) {
            ++completions[static_cast<std::size_t>(i)];
            if (reply.ok()) {
              ++answered;
            } else {
              EXPECT_EQ(reply.status().code(), StatusCode::kCancelled) << reply.status().ToString();
              ++cancelled;
            }
          }));
      if (i % 2 == 0) {
        echo.Plain(Request("x"), Timeout(60s), done);
      } else {
        echo.Coroutine(Request("x", i % 4 == 1 ? 1 : 0), Timeout(60s), done);
      }
    }
    for (int i = first; i < first + kAtOnce; ++i) {
      if (i % 3 == 0) signals[static_cast<std::size_t>(i)].emit(asio::cancellation_type::all);
      if (i % 16 == 0) io.poll();
    }
    io.restart();
    io.run();
  }
  for (int i = 0; i < kCalls; ++i) ASSERT_EQ(completions[static_cast<std::size_t>(i)], 1) << i;
  EXPECT_EQ(cancelled + answered, kCalls);
  EXPECT_GT(answered, kCalls / 2);
  EXPECT_TRUE(echo.Plain(Request("x")).ok());
}

TEST(Races, DeadlinesRacingRepliesCompleteEachCallOnce) {
  const std::string registry = "mem://" + Name();
  auto server = StartEcho(registry);
  Channel channel(registry);
  Echo::Stub echo(channel);
  constexpr int kCalls = 3000;
  std::atomic<int> done{0};
  for (int i = 0; i < kCalls; ++i) {
    echo.Coroutine(
        Request("x", 5), Timeout(std::chrono::microseconds(4000 + i % 3000)),
        [&](const Result<EchoReply>& reply) {
          EXPECT_TRUE(reply.ok() || reply.status().code() == StatusCode::kDeadlineExceeded);
          ++done;
        });
  }
  EXPECT_TRUE(WaitUntil([&] { return done >= kCalls; }, 30s));
  EXPECT_TRUE(echo.Plain(Request("x")).ok());
  EXPECT_EQ(done, kCalls);
}

TEST(Races, ChannelMayBeDestroyedInACompletionHandler) {
  const std::string registry = "mem://" + Name();
  auto server = StartEcho(registry);
  for (int round = 0; round < 20; ++round) {
    auto channel = std::make_unique<Channel>(registry);
    auto echo = std::make_unique<Echo::Stub>(*channel);
    if (round % 2 == 0) {  // connected, or not yet
      ASSERT_TRUE(echo->Plain(Request("x")).ok());
    }
    constexpr int kCalls = 50;
    std::atomic<int> done{0};
    std::latch begun(1);
    for (int i = 0; i < kCalls; ++i) {
      echo->Coroutine(Request("x", i == 0 ? 0 : 20), Timeout(60s), [&](const Result<EchoReply>&) {
        begun.wait();
        channel.reset();  // the first; then nothing
        echo.reset();
        ++done;
      });
    }
    begun.count_down();
    ASSERT_TRUE(WaitUntil([&] { return done == kCalls; }, 30s));
  }
}

TEST(Races, ChannelOfFailingCallsMayBeDestroyedInACompletionHandler) {
  RawListener listener;  // accepts, then closes: calls that wait for the connection fail together
  for (int round = 0; round < 5; ++round) {
    auto channel = std::make_unique<Channel>("list://" + listener.address());
    auto echo = std::make_unique<Echo::Stub>(*channel);
    constexpr int kCalls = 20;
    std::atomic<int> done{0};
    for (int i = 0; i < kCalls; ++i) {
      echo->Plain(Request("x"), Timeout(60s), [&](const Result<EchoReply>& reply) {
        EXPECT_FALSE(reply.ok());
        channel.reset();
        echo.reset();
        ++done;
      });
    }
    listener.Accept().Reset();
    ASSERT_TRUE(WaitUntil([&] { return done == kCalls; }, 30s));
    while (listener.SomebodyWaits(0ms)) listener.Accept();
  }
}

TEST(Races, ServerMayBeStoppedByItsOwnHandler) {
  const std::string registry = "mem://" + Name();
  std::unique_ptr<Server> server = std::make_unique<Server>();
  const auto stop = [&](ServerContext&, const EchoRequest&) -> Result<EchoReply> {
    server->Stop();
    return EchoReply();
  };
  server->Add(std::make_unique<FunctionEcho>(stop, nullptr));
  server->RegisterAt(registry);
  ASSERT_TRUE(server->Start().ok());
  Channel channel(registry);
  const Result<EchoReply> reply = Echo::Stub(channel).Plain(Request("x"));
  EXPECT_EQ(reply.status().code(), StatusCode::kUnavailable);
  server->Stop();
}

TEST(Races, HandlersMayCallOnTheirServersOwnRuntime) {
  const std::string registry = "mem://" + Name();
  auto backend = StartEcho(registry, "backend");
  auto runtime = std::make_shared<Runtime>(ThreadOptions{.reactors = 2});
  Channel inner(registry, {.runtime = runtime});
  Echo::Stub next(inner);
  Server server({.runtime = runtime});
  std::atomic<int> started{0};
  server.Add(std::make_unique<FunctionEcho>(
      [&](ServerContext&, const EchoRequest& request) -> Result<EchoReply> {
        next.Plain(request, {}, [&](const Result<EchoReply>& reply) { started += reply.ok(); });
        EXPECT_EQ(next.Plain(request).status().code(), StatusCode::kFailedPrecondition);
        return EchoReply();
      },
      [&](ServerContext& context, const EchoRequest& request, weir::Reply<EchoReply> reply) {
        next.Plain(request, CallOptions().Within(context),
                   [reply = std::move(reply)](Result<EchoReply> result) mutable { reply(result); });
      }));
  ASSERT_TRUE(server.Start().ok());
  Channel channel("list://" + server.address());
  Echo::Stub echo(channel);
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(echo.Plain(Request("x")).ok());
    const Result<EchoReply> reply = echo.Deferred(Request("y"));
    ASSERT_TRUE(reply.ok()) << reply.status().ToString();
    EXPECT_EQ(reply->served_by(), "backend");
  }
  EXPECT_TRUE(WaitUntil([&] { return started == 50; }, 5s));
}

TEST(Races, ReplyMayOutliveTheServerAndItsRuntime) {
  const std::string registry = "mem://" + Name();
  std::mutex mutex;
  std::vector<weir::Reply<EchoReply>> kept;
  {
    Server server;
    server.Add(std::make_unique<FunctionEcho>(
        nullptr, [&](ServerContext&, const EchoRequest&, weir::Reply<EchoReply> reply) {
          const std::lock_guard lock(mutex);
          kept.push_back(std::move(reply));
        }));
    server.RegisterAt(registry);
    ASSERT_TRUE(server.Start().ok());
    Channel channel(registry);
    Echo::Stub echo(channel);
    std::vector<std::future<Result<EchoReply>>> answers;
    for (int i = 0; i < 3; ++i) {
      answers.push_back(echo.Deferred(Request("x"), Timeout(60s), asio::use_future));
    }
    ASSERT_TRUE(WaitUntil(
        [&] {
          const std::lock_guard lock(mutex);
          return kept.size() == 3;
        },
        5s));
    server.Stop();
    for (auto& answer : answers) EXPECT_EQ(answer.get().status().code(), StatusCode::kUnavailable);
  }
  kept[0](EchoReply());
  kept[1](Internal("too late"));
  kept.clear();
}

TEST(Races, RuntimeMayEndWhileHandlersAreSuspended) {
  const std::string registry = "mem://" + Name();
  for (int round = 0; round < 10; ++round) {
    EchoLog log;
    auto server = StartEcho(registry, "a", &log);
    Channel channel(registry);
    Echo::Stub echo(channel);
    std::vector<std::future<Result<EchoReply>>> answers;
    for (int i = 0; i < 20; ++i) {
      answers.push_back(echo.Coroutine(Request("x", 60'000), Timeout(60s), asio::use_future));
    }
    ASSERT_TRUE(WaitUntil([&] { return log.started == 20; }, 10s));
    server.reset();
    for (auto& answer : answers) EXPECT_EQ(answer.get().status().code(), StatusCode::kUnavailable);
  }
}

TEST(Races, LargeMessagesBothWaysDoNotWaitForEachOther) {
  const std::string registry = "mem://" + Name();
  ServerOptions options;
  options.threads.reactors = 1;
  options.limits.unwritten_soft = 64 << 10;
  auto server = StartEcho(registry, "a", nullptr, std::move(options));
  Channel channel(registry);
  Echo::Stub echo(channel);
  const std::string payload(512 << 10, 'x');
  constexpr int kCalls = 100;
  std::atomic<int> right{0};
  std::atomic<int> done{0};
  for (int i = 0; i < kCalls; ++i) {
    echo.Plain(Request(payload), Timeout(60s), [&](const Result<EchoReply>& reply) {
      if (reply.ok() && reply->payload() == payload) ++right;
      ++done;
    });
  }
  EXPECT_TRUE(WaitUntil([&] { return done == kCalls; }, 30s));
  EXPECT_EQ(right, kCalls);
  EXPECT_TRUE(WaitUntil([&] { return done == kCalls; }, 60s));
}

TEST(Drains, F24_RollingRestartUnderLoadFailsNoCall) {
  const std::string registry = "mem://" + Name();
  const auto start = [&](const std::string& name) {
    ServerOptions options;
    options.threads.reactors = 1;
    options.drain_notice = 50ms;
    return StartEcho(registry, name, nullptr, std::move(options));
  };
  std::vector<std::unique_ptr<Server>> servers;
  for (const char* name : {"a", "b", "c"}) servers.push_back(start(name));
  Channel channel(registry);
  Echo::Stub echo(channel);
  ASSERT_TRUE(channel.WaitForProviders("weir.test.Echo", 5s).ok());
  std::atomic<bool> stop{false};
  std::atomic<int> calls{0};
  std::atomic<int> failed{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 3; ++t) {
    callers.emplace_back([&, t] {
      while (!stop) {
        const Result<EchoReply> reply = t == 0   ? echo.Plain(Request("x"), Timeout(10s))
                                        : t == 1 ? echo.Coroutine(Request("x", 3), Timeout(10s))
                                                 : echo.Blocking(Request("x", 1), Timeout(10s));
        ++calls;
        if (!reply.ok()) {
          ++failed;
          ADD_FAILURE() << reply.status().ToString();
        }
      }
    });
  }
  for (int round = 0; round < 2; ++round) {
    for (std::unique_ptr<Server>& server : servers) {
      const int before = calls;
      const auto begun = std::chrono::steady_clock::now();
      server->Drain();
      EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s) << "a drain ran into its timeout";
      server = start("again");
      EXPECT_TRUE(WaitUntil([&] { return calls > before + 50; }, 10s));
    }
  }
  stop = true;
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(failed, 0);
  EXPECT_GT(calls, 300);
}

TEST(Drains, PeerIsToldTwiceWithABarrierBetweenAndRunningCallsEnd) {
  EchoLog log;
  auto server = StartEcho("mem://" + Name(), "a", &log, {.drain_notice = 0ms});
  RawPeer peer(server->port());
  peer.SendSettings();
  wire::RequestMeta meta;
  meta.method = "weir.test.Echo/Coroutine";
  const std::string body = Request("x", 300).SerializeAsString();
  peer.Send(FrameBytes(wire::FrameType::kRequest, 1, EncodeMeta(meta), body));
  ASSERT_TRUE(WaitUntil([&] { return log.started == 1; }, 5s));
  std::thread drain([&] { server->Drain(); });
  const auto first = peer.Next(wire::FrameType::kGoAway);
  const auto barrier = peer.Next(wire::FrameType::kPing);
  ASSERT_TRUE(first && barrier);
  EXPECT_EQ(first->header.id, ~std::uint64_t{0});
  // Sent before the answer to the barrier: still taken.
  peer.Send(FrameBytes(wire::FrameType::kRequest, 3, EncodeMeta(meta), body));
  peer.Send(FrameBytes(wire::FrameType::kPong, barrier->header.id));
  const auto second = peer.Next();
  ASSERT_TRUE(second && second->type() == wire::FrameType::kGoAway);
  EXPECT_EQ(second->header.id, 3u);
  peer.Send(FrameBytes(wire::FrameType::kRequest, 5, EncodeMeta(meta), body));  // too late
  for (int i = 0; i < 2; ++i) {
    const auto reply = peer.Next();
    ASSERT_TRUE(reply && reply->type() == wire::FrameType::kResponse);
    EXPECT_EQ(reply->response().code, 0u);
    EXPECT_LE(reply->header.id, 3u);
  }
  EXPECT_TRUE(peer.IsClosedWithin(2s));
  drain.join();
  EXPECT_EQ(log.started, 2);
}

}  // namespace
}  // namespace weir::test
