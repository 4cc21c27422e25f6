// What providers say of their load, with their answers and when they are asked.
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>

#include "core/echo_service.h"
#include "fault/raw_peer.h"
#include "support/process.h"
#include "weir/endpoint.h"

namespace weir::test {
namespace {

using weir::testing::WaitUntil;
using wire::FrameType;

// A consumer that speaks the protocol by hand.
class Consumer {
 public:
  Consumer(const Server& server, bool load_reports) : peer_(server.port()) {
    wire::SettingsMeta settings;
    settings.load_reports = load_reports;
    std::string meta(wire::SettingsMeta::kMaxBytes, '\0');
    meta.resize(settings.Encode(meta.data()));
    EXPECT_TRUE(peer_.Send(FrameBytes(FrameType::kSettings, 0, meta)));
    EXPECT_TRUE(peer_.Next(FrameType::kSettings).has_value());
  }

  void Call(std::uint64_t id, std::string_view method, int delay_ms = 0, int code = 0) {
    wire::RequestMeta meta;
    const std::string name = "weir.test.Echo/" + std::string(method);
    meta.method = name;
    std::string bytes(meta.MaxBytes(nullptr), '\0');
    bytes.resize(meta.Encode(bytes.data(), nullptr));
    EchoRequest request;
    request.set_delay_ms(delay_ms);
    request.set_code(code);
    EXPECT_TRUE(
        peer_.Send(FrameBytes(FrameType::kRequest, id, bytes, request.SerializeAsString())));
  }
  // What the next answer says.
  std::optional<LoadReport> Answer() {
    const auto frame = peer_.Next(FrameType::kResponse);
    if (!frame) {
      ADD_FAILURE() << "no answer";
      return {};
    }
    const auto load = frame->response().load;
    if (!load) return {};
    return LoadReport::Unpack(*load);
  }
  std::optional<LoadReport> Ask(std::uint64_t id) {
    EXPECT_TRUE(peer_.Send(FrameBytes(FrameType::kLoadAsk, id)));
    const auto frame = peer_.Next(FrameType::kLoad, 2s);
    if (!frame) return {};
    EXPECT_EQ(frame->header.id, id);
    wire::LoadMeta meta;
    EXPECT_TRUE(meta.Decode(frame->meta));
    return LoadReport::Unpack(meta.load);
  }
  RawPeer& peer() { return peer_; }

 private:
  RawPeer peer_;
};

std::unique_ptr<Server> StartServer(ThreadOptions threads, std::uint32_t slots = 0) {
  return StartEcho("mem://load-report", {}, nullptr, {.threads = threads, .load_slots = slots});
}

struct Shape {
  const char* name;
  ThreadOptions threads;
  std::uint32_t slots;
};

class LoadSlots : public ::testing::TestWithParam<Shape> {};

INSTANTIATE_TEST_SUITE_P(
    Models, LoadSlots,
    ::testing::Values(
        Shape{"single_reactor", {.model = ThreadModel::kSingleReactor, .reactors = 3}, 1},
        Shape{"single_reactor_workers",
              {.model = ThreadModel::kSingleReactorWorkers, .workers = 7},
              7},
        Shape{"multi_reactor", {.model = ThreadModel::kMultiReactor, .reactors = 3}, 3},
        Shape{"multi_reactor_workers",
              {.model = ThreadModel::kMultiReactorWorkers, .reactors = 2, .workers = 6},
              6},
        Shape{"io_threads", {.model = ThreadModel::kIoThreads, .reactors = 3}, 1}),
    [](const auto& shape) { return std::string(shape.param.name); });

TEST_P(LoadSlots, AreTheThreadsThatRunHandlers) {
  const auto server = StartServer(GetParam().threads);
  Consumer consumer(*server, true);
  consumer.Call(1, "Plain");
  const auto report = consumer.Answer();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->slots, GetParam().slots);
  EXPECT_EQ(report->in_flight, 0);
}

TEST_P(LoadSlots, AreAsTheServerIsTold) {
  const auto server = StartServer(GetParam().threads, 99);
  Consumer consumer(*server, true);
  EXPECT_EQ(consumer.Ask(1)->slots, 99);
}

TEST(LoadReports, GoToThoseWhoAskForThem) {
  const auto server = StartServer({.reactors = 1});
  Consumer old(*server, false);
  old.Call(1, "Plain");
  EXPECT_FALSE(old.Answer().has_value());
  old.Call(3, "Coroutine");
  EXPECT_FALSE(old.Answer().has_value());
  old.Call(5, "Plain", 0, 5);
  EXPECT_FALSE(old.Answer().has_value());
  Consumer consumer(*server, true);
  std::uint64_t id = 1;
  for (const char* form : {"Plain", "Coroutine", "Deferred", "Blocking", "Idempotent"}) {
    consumer.Call(id, form);
    EXPECT_TRUE(consumer.Answer().has_value()) << form;
    consumer.Call(id + 2, form, 0, 5);  // answered with NOT_FOUND
    EXPECT_TRUE(consumer.Answer().has_value()) << form;
    id += 4;
  }
  consumer.Call(id, "NoSuchMethod");
  EXPECT_TRUE(consumer.Answer().has_value());
}

TEST(LoadReports, CountWhatIsTakenAndNotAnswered) {
  const auto server = StartServer({.reactors = 1, .workers = 1});
  Consumer consumer(*server, true);
  for (std::uint64_t id = 1; id <= 9; id += 2) consumer.Call(id, "Coroutine", 60'000);
  consumer.Call(11, "Coroutine");
  EXPECT_EQ(consumer.Answer()->in_flight, 5);
  consumer.Call(13, "Plain");
  EXPECT_EQ(consumer.Answer()->in_flight, 5);
  consumer.Call(15, "Blocking");
  EXPECT_EQ(consumer.Answer()->in_flight, 5);
  EXPECT_TRUE(consumer.peer().Send(FrameBytes(FrameType::kCancel, 1)));
  EXPECT_TRUE(WaitUntil(
      [&, id = std::uint64_t{1}]() mutable { return consumer.Ask(id += 2)->in_flight == 4; }, 10s));
}

class ServiceTime : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Forms, ServiceTime,
                         ::testing::Values("Plain", "Coroutine", "Deferred", "Blocking"),
                         [](const auto& form) { return std::string(form.param); });

TEST_P(ServiceTime, IsTheHandlers) {
  const auto server = StartServer({.reactors = 1, .workers = 1});
  Consumer consumer(*server, true);
  // Side by side, but for those that wait in a line: that wait does not count.
  for (std::uint64_t id = 1; id <= 7; id += 2) consumer.Call(id, GetParam(), 20);
  for (int i = 0; i < 4; ++i) consumer.Answer();
  double service_ms = 0;
  EXPECT_TRUE(WaitUntil(
      [&, id = std::uint64_t{1}]() mutable {
        service_ms = consumer.Ask(id += 2)->service_ns() / 1e6;
        return service_ms > 0;
      },
      10s));
  EXPECT_GE(service_ms, 19.5);
  EXPECT_LT(service_ms, 35);  // four of them in a line would be 50 on average
}

TEST_P(ServiceTime, LeavesFaultsOut) {
  const auto server = StartServer({.reactors = 1, .workers = 1});
  Consumer consumer(*server, true);
  consumer.Call(1, GetParam(), 20);
  consumer.Answer();
  for (std::uint64_t id = 3; id < 200; id += 2) {
    consumer.Call(id, GetParam(), 0, static_cast<int>(StatusCode::kInternal));
    consumer.Answer();
  }
  EXPECT_GE(consumer.Ask(1)->service_ns() / 1e6, 19.5);
}

TEST(ServiceTime, OfShortPlainHandlersIsShort) {
  const auto server = StartServer({.reactors = 1});
  Consumer consumer(*server, true);
  LoadReport last;
  for (std::uint64_t id = 1; id < 1000; id += 2) {
    consumer.Call(id, "Plain");
    last = consumer.Answer().value_or(LoadReport{});
  }
  EXPECT_GT(last.service_100ns, 0u);
  EXPECT_LT(last.service_ns(), 1e6);
}

TEST(LoadReports, ReachWhoeverLooksAtTheChannel) {
  const auto server = StartServer({.reactors = 1}, 9);
  Channel channel("mem://load-report");
  const Echo::Stub echo(channel);
  std::vector<ProviderState> states;
  // A call's own time is in the reports of later ones.
  EXPECT_TRUE(WaitUntil(
      [&] {
        EXPECT_TRUE(echo.Plain({}, CallOptions().WaitForReady()).ok());
        states = channel.Providers("weir.test.Echo");
        return states.size() == 1 && states[0].report.service_100ns > 0;
      },
      10s));
  ASSERT_EQ(states.size(), 1u);
  EXPECT_EQ(states[0].report.slots, 9);
  EXPECT_GT(states[0].latency.count(), 0);
  EXPECT_EQ(states[0].error_rate, 0);
}

TEST(LoadProbes, AreAnsweredWhileHandlersAreBusy) {
  const auto server = StartServer({.reactors = 1, .workers = 2});
  Consumer consumer(*server, false);  // LOAD does not depend on it
  for (std::uint64_t id = 1; id <= 9; id += 2) consumer.Call(id, "Blocking", 200);
  const auto report = consumer.Ask(77);
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->in_flight, 5);
  for (int i = 0; i < 5; ++i) consumer.Answer();
}

TEST(LoadProbes, AboveTheLimitAreNotAnswered) {
  const auto server = StartServer({.reactors = 1});
  Consumer consumer(*server, false);
  constexpr int kAsked = 20'000;
  std::string asks;
  for (std::uint64_t id = 0; id < kAsked; ++id) asks += FrameBytes(FrameType::kLoadAsk, id);
  const auto began = std::chrono::steady_clock::now();
  auto sending = std::async(std::launch::async, [&] {
    return consumer.peer().Send(asks) && consumer.peer().Send(FrameBytes(FrameType::kPing, 1));
  });
  int answered = 0;
  while (const auto frame = consumer.peer().Next()) {
    if (frame->type() == FrameType::kPong) break;
    answered += frame->type() == FrameType::kLoad;
  }
  EXPECT_TRUE(sending.get());
  const auto periods = (std::chrono::steady_clock::now() - began) / 100ms + 2;
  EXPECT_GE(answered, 1000);
  EXPECT_LE(answered, 1000 * periods);
  EXPECT_LT(answered, kAsked);
}

}  // namespace
}  // namespace weir::test
