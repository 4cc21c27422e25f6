// Many calls at once on one connection, of all sizes, from many threads. The short form runs
// always, the full one by "ctest -L slow".
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "buffer/io_budget.h"
#include "core/echo_service.h"
#include "support/process.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;
using testing::WaitUntil;

#ifdef WEIR_FULL_FORM
constexpr int kRounds = 40;
constexpr int kCallsOfAThread = 20'000;
#else
constexpr int kRounds = 2;
constexpr int kCallsOfAThread = 300;
#endif

EchoRequest Request(std::string payload, int delay_ms = 0) {
  EchoRequest request;
  request.set_payload(std::move(payload));
  request.set_delay_ms(delay_ms);
  return request;
}

// Keeps every call until so many are there, then answers the last one first.
class GateService final : public Echo::Service<GateService> {
 public:
  explicit GateService(std::size_t awaited) : awaited_(awaited) {}

  Result<EchoReply> Plain(ServerContext&, const EchoRequest& request) { return Answer(request); }
  Result<EchoReply> Coroutine(ServerContext&, const EchoRequest& request) {
    return Answer(request);
  }
  void Deferred(ServerContext&, const EchoRequest& request, Reply<EchoReply> reply) {
    std::vector<Held> released;
    {
      const std::lock_guard lock(mutex_);
      held_.push_back({Answer(request), std::move(reply)});
      if (held_.size() == awaited_) released.swap(held_);
    }
    for (auto held = released.rbegin(); held != released.rend(); ++held) held->reply(held->answer);
  }
  Result<EchoReply> Blocking(ServerContext&, const EchoRequest& request) { return Answer(request); }
  Result<EchoReply> Idempotent(ServerContext&, const EchoRequest& request) {
    return Answer(request);
  }

 private:
  struct Held {
    EchoReply answer;
    Reply<EchoReply> reply;
  };
  static EchoReply Answer(const EchoRequest& request) {
    EchoReply reply;
    reply.set_payload(request.payload());
    return reply;
  }

  const std::size_t awaited_;
  std::mutex mutex_;
  std::vector<Held> held_;
};

TEST(ManyCalls, TenThousandAtOnceShareOneConnection) {
  constexpr std::size_t kCalls = 10'000;
  ServerOptions server_options;
  server_options.limits.max_calls_per_connection = kCalls;
  Server server(std::move(server_options));
  server.Add(std::make_unique<GateService>(kCalls));
  ASSERT_TRUE(server.Start().ok());
  Channel channel("list://" + server.address(), {.timeout = 60s});
  Echo::Stub echo(channel);
  for (int round = 0; round < kRounds; ++round) {
    std::atomic<std::size_t> right{0};
    std::atomic<std::size_t> ended{0};
    for (std::size_t i = 0; i < kCalls; ++i) {
      echo.Deferred(Request(std::to_string(i)), {}, [&, i](Result<EchoReply> reply) {
        right += reply.ok() && reply->payload() == std::to_string(i) ? 1 : 0;
        ++ended;
      });
    }
    ASSERT_TRUE(WaitUntil([&] { return ended == kCalls; }, 60s)) << ended;
    EXPECT_EQ(right, kCalls);
  }
  EXPECT_EQ(server.stats().connections_accepted, 1u);
}

// Bytes that differ from call to call and from place to place.
std::string Content(std::size_t bytes, std::uint32_t seed) {
  std::string content(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) {
    if (i % 4096 == 0) seed = seed * 1'664'525 + 1'013'904'223;
    content[i] = static_cast<char>(seed >> (i % 24));
  }
  return content;
}

TEST(ManyCalls, OfAllSizesAtOnceArriveWholeInBoundedMemory) {
  constexpr std::size_t kMost = 64u << 20;
  const std::size_t before = IoBudget::used();
  {
    ServerOptions server_options;
    server_options.limits.max_message_bytes = kMost + 1024;
    server_options.limits.unwritten_hard = 512u << 20;
    Server server(std::move(server_options));
    server.Add(std::make_unique<EchoService>());
    ASSERT_TRUE(server.Start().ok());
    ChannelOptions options;
    options.timeout = 120s;
    options.max_message_bytes = kMost + 1024;
    options.checksum = true;
    Channel channel("list://" + server.address(), options);
    Echo::Stub echo(channel);
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    for (int round = 0; round < kRounds; ++round) {
      // Of message and attachment.
      std::vector<std::pair<std::size_t, std::size_t>> sizes = {{0, 0},
                                                                {1, 0},
                                                                {0, 1},
                                                                {31, 33},
                                                                {1000, 4096},
                                                                {65'535, 0},
                                                                {65'536, 0},
                                                                {65'537, 65'537},
                                                                {0, 131'072},
                                                                {1u << 20, 0},
                                                                {0, 1u << 20},
                                                                {100, 4'000'000},
                                                                {5'000'001, 300'000}};
      sizes.push_back(round % 2 == 0 ? std::pair{kMost, std::size_t{0}}
                                     : std::pair{std::size_t{10}, kMost});
      std::shuffle(sizes.begin(), sizes.end(), random);
      std::size_t total = 0;
      for (const auto& [message, attachment] : sizes) total += message + attachment;
      std::atomic<int> ended{0};
      std::atomic<int> wrong{0};
      std::vector<Buffer> returned(sizes.size());
      for (std::size_t i = 0; i < sizes.size(); ++i) {
        const auto [message, attachment] = sizes[i];
        const auto salt = static_cast<std::uint32_t>(i);
        echo.Plain(Request(Content(message, salt)),
                   CallOptions()
                       .WithAttachment(Buffer(Content(attachment, salt + 100)))
                       .ReceiveAttachment(&returned[i]),
                   [&, i, salt](Result<EchoReply> reply) {
                     const auto [body, attached] = sizes[i];
                     if (!reply.ok() || reply->payload() != Content(body, salt) ||
                         returned[i].ToString() != Content(attached, salt + 100)) {
                       ADD_FAILURE()
                           << body << ", " << attached << ": " << reply.status().ToString();
                       ++wrong;
                     }
                     ++ended;
                   });
      }
      std::size_t peak = 0;
      ASSERT_TRUE(WaitUntil(
          [&] {
            peak = std::max(peak, IoBudget::used() - before);
            return ended == static_cast<int>(sizes.size());
          },
          120s));
      EXPECT_EQ(wrong, 0);
      // Once on the way in and once on the way out, on both sides.
      EXPECT_LE(peak, 4 * total);
    }
    EXPECT_EQ(server.stats().connections_accepted, 1u);
  }
  EXPECT_LE(IoBudget::used(), before + (8u << 20));  // threads keep some blocks for the next call
}

TEST(ManyCalls, AMessageAndAnAttachmentMayBothBeAsLargeAsAllowed) {
  Server server;
  server.Add(std::make_unique<EchoService>());
  ASSERT_TRUE(server.Start().ok());
  Channel channel("list://" + server.address(), {.timeout = 60s});
  Echo::Stub echo(channel);
  const EchoRequest request = Request(Content((16u << 20) - 1024, 1));
  Buffer answer;
  const auto reply = echo.Plain(
      request,
      CallOptions().WithAttachment(Buffer(Content(64u << 20, 2))).ReceiveAttachment(&answer));
  ASSERT_TRUE(reply.ok()) << reply.status().ToString();
  EXPECT_EQ(reply->payload(), request.payload());
  EXPECT_EQ(answer.size(), 64u << 20);
}

TEST(ManyCalls, OfManyThreadsReachTheirCallers) {
  Server server({.threads = {.model = ThreadModel::kMultiReactor, .reactors = 2}});
  server.Add(std::make_unique<EchoService>());
  ASSERT_TRUE(server.Start().ok());
  ChannelOptions options;
  options.timeout = 60s;
  options.threads = {.model = ThreadModel::kMultiReactor, .reactors = 2};
  options.connections_per_provider = 3;
  Channel channel("list://" + server.address(), options);
  std::atomic<int> wrong{0};
  std::atomic<int> pending{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 8; ++caller) {
    callers.emplace_back([&, caller] {
      Echo::Stub echo(channel);
      for (int i = 0; i < kCallsOfAThread; ++i) {
        const std::string payload = std::to_string(caller) + ":" + std::to_string(i);
        const auto check = [&wrong, payload](const Result<EchoReply>& reply) {
          if (!reply.ok() || reply->payload() != payload) ++wrong;
        };
        switch ((caller + i) % 4) {
          case 0:
            check(echo.Plain(Request(payload)));
            break;
          case 1:
            ++pending;
            echo.Coroutine(Request(payload, i % 2), {}, [&pending, check](Result<EchoReply> reply) {
              check(reply);
              --pending;
            });
            break;
          case 2:
            check(echo.Blocking(Request(payload)));
            break;
          default:
            ++pending;
            echo.Plain(Request(payload), {}, [&pending, check](Result<EchoReply> reply) {
              check(reply);
              --pending;
            });
        }
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_TRUE(WaitUntil([&] { return pending == 0; }, 60s));
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace weir::test
