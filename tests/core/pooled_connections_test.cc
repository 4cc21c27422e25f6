// Channels with several connections to a provider.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "core/echo_service.h"
#include "fault/raw_peer.h"
#include "support/process.h"

namespace weir::test {
namespace {

using ::testing::HasSubstr;
using testing::WaitUntil;
using wire::FrameType;

EchoRequest Request(int delay_ms = 0, std::string payload = "x") {
  EchoRequest request;
  request.set_payload(std::move(payload));
  request.set_delay_ms(delay_ms);
  return request;
}

// A client connection accepted by hand, past the handshake.
RawPeer Shake(RawListener& listener) {
  RawPeer peer = listener.Accept();
  EXPECT_TRUE(peer.Next(FrameType::kSettings));
  EXPECT_TRUE(peer.Send(ServerSettings()));
  return peer;
}

class PooledConnections : public ::testing::Test {
 protected:
  static ChannelOptions Pooled(std::uint32_t connections) {
    ChannelOptions options;
    options.connections_per_provider = connections;
    options.timeout = 20s;
    return options;
  }
  // Calls that end when the test says so, counted.
  void Call(Echo::Stub& echo, EchoRequest request = Request()) {
    echo.Plain(std::move(request), {},
               [this](Result<EchoReply> reply) { ++(reply.ok() ? succeeded_ : failed_); });
  }
  static std::string ReplyTo(const RawFrame& request) {
    EchoReply reply;
    reply.set_payload("x");
    return FrameBytes(FrameType::kResponse, request.header.id, {}, reply.SerializeAsString());
  }

  std::atomic<int> succeeded_{0};
  std::atomic<int> failed_{0};
};

TEST_F(PooledConnections, AreMadeAsCallsFindTheOthersOccupied) {
  EchoLog log;
  Server server({.threads = {.model = ThreadModel::kMultiReactor, .reactors = 2}});
  server.Add(std::make_unique<EchoService>("a", &log));
  ASSERT_TRUE(server.Start().ok());
  Channel channel("list://" + server.address(), Pooled(3));
  Echo::Stub echo(channel);
  // One call after the other needs one connection.
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(echo.Plain(Request()).ok());
  EXPECT_EQ(server.stats().connections_open, 1u);
  std::atomic<int> ended{0};
  const auto count = [&](const Result<EchoReply>& reply) { ended += reply.ok() ? 1 : 100; };
  int made = 0;
  ASSERT_TRUE(WaitUntil(
      [&] {
        echo.Coroutine(Request(100), {}, count);
        ++made;
        return server.stats().connections_open == 3;
      },
      10s));
  for (int i = 0; i < 100; ++i) echo.Coroutine(Request(1), {}, count);
  made += 100;
  EXPECT_TRUE(WaitUntil([&] { return ended == made; }, 20s)) << ended << " of " << made;
  EXPECT_EQ(server.stats().connections_open, 3u);
  EXPECT_EQ(server.stats().connections_accepted, 3u);
}

TEST_F(PooledConnections, ASingleOneIsTheDefault) {
  Server server;
  server.Add(std::make_unique<EchoService>());
  ASSERT_TRUE(server.Start().ok());
  Channel channel("list://" + server.address());
  Echo::Stub echo(channel);
  std::atomic<int> ended{0};
  for (int i = 0; i < 200; ++i) {
    echo.Coroutine(Request(20), {}, [&](const Result<EchoReply>&) { ++ended; });
  }
  ASSERT_TRUE(WaitUntil([&] { return ended == 200; }, 20s));
  EXPECT_EQ(server.stats().connections_accepted, 1u);
}

TEST_F(PooledConnections, ACallTakesTheOneWithTheFewestInFlight) {
  RawListener listener;
  Channel channel("list://" + listener.address(), Pooled(2));
  Echo::Stub echo(channel);
  Call(echo);
  RawPeer first = Shake(listener);
  auto stuck = first.Next(FrameType::kRequest);
  ASSERT_TRUE(stuck);
  Call(echo);  // finds it occupied, and uses it while another is made
  ASSERT_TRUE(first.Next(FrameType::kRequest));
  RawPeer second = Shake(listener);
  // The first has two that never end: what comes now goes to the second, as long as it answers.
  // One call shows that it is ready; it may still have gone to the first.
  int on_second = 0;
  for (int i = 0; i < 20; ++i) {
    const int before = succeeded_;
    Call(echo);
    auto request = second.Next(FrameType::kRequest, i == 0 ? 300ms : 10s);
    if (!request) continue;
    ++on_second;
    ASSERT_TRUE(second.Send(ReplyTo(*request)));
    ASSERT_TRUE(WaitUntil([&] { return succeeded_ == before + 1; }, 10s));
  }
  EXPECT_GE(on_second, 19);
  EXPECT_FALSE(listener.SomebodyWaits(50ms));  // two are enough
  EXPECT_EQ(failed_, 0);
}

TEST_F(PooledConnections, LosingOneDoesNotExcludeTheProvider) {
  for (const bool lose_first : {true, false}) {
    SCOPED_TRACE(lose_first);
    RawListener listener;
    auto channel = std::make_unique<Channel>("list://" + listener.address(), Pooled(2));
    Echo::Stub echo(*channel);
    succeeded_ = failed_ = 0;
    Call(echo);
    RawPeer first = Shake(listener);
    auto held = first.Next(FrameType::kRequest);
    ASSERT_TRUE(held);
    Call(echo);
    ASSERT_TRUE(first.Next(FrameType::kRequest));
    RawPeer second = Shake(listener);
    // Ready when a call comes there.
    std::optional<RawFrame> there;
    for (int i = 0; i < 20 && !there; ++i) {
      Call(echo);
      there = second.Next(FrameType::kRequest, 200ms);
    }
    ASSERT_TRUE(there);
    RawPeer& lost = lose_first ? first : second;
    RawPeer& kept = lose_first ? second : first;
    lost.Reset();
    ASSERT_TRUE(WaitUntil([&] { return failed_ > 0; }, 10s));
    // No exclusion: the next call is sent at once, over the other one.
    std::promise<Result<EchoReply>> next;
    echo.Plain(Request(0, "after"), {},
               [&](Result<EchoReply> reply) { next.set_value(std::move(reply)); });
    while (auto request = kept.Next(FrameType::kRequest)) {
      ASSERT_TRUE(kept.Send(ReplyTo(*request)));
      EchoRequest asked;
      ASSERT_TRUE(asked.ParseFromString(request->body));
      if (asked.payload() == "after") break;
    }
    const auto reply = next.get_future().get();
    EXPECT_TRUE(reply.ok()) << reply.status().ToString();
    channel.reset();
  }
}

TEST_F(PooledConnections, AGoawayOnOneLetsTheOtherGoOn) {
  RawListener listener;
  Channel channel("list://" + listener.address(), Pooled(2));
  Echo::Stub echo(channel);
  Call(echo);
  RawPeer first = Shake(listener);
  auto running = first.Next(FrameType::kRequest);
  ASSERT_TRUE(running);
  Call(echo);
  auto refused = first.Next(FrameType::kRequest);
  ASSERT_TRUE(refused);
  RawPeer second = Shake(listener);
  // The one above the last id was not started: it comes again, over the other connection.
  ASSERT_TRUE(first.Send(FrameBytes(FrameType::kGoAway, running->header.id)));
  auto again = second.Next(FrameType::kRequest);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->body, refused->body);
  ASSERT_TRUE(second.Send(ReplyTo(*again)));
  ASSERT_TRUE(first.Send(ReplyTo(*running)));
  EXPECT_TRUE(WaitUntil([&] { return succeeded_ == 2; }, 10s));
  EXPECT_EQ(failed_, 0);
}

TEST_F(PooledConnections, ADrainedServerLosesNoCall) {
  auto first = StartEcho("mem://pooled-drain", "a");
  auto second = StartEcho("mem://pooled-drain", "b");
  Channel channel("mem://pooled-drain", Pooled(4));
  Echo::Stub echo(channel);
  std::atomic<bool> stop{false};
  std::atomic<int> done{0};
  std::atomic<int> failures{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 6; ++i) {
    callers.emplace_back([&] {
      while (!stop) {
        failures += echo.Coroutine(Request(1)).ok() ? 0 : 1;
        ++done;
      }
    });
  }
  EXPECT_TRUE(WaitUntil([&] { return first->stats().connections_open > 1; }, 10s));
  first->Drain();
  const int drained = done;
  EXPECT_TRUE(WaitUntil([&] { return done > drained + 100; }, 10s));
  stop = true;
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(failures, 0);
}

TEST_F(PooledConnections, ADeadProviderIsNotStormed) {
  std::uint16_t port = 0;
  {
    Server server;
    server.Add(std::make_unique<EchoService>());
    ASSERT_TRUE(server.Start().ok());
    port = server.port();
  }
  Channel channel("list://127.0.0.1:" + std::to_string(port), Pooled(64));
  Echo::Stub echo(channel);
  for (int i = 0; i < 300; ++i) Call(echo);
  ASSERT_TRUE(WaitUntil([&] { return failed_ == 300; }, 20s));
  // Back again: it is found.
  Server server({.listen = "127.0.0.1:" + std::to_string(port)});
  server.Add(std::make_unique<EchoService>());
  ASSERT_TRUE(server.Start().ok());
  EXPECT_TRUE(echo.Plain(Request(), CallOptions().WaitForReady()).ok());
  EXPECT_EQ(server.stats().connections_accepted, 1u);
}

TEST_F(PooledConnections, ThoseThatAreNotNeededAreClosed) {
  Server server;
  server.Add(std::make_unique<EchoService>());
  ASSERT_TRUE(server.Start().ok());
  ChannelOptions options = Pooled(3);
  options.idle_timeout = 200ms;
  Channel channel("list://" + server.address(), options);
  Echo::Stub echo(channel);
  int made = 0;
  ASSERT_TRUE(WaitUntil(
      [&] {
        Call(echo, Request(5));
        Call(echo, Request(5));
        made += 2;
        return server.stats().connections_open >= 2;
      },
      10s));
  ASSERT_TRUE(WaitUntil([&] { return succeeded_ == made; }, 20s));
  // One call after the other keeps one connection alive.
  EXPECT_TRUE(WaitUntil(
      [&] { return echo.Plain(Request()).ok() && server.stats().connections_open == 1; }, 10s));
  EXPECT_TRUE(WaitUntil([&] { return server.stats().connections_open == 0; }, 10s));
  EXPECT_TRUE(echo.Plain(Request()).ok());
}

TEST_F(PooledConnections, TheirNumberIsChecked) {
  EXPECT_THAT(Channel("list://h:1", Pooled(0)).status().ToString(), HasSubstr("between 1 and 64"));
  EXPECT_THAT(Channel("list://h:1", Pooled(65)).status().ToString(), HasSubstr("between 1 and 64"));
}

}  // namespace
}  // namespace weir::test
