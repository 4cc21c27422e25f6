// Calls from a stub to a handler and back, in every form of both.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <chrono>
#include <functional>
#include <future>
#include <string>
#include <vector>

#include "core/echo_service.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class Calls : public ::testing::TestWithParam<ThreadModel> {
 protected:
  Calls()
      : registry_(
            "mem://" +
            std::string(testing::UnitTest::GetInstance()->current_test_info()->test_suite_name()) +
            testing::UnitTest::GetInstance()->current_test_info()->name()),
        server_(
            StartEcho(registry_, "a", &log_, {.threads = {.model = GetParam(), .reactors = 2}})),
        channel_(registry_),
        echo_(channel_) {}

  static EchoRequest Request(std::string payload, int delay_ms = 0) {
    EchoRequest request;
    request.set_payload(std::move(payload));
    request.set_delay_ms(delay_ms);
    return request;
  }

  EchoLog log_;
  std::string registry_;
  std::unique_ptr<Server> server_;
  Channel channel_;
  Echo::Stub echo_;
};

std::vector<ThreadModel> ModelsInOneProcess() {
  std::vector<ThreadModel> models(AllThreadModels().begin(), AllThreadModels().end());
  std::erase(models, ThreadModel::kPrefork);
  return models;
}

INSTANTIATE_TEST_SUITE_P(Models, Calls, ::testing::ValuesIn(ModelsInOneProcess()),
                         [](const auto& model) {
                           return std::string(ThreadModelName(model.param));
                         });

TEST_P(Calls, BlockingStubReachesEveryFormOfHandler) {
  const EchoRequest request = Request("hello", 1);
  for (const auto& result : {echo_.Plain(request), echo_.Coroutine(request),
                             echo_.Deferred(request), echo_.Blocking(request)}) {
    ASSERT_TRUE(result.ok()) << result.status().ToString();
    EXPECT_EQ(result->payload(), "hello");
    EXPECT_EQ(result->served_by(), "a");
  }
}

TEST_P(Calls, CompletionTokensCompleteOnce) {
  std::promise<Result<EchoReply>> called;
  echo_.Plain(Request("callback"), {},
              [&](Result<EchoReply> result) { called.set_value(std::move(result)); });
  EXPECT_EQ(called.get_future().get()->payload(), "callback");

  std::future<Result<EchoReply>> future = echo_.Plain(Request("future"), {}, asio::use_future);
  EXPECT_EQ(future.get()->payload(), "future");

  asio::io_context io;
  std::string seen;
  asio::co_spawn(
      io,
      [&]() -> asio::awaitable<void> {
        for (int i = 0; i < 3; ++i) {
          Result<EchoReply> reply = co_await echo_.Coroutine(
              Request("await", 1),
              CallOptions().WithTimeout(5s).WithKey("k").WithMetadata("m", "v"),
              asio::use_awaitable);
          seen += reply->payload();
        }
      },
      asio::detached);
  io.run();
  EXPECT_EQ(seen, "awaitawaitawait");
}

TEST_P(Calls, CompletionRunsOnTheExecutorOfItsHandler) {
  asio::io_context io;
  std::thread::id ran_on;
  echo_.Plain(Request("x"), {}, asio::bind_executor(io, [&](const Result<EchoReply>&) {
                ran_on = std::this_thread::get_id();
              }));
  io.run();  // keeps running until the call has ended
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST_P(Calls, RepliesMayBeTakenOrLeft) {
  // Handlers take the reply with them or leave it where it was parsed; calls between them fail.
  constexpr int kCalls = 300;
  std::vector<EchoReply> taken;
  std::string wrong;
  std::promise<void> over;
  std::function<void(int)> call = [&](int i) {
    if (i == kCalls) return over.set_value();
    const std::string text(i % 7 == 0 ? 5'000 : 20, static_cast<char>('a' + i % 26));
    EchoRequest request = Request(text);
    if (i % 3 == 0) {
      echo_.Plain(request, {}, [&, i](Result<EchoReply> reply) {
        taken.push_back(*std::move(reply));
        call(i + 1);
      });
    } else if (i % 3 == 1) {
      echo_.Plain(request, {}, [&, i, text](const Result<EchoReply>& reply) {
        if (reply->payload() != text) wrong += std::to_string(i) + " ";
        call(i + 1);
        if (reply->payload() != text) wrong += std::to_string(i) + " after ";
      });
    } else {
      request.set_code(5);
      echo_.Plain(request, {}, [&, i](const Result<EchoReply>& reply) {
        if (reply.status().code() != StatusCode::kNotFound) wrong += std::to_string(i) + " ";
        call(i + 1);
      });
    }
  };
  call(0);
  over.get_future().wait();
  EXPECT_EQ(wrong, "");
  ASSERT_EQ(taken.size(), kCalls / 3u);
  for (int i = 0; i < kCalls; i += 3) {
    const std::string text(i % 7 == 0 ? 5'000 : 20, static_cast<char>('a' + i % 26));
    EXPECT_EQ(taken[static_cast<std::size_t>(i / 3)].payload(), text);
  }
}

TEST_P(Calls, CoroutineCallAfterACancelledOneIsNotCancelled) {
  // A coroutine of the server's takes one call after the other.
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(echo_.Coroutine(Request("x", 10'000), Timeout(5ms)).status().code(),
              StatusCode::kDeadlineExceeded);
    const Result<EchoReply> next = echo_.Coroutine(Request("y", 1));
    ASSERT_TRUE(next.ok()) << next.status().ToString();
    EXPECT_EQ(next->payload(), "y");
  }
  std::vector<std::future<Result<EchoReply>>> many;
  for (int i = 0; i < 400; ++i) {
    many.push_back(echo_.Coroutine(Request(std::to_string(i), 1 + i % 5), {}, asio::use_future));
  }
  for (int i = 0; i < 400; ++i) {
    EXPECT_EQ(many[static_cast<std::size_t>(i)].get()->payload(), std::to_string(i));
  }
}

TEST_P(Calls, StatusTravelsWithCodeMessageAndDetails) {
  EchoRequest request;
  for (int code = 1; code <= 16; ++code) {
    request.set_code(code);
    const Result<EchoReply> result = echo_.Plain(request);
    EXPECT_EQ(static_cast<int>(result.status().code()), code);
    EXPECT_EQ(result.status().message(), "as asked");
    EXPECT_EQ(result.status().details(), "details");
  }
}

TEST_P(Calls, F19_HandlerThatThrowsOrDropsItsReplyIsInternal) {
  for (const auto& result : {echo_.Plain(Request("throw")), echo_.Coroutine(Request("throw")),
                             echo_.Blocking(Request("throw"))}) {
    EXPECT_EQ(result.status().code(), StatusCode::kInternal);
    EXPECT_THAT(std::string(result.status().message()), HasSubstr("as asked"));
  }
  const Result<EchoReply> dropped = echo_.Deferred(Request("drop"));
  EXPECT_EQ(dropped.status().code(), StatusCode::kInternal);
  EXPECT_TRUE(echo_.Plain(Request("still alive")).ok());
}

TEST_P(Calls, DeadlineEndsTheCallAndTellsTheHandler) {
  const auto start = std::chrono::steady_clock::now();
  const Result<EchoReply> late = echo_.Coroutine(Request("x", 10'000), Timeout(50ms));
  EXPECT_EQ(late.status().code(), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(late.status().message()), HasSubstr("weir.test.Echo/Coroutine"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
  const Result<EchoReply> never = echo_.Deferred(Request("never"), Timeout(50ms));
  EXPECT_EQ(never.status().code(), StatusCode::kDeadlineExceeded);
  const auto give_up = std::chrono::steady_clock::now() + 5s;
  while (log_.cancelled < 2 && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::yield();
  }
  EXPECT_EQ(log_.cancelled, 2);
}

TEST_P(Calls, DeadlineReachesTheHandlerAndCallsMadeInIt) {
  EXPECT_EQ(echo_.Plain(Request("x"), Timeout(0ms)).status().code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(log_.started, 0);
}

TEST_P(Calls, CancellationReachesTheHandler) {
  asio::io_context io;
  asio::cancellation_signal stop;
  Status status;
  echo_.Coroutine(Request("x", 10'000), {},
                  asio::bind_cancellation_slot(
                      stop.slot(), asio::bind_executor(io, [&](Result<EchoReply> result) {
                        status = std::move(result).status();
                      })));
  while (log_.started == 0) std::this_thread::yield();
  asio::post(io, [&] { stop.emit(asio::cancellation_type::all); });
  io.run();
  EXPECT_EQ(status.code(), StatusCode::kCancelled);
  const auto give_up = std::chrono::steady_clock::now() + 5s;
  while (log_.cancelled == 0 && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::yield();
  }
  EXPECT_EQ(log_.cancelled, 1);
}

TEST_P(Calls, MessagesAndAttachmentsOfEverySizeComeBackAsTheyWere) {
  std::string bytes;
  for (const std::size_t size :
       {0u, 1u, 1000u, 16'384u, 70'000u, 131'072u, 1'000'000u, 9'000'000u}) {
    bytes.resize(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 2654435761u >> 13);
    Buffer back;
    const Result<EchoReply> result = echo_.Plain(
        Request(bytes), CallOptions().WithAttachment(Buffer::Copy(bytes)).ReceiveAttachment(&back));
    ASSERT_TRUE(result.ok()) << size << ": " << result.status().ToString();
    EXPECT_EQ(result->payload(), bytes);
    EXPECT_EQ(back.ToString(), bytes);
  }
}

TEST_P(Calls, MessageAboveTheLimitIsRefusedAndTheConnectionStays) {
  const Result<EchoReply> result = echo_.Plain(Request(std::string(17u << 20, 'x')));
  EXPECT_EQ(result.status().code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(echo_.Plain(Request("x")).ok());
}

TEST_P(Calls, ChecksumsAreVerified) {
  Channel channel(registry_, {.checksum = true});
  Echo::Stub echo(channel);
  Buffer back;
  const Result<EchoReply> result =
      echo.Plain(Request(std::string(50'000, 'x')),
                 CallOptions().WithAttachment(Buffer::Copy("attached")).ReceiveAttachment(&back));
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(back.ToString(), "attached");
}

TEST_P(Calls, ManyThreadsManyCallsEachGetsItsOwnAnswer) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        const std::string payload = std::to_string(t) + ":" + std::to_string(i);
        const Result<EchoReply> result =
            i % 2 == 0 ? echo_.Plain(Request(payload)) : echo_.Coroutine(Request(payload));
        if (!result.ok() || result->payload() != payload) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_P(Calls, TenThousandCallsAtOnceOnOneConnection) {
  constexpr int kCalls = 10'000;
  std::atomic<int> right{0};
  std::promise<void> all;
  std::atomic<int> left{kCalls};
  for (int i = 0; i < kCalls; ++i) {
    const std::string payload = std::to_string(i);
    echo_.Coroutine(Request(payload, i % 3), Timeout(60s), [&, payload](Result<EchoReply> result) {
      if (result.ok() && result->payload() == payload) ++right;
      if (--left == 0) all.set_value();
    });
  }
  all.get_future().wait();
  EXPECT_EQ(right, kCalls);
}

TEST_P(Calls, BlockingCallOnAReactorIsRefusedInsteadOfWaitingForEver) {
  std::promise<StatusCode> code;
  echo_.Plain(Request("x"), {}, [&](const Result<EchoReply>&) {
    code.set_value(echo_.Plain(Request("y")).status().code());
  });
  EXPECT_EQ(code.get_future().get(), StatusCode::kFailedPrecondition);
}

TEST_P(Calls, ClosingTheChannelEndsItsCalls) {
  auto channel = std::make_unique<Channel>(registry_);
  Echo::Stub echo(*channel);
  auto running = echo.Coroutine(Request("x", 60'000), Timeout(60s), asio::use_future);
  while (log_.started == 0) std::this_thread::yield();
  channel.reset();
  EXPECT_EQ(running.get().status().code(), StatusCode::kCancelled);
  EXPECT_EQ(echo.Plain(Request("x")).status().code(), StatusCode::kCancelled);
}

TEST_P(Calls, StoppingTheServerEndsItsCallsWithUnavailable) {
  auto running = echo_.Coroutine(Request("x", 60'000), Timeout(60s), asio::use_future);
  while (log_.started == 0) std::this_thread::yield();
  server_->Stop();
  const Result<EchoReply> result = running.get();
  EXPECT_EQ(result.status().code(), StatusCode::kUnavailable) << result.status().ToString();
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("may have run"));
}

TEST(Channels, MistakesAreToldByStatusAndByEveryCall) {
  for (const auto& [url, balance, told] :
       std::vector<std::tuple<std::string, std::string, std::string>>{
           {"nonsense", "random", "expected scheme://"},
           {"carrier-pigeon://x", "random", "unknown scheme 'carrier-pigeon'"},
           {"mem://m", "best", "unknown load balance 'best'"}}) {
    Channel channel(url, {.load_balance = balance});
    EXPECT_EQ(channel.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(channel.status().message()), HasSubstr(told));
    EXPECT_EQ(Echo::Stub(channel).Plain({}).status(), channel.status());
  }
}

TEST(Channels, NoProviderIsUnavailableAtOnceUnlessTheCallWaits) {
  Channel channel("mem://nobody");
  Echo::Stub echo(channel);
  const Result<EchoReply> result = echo.Plain({});
  EXPECT_EQ(result.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("weir.test.Echo"));
  auto waiting = echo.Plain({}, CallOptions().WaitForReady().WithTimeout(30s), asio::use_future);
  const auto server = StartEcho("mem://nobody");
  EXPECT_TRUE(waiting.get().ok());
}

TEST(Servers, ListenTakesThePortAndStartServesOnIt) {
  Server server;
  EXPECT_TRUE(server.Listen().ok());
  const std::string address = server.address();
  EXPECT_NE(server.port(), 0);
  Server other({.listen = address});
  const Status taken = other.Listen();
  EXPECT_EQ(taken.code(), StatusCode::kUnavailable);
  EXPECT_THAT(std::string(taken.message()), HasSubstr(address));
  server.Add(std::make_unique<EchoService>());
  server.RegisterAt("mem://listen-then-start");
  ASSERT_TRUE(server.Start().ok());
  EXPECT_EQ(server.address(), address);
  ASSERT_TRUE(server.WaitUntilRegistered(5s).ok());
  Channel channel("mem://listen-then-start");
  EXPECT_TRUE(Echo::Stub(channel).Plain({}).ok());
}

TEST(Channels, CallsMayBeMadeAsSoonAsWaitForProvidersReturns) {
  for (int i = 0; i < 50; ++i) {
    const std::string registry = "mem://wait" + std::to_string(i);
    Channel channel(registry, {.threads = {.reactors = 4}});
    Echo::Stub echo(channel);
    EXPECT_EQ(channel.WaitForProviders("weir.test.Echo", 0ms).code(),
              StatusCode::kDeadlineExceeded);
    auto starting = std::async(std::launch::async, [&] { return StartEcho(registry); });
    ASSERT_TRUE(channel.WaitForProviders("weir.test.Echo", 30s).ok());
    const Result<EchoReply> result = echo.Plain({});
    EXPECT_TRUE(result.ok()) << result.status().ToString();
    starting.get();
  }
}

}  // namespace
}  // namespace weir::test
