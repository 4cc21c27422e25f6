// Strategies that ask providers for their load before they pick.
#include <gtest/gtest.h>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/post.hpp>
#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include "core/echo_service.h"
#include "fault/raw_peer.h"
#include "support/process.h"
#include "weir/load_balance.h"

namespace weir::test {
namespace {

using weir::testing::WaitUntil;
using wire::FrameType;

std::atomic<int> probes{0};
std::atomic<bool> ask{true};
std::atomic<std::uint64_t> probed_random{0};
std::atomic<int> picks{0};
std::atomic<int> other_words{0};  // picks that drew by another word than their probe

// Probes all, and picks the one that says it has the most slots.
void AddProber() {
  LoadBalances().Add(
      "prober", LoadBalance{.pick = [](const RequestView&, const Snapshot& s,
                                       const PickContext& c) noexcept -> Index {
                              ++picks;
                              if (c.random != probed_random) ++other_words;
                              Index best = kNone;
                              for (Index i = 0; i < s.size(); ++i) {
                                if (IsExcluded(c, i)) continue;
                                if (best == kNone || s.endpoint(i).report().slots >
                                                         s.endpoint(best).report().slots) {
                                  best = i;
                                }
                              }
                              return best;
                            },
                            .probe = [](const RequestView&, const Snapshot& s, const PickContext& c,
                                        std::span<Index, kMaxProbes> out) noexcept -> std::size_t {
                              probed_random = c.random;
                              if (!ask) return 0;
                              ++probes;
                              const std::size_t count = std::min<std::size_t>(s.size(), out.size());
                              for (std::size_t i = 0; i < count; ++i)
                                out[i] = static_cast<Index>(i);
                              // One named twice, and one that is not there, do no harm.
                              if (count + 2 > out.size()) return count;
                              out[count] = 0;
                              out[count + 1] = kNone;
                              return count + 2;
                            }});
}

// A provider that speaks the protocol by hand, and answers LOAD_ASK when the test wants it to.
class MuteProvider {
 public:
  MuteProvider() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener_, 8) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("cannot listen");
    }
    port_ = ntohs(address.sin_port);
  }
  ~MuteProvider() { ::close(listener_); }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  // The next connection, greeted.
  RawPeer Accept() {
    RawPeer peer = RawPeer::Own(::accept(listener_, nullptr, nullptr));
    wire::SettingsMeta settings;
    settings.max_message_bytes = settings.max_attachment_bytes = 1u << 20;
    settings.max_calls = 100;
    std::string meta(wire::SettingsMeta::kMaxBytes, '\0');
    meta.resize(settings.Encode(meta.data()));
    EXPECT_TRUE(peer.Send(FrameBytes(FrameType::kSettings, 0, meta)));
    return peer;
  }

 private:
  int listener_;
  std::uint16_t port_ = 0;
};

class LoadProbe : public ::testing::Test {
 protected:
  LoadProbe() {
    AddProber();
    probes = picks = other_words = 0;
    ask = true;
  }
  static ChannelOptions Options(std::chrono::nanoseconds timeout) {
    return {.load_balance = "prober", .probe_timeout = timeout};
  }
};

TEST_F(LoadProbe, TheReportArrivesBeforeThePick) {
  const std::string url = "mem://load-probe";
  const auto small =
      StartEcho(url, "small", nullptr, {.threads = {.reactors = 1}, .load_slots = 1});
  const auto large =
      StartEcho(url, "large", nullptr, {.threads = {.reactors = 1}, .load_slots = 9});
  Channel channel(url, Options(10s));
  const Echo::Stub echo(channel);
  // Until both are connected: who is not is connected and not waited for.
  ASSERT_TRUE(WaitUntil(
      [&] {
        EXPECT_TRUE(echo.Plain({}, CallOptions().WaitForReady()).ok());
        const auto states = channel.Providers("weir.test.Echo");
        return states.size() == 2 && states[0].report.slots + states[1].report.slots == 10;
      },
      10s));
  const int before = probes;
  for (int i = 0; i < 20; ++i) {
    const Result<EchoReply> reply = echo.Plain({});
    ASSERT_TRUE(reply.ok()) << reply.status().ToString();
    EXPECT_EQ(reply->served_by(), "large");
  }
  EXPECT_EQ(probes, before + 20);
  EXPECT_EQ(other_words, 0);
}

TEST_F(LoadProbe, ACallThatWantsNoneIsPlacedAtOnce) {
  ask = false;
  const auto server = StartEcho("mem://load-probe");
  Channel channel("mem://load-probe", Options(60s));
  const Echo::Stub echo(channel);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(echo.Plain({}, CallOptions().WaitForReady()).ok());
  EXPECT_EQ(probes, 0);
  EXPECT_EQ(other_words, 0);
}

// One provider that takes connections and never says what its load is.
class MuteLoadProbe : public LoadProbe {
 protected:
  // A channel with its connection ready.
  void Connect(std::chrono::nanoseconds probe_timeout) {
    channel_.emplace("list://" + mute_.address(), Options(probe_timeout));
    echo_.emplace(*channel_);
    ask = false;
    auto first = Start(10s);
    peer_.emplace(mute_.Accept());
    AnswerNext();
    ASSERT_TRUE(first.get().ok());
    ask = true;
  }
  std::future<Status> Start(std::chrono::nanoseconds timeout) {
    auto done = std::make_shared<std::promise<Status>>();
    auto future = done->get_future();
    echo_->Plain({}, Timeout(timeout),
                 [done](const Result<EchoReply>& reply) { done->set_value(reply.status()); });
    return future;
  }
  void AnswerNext() {
    const auto request = peer_->Next(FrameType::kRequest);
    ASSERT_TRUE(request.has_value());
    EXPECT_TRUE(peer_->Send(FrameBytes(FrameType::kResponse, request->header.id)));
  }

  MuteProvider mute_;
  std::optional<RawPeer> peer_;
  std::optional<Channel> channel_;
  std::optional<Echo::Stub> echo_;
};

TEST_F(MuteLoadProbe, WithoutAnAnswerTheCallIsPlacedAfterAShortTime) {
  Connect(30ms);
  const auto began = std::chrono::steady_clock::now();
  auto call = Start(10s);
  const auto asked = peer_->Next(FrameType::kLoadAsk);
  ASSERT_TRUE(asked.has_value());
  AnswerNext();
  EXPECT_TRUE(call.get().ok());
  EXPECT_GE(std::chrono::steady_clock::now() - began, 29ms);
}

TEST_F(MuteLoadProbe, TheAnswerEndsTheWait) {
  Connect(60s);
  auto call = Start(300s);
  const auto asked = peer_->Next(FrameType::kLoadAsk);
  ASSERT_TRUE(asked.has_value());
  EXPECT_EQ(peer_->Next(50ms), std::nullopt);
  const std::uint64_t load = LoadReport{.in_flight = 7, .slots = 3}.Pack();
  std::string meta(wire::LoadMeta::kMaxBytes, '\0');
  meta.resize(wire::LoadMeta{load}.Encode(meta.data()));
  EXPECT_TRUE(peer_->Send(FrameBytes(FrameType::kLoad, asked->header.id, meta)));
  AnswerNext();
  EXPECT_TRUE(call.get().ok());
  EXPECT_EQ(channel_->Providers("weir.test.Echo")[0].report,
            (LoadReport{.in_flight = 7, .slots = 3}));
}

TEST_F(MuteLoadProbe, NoMoreThanAQuarterOfTheDeadlineIsSpent) {
  Connect(60s);
  auto call = Start(2s);
  ASSERT_TRUE(peer_->Next(FrameType::kLoadAsk).has_value());
  AnswerNext();
  EXPECT_TRUE(call.get().ok());
}

TEST_F(MuteLoadProbe, CallsThatAskAtOnceShareAQuestion) {
  Connect(60s);
  constexpr int kCalls = 50;
  std::vector<std::future<Status>> calls;
  for (int i = 0; i < kCalls; ++i) calls.push_back(Start(300s));
  ASSERT_TRUE(WaitUntil([&] { return probes >= kCalls; }, 10s));
  auto asked = peer_->Next(FrameType::kLoadAsk);
  ASSERT_TRUE(asked.has_value());
  int questions = 1;
  while (auto more = peer_->Next(20ms)) {
    ASSERT_EQ(more->type(), FrameType::kLoadAsk);
    asked = more;
    ++questions;
  }
  EXPECT_LT(questions, kCalls / 2);
  EXPECT_TRUE(peer_->Send(FrameBytes(FrameType::kLoad, asked->header.id)));
  for (int i = 0; i < kCalls; ++i) AnswerNext();
  for (auto& call : calls) EXPECT_TRUE(call.get().ok());
}

TEST_F(MuteLoadProbe, ACallCanBeCancelledMeanwhile) {
  Connect(60s);
  asio::cancellation_signal cancel;
  std::promise<Status> done;
  echo_->Plain({}, Timeout(300s),
               asio::bind_cancellation_slot(cancel.slot(), [&](const Result<EchoReply>& reply) {
                 done.set_value(reply.status());
               }));
  ASSERT_TRUE(peer_->Next(FrameType::kLoadAsk).has_value());
  cancel.emit(asio::cancellation_type::terminal);
  EXPECT_EQ(done.get_future().get().code(), StatusCode::kCancelled);
}

TEST_F(MuteLoadProbe, ClosingTheChannelEndsTheWait) {
  Connect(60s);
  auto call = Start(300s);
  ASSERT_TRUE(peer_->Next(FrameType::kLoadAsk).has_value());
  echo_.reset();
  channel_.reset();
  EXPECT_EQ(call.get().code(), StatusCode::kCancelled);
}

TEST_F(MuteLoadProbe, ALostConnectionDoesNotLoseTheCall) {
  Connect(200ms);
  auto call = Start(300s);
  ASSERT_TRUE(peer_->Next(FrameType::kLoadAsk).has_value());
  peer_->Reset();
  EXPECT_EQ(call.get().code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace weir::test
