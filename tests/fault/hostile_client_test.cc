// What a server must survive from those who connect to it. After each, others are served and
// nothing is left behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "buffer/io_budget.h"
#include "core/echo_service.h"
#include "fault/raw_peer.h"
#include "support/process.h"
#include "wire/frame_reader.h"
#include "wire/frame_writer.h"

namespace weir::test {
namespace {

using ::testing::HasSubstr;
using weir::testing::WaitUntil;
using wire::FrameType;

constexpr std::string_view kPlain = "weir.test.Echo/Plain";
constexpr std::string_view kCoroutine = "weir.test.Echo/Coroutine";

std::ptrdiff_t OpenDescriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all));
}

class HostileClient : public ::testing::TestWithParam<ThreadModel> {
 protected:
  void Begin(ServerLimits limits = {}) {
    registry_ = std::string("mem://hostile-") +
                ::testing::UnitTest::GetInstance()->current_test_info()->name();
    ServerOptions options;
    options.limits = limits;
    options.threads = {.model = GetParam(), .reactors = 1};
    server_ = StartEcho(registry_, "a", &log_, std::move(options));
    channel_ = std::make_unique<Channel>(registry_);
    ASSERT_TRUE(Served());
    descriptors_ = OpenDescriptors();
  }
  bool Served() {
    EchoRequest request;
    request.set_payload("alive");
    const Result<EchoReply> reply = Echo::Stub(*channel_).Plain(request, Timeout(5s));
    return reply.ok() && reply->payload() == "alive";
  }
  void TearDown() override {
    if (!server_) return;
    EXPECT_TRUE(Served());
    EXPECT_TRUE(WaitUntil([&] { return server_->stats().connections_open == 1; }, 5s));
    EXPECT_TRUE(WaitUntil([&] { return OpenDescriptors() <= descriptors_; }, 5s));
  }

  RawPeer Connect() { return RawPeer(server_->port()); }
  RawPeer Greeted() {
    RawPeer peer = Connect();
    EXPECT_TRUE(peer.SendSettings());
    EXPECT_TRUE(peer.Next(FrameType::kSettings).has_value());
    return peer;
  }
  static std::string Body(std::string payload, int delay_ms = 0) {
    EchoRequest request;
    request.set_payload(std::move(payload));
    request.set_delay_ms(delay_ms);
    return request.SerializeAsString();
  }
  static std::string Call(std::uint64_t id, std::string_view method, std::string_view body,
                          std::string_view attachment = {}) {
    wire::RequestMeta meta;
    meta.method = method;
    return FrameBytes(FrameType::kRequest, id, EncodeMeta(meta), body, attachment);
  }
  // The code with which a call on `peer` is answered.
  static StatusCode CodeOf(RawPeer& peer, std::string_view frame) {
    EXPECT_TRUE(peer.Send(frame));
    const auto reply = peer.Next(FrameType::kResponse);
    return reply ? static_cast<StatusCode>(reply->response().code) : StatusCode::kUnknown;
  }
  static bool Serves(RawPeer& peer, std::uint64_t id) {
    return CodeOf(peer, Call(id, kPlain, Body("x"))) == StatusCode::kOk;
  }

  EchoLog log_;
  std::string registry_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Channel> channel_;
  std::ptrdiff_t descriptors_ = 0;
};

// Both ways to read and write a socket.
INSTANTIATE_TEST_SUITE_P(Models, HostileClient,
                         ::testing::Values(ThreadModel::kMultiReactor, ThreadModel::kProactor),
                         [](const auto& model) {
                           return std::string(ThreadModelName(model.param));
                         });

TEST_P(HostileClient, F1_RandomBytesCloseThatConnectionOnly) {
  Begin();
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 30; ++round) {
    std::string bytes(4 + random() % 65'536, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    RawPeer peer = Connect();
    peer.Send(bytes);
    EXPECT_TRUE(peer.IsClosedWithin(1s));
  }
  RawPeer web = Connect();
  web.Send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(web.IsClosedWithin(1s));
}

TEST_P(HostileClient, F2_WrongHeaderCheckIsToldAndCounted) {
  Begin();
  RawPeer peer = Greeted();
  std::string bytes = Call(1, kPlain, Body("x"));
  bytes[15] = static_cast<char>(bytes[15] ^ 1);
  peer.Send(bytes);
  const auto error = peer.Next(FrameType::kError);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->notice().code, static_cast<std::uint32_t>(StatusCode::kDataLoss));
  EXPECT_TRUE(peer.IsClosedWithin(1s));
  EXPECT_TRUE(WaitUntil([&] { return server_->stats().protocol_errors == 1; }, 5s));
  EXPECT_EQ(server_->stats().calls_started, 1u);  // the one of Begin
}

TEST_P(HostileClient, F3_LyingLengthIsClosedAtTheHeader) {
  Begin();
  const std::size_t before = IoBudget::used();
  RawPeer peer = Greeted();
  peer.Send(HeaderBytes({.type = 2, .body_bytes = 0xFFFFFFFF, .id = 1}));
  const auto error = peer.Next(FrameType::kError);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->notice().code, static_cast<std::uint32_t>(StatusCode::kResourceExhausted));
  EXPECT_TRUE(peer.IsClosedWithin(1s));
  EXPECT_LE(IoBudget::used(), before + wire::Scratch::kBytes);
}

TEST_P(HostileClient, F5_HalfABodyAndFinRunsNoHandler) {
  Begin();
  RawPeer peer = Greeted();
  const std::string bytes = Call(1, kPlain, Body(std::string(1000, 'x')));
  peer.Send(bytes.substr(0, bytes.size() / 2));
  peer.ShutdownWrite();
  EXPECT_TRUE(peer.IsClosedWithin(1s));
  EXPECT_EQ(log_.started, 1);
}

TEST_P(HostileClient, F7_UnknownVersionTypeAndFlags) {
  Begin();
  for (const wire::FrameHeader& header :
       {wire::FrameHeader{.version = 9, .type = 2, .id = 1}, wire::FrameHeader{.type = 77, .id = 1},
        wire::FrameHeader{.type = 5, .flags = 0x0100}}) {
    RawPeer peer = Greeted();
    peer.Send(HeaderBytes(header));
    const auto error = peer.Next(FrameType::kError);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->header.version, wire::kVersion);
    EXPECT_EQ(error->notice().code, static_cast<std::uint32_t>(StatusCode::kUnimplemented));
    EXPECT_TRUE(peer.IsClosedWithin(1s));
  }
  RawPeer peer = Greeted();
  peer.Send(HeaderBytes({.type = 0xC0}));  // may be ignored, and is
  wire::RequestMeta meta;
  meta.method = kPlain;
  std::string call = FrameBytes(FrameType::kRequest, 1, EncodeMeta(meta), Body("x"));
  wire::FrameHeader header;
  ASSERT_EQ(wire::DecodeHeader(call.data(), &header), wire::HeaderError::kNone);
  header.flags = 0x8000;
  call.replace(0, wire::kHeaderBytes, HeaderBytes(header));
  EXPECT_EQ(CodeOf(peer, call), StatusCode::kUnimplemented);
  EXPECT_TRUE(Serves(peer, 3));
}

TEST_P(HostileClient, F8_StrangeNamesAreUnimplementedAndTheConnectionStays) {
  Begin();
  RawPeer peer = Greeted();
  std::uint64_t id = 1;
  for (const std::string& name :
       {std::string(), std::string("weir.test.Echo/Nothing"), std::string("nobody.Home/Plain"),
        std::string("/"), std::string("weir.test.Echo/Plain\0x", 22), std::string("\xFF\xFE/\x80"),
        std::string(60'000, 'n')}) {
    EXPECT_EQ(CodeOf(peer, Call(id, name, Body("x"))), StatusCode::kUnimplemented);
    id += 2;
  }
  EXPECT_TRUE(Serves(peer, id));
}

TEST_P(HostileClient, F9_GarbageAndDeepNestingAreInvalidArguments) {
  Begin();
  RawPeer peer = Greeted();
  EXPECT_EQ(CodeOf(peer, Call(1, kPlain, "\xFF\xFF\xFF\xFF")), StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(peer, Call(3, kPlain, std::string(10'000, '\x7B'))),  // groups in groups
            StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(peer, Call(5, kCoroutine, "\x0A\xFF")), StatusCode::kInvalidArgument);
  EXPECT_TRUE(Serves(peer, 7));
}

TEST_P(HostileClient, F10_IdsThatRepeatOrAreNotAClientsEndTheConnection) {
  Begin();
  for (const auto& [first, second] : {std::pair{5, 5}, std::pair{5, 3}, std::pair{5, 8}}) {
    RawPeer peer = Greeted();
    peer.Send(Call(static_cast<std::uint64_t>(first), kCoroutine, Body("x", 5000)));
    peer.Send(Call(static_cast<std::uint64_t>(second), kPlain, Body("y")));
    EXPECT_TRUE(peer.Next(FrameType::kError).has_value());
    EXPECT_TRUE(peer.IsClosedWithin(1s));
  }
  EXPECT_TRUE(WaitUntil([&] { return log_.cancelled == 3; }, 5s));
}

TEST_P(HostileClient, F11_AnyFlippedBitOfACheckedPayloadIsDataLoss) {
  Begin();
  RawPeer peer = Greeted();
  const std::string body = Body("payload");
  const std::string attachment = "attachment";
  const Buffer attached = Buffer::Copy(attachment);
  wire::RequestMeta meta;
  meta.method = kPlain;
  meta.checksum = wire::Checksum(body, nullptr, &attached);
  const std::string whole = FrameBytes(FrameType::kRequest, 0, EncodeMeta(meta), body, attachment);
  const std::size_t payload = whole.size() - body.size() - attachment.size();
  std::uint64_t id = 1;
  for (std::size_t bit = 8 * payload; bit <= 8 * whole.size(); ++bit, id += 2) {
    std::string bytes = whole;
    wire::FrameHeader header;
    ASSERT_EQ(wire::DecodeHeader(bytes.data(), &header), wire::HeaderError::kNone);
    header.id = id;
    bytes.replace(0, wire::kHeaderBytes, HeaderBytes(header));
    const bool intact = bit == 8 * whole.size();
    if (!intact) bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    ASSERT_EQ(CodeOf(peer, bytes), intact ? StatusCode::kOk : StatusCode::kDataLoss) << bit;
  }
}

TEST_P(HostileClient, F13_TooMuchMetadataIsRefusedAndItsMethodNumberStillAgreed) {
  Begin();
  RawPeer peer = Greeted();
  const Metadata pairs(10'000, {"", ""});
  wire::RequestMeta meta;
  meta.method = kPlain;
  meta.method_id = 7;
  EXPECT_EQ(CodeOf(peer, FrameBytes(FrameType::kRequest, 1, EncodeMeta(meta, &pairs), Body("x"))),
            StatusCode::kResourceExhausted);
  meta.method = {};
  EXPECT_EQ(CodeOf(peer, FrameBytes(FrameType::kRequest, 3, EncodeMeta(meta), Body("x"))),
            StatusCode::kOk);
  meta.method_id = 8;
  EXPECT_EQ(CodeOf(peer, FrameBytes(FrameType::kRequest, 5, EncodeMeta(meta), Body("x"))),
            StatusCode::kUnimplemented);
}

TEST_P(HostileClient, FirstFrameMustBeSettingsAndCallsBehindAFailureDoNotRun) {
  Begin();
  RawPeer peer = Connect();
  std::string bytes;
  for (std::uint64_t id = 1; id < 100; id += 2) bytes += Call(id, kPlain, Body("x"));
  peer.Send(bytes);
  EXPECT_TRUE(peer.Next(FrameType::kError).has_value());
  EXPECT_TRUE(peer.IsClosedWithin(1s));
  EXPECT_EQ(log_.started, 1);
}

TEST_P(HostileClient, NothingIsDeliveredBehindAFrameThatClosesTheConnection) {
  Begin();
  RawPeer peer = Greeted();
  std::string bytes = FrameBytes(FrameType::kError, 0);  // the client's own last word
  for (std::uint64_t id = 1; id < 100; id += 2) bytes += Call(id, kPlain, Body("x"));
  bytes += Call(101, kPlain, Body("x")).substr(0, 40);  // and an unfinished frame
  peer.Send(bytes);
  EXPECT_TRUE(peer.IsClosedWithin(1s));
  EXPECT_TRUE(Served());
  EXPECT_EQ(log_.started, 2);  // those of this test itself
}

TEST_P(HostileClient, SlowPeersAreClosedByTheirTimers) {
  Begin({.handshake_timeout = 300ms, .header_timeout = 300ms, .min_body_bytes_per_s = 1'000'000});
  RawPeer silent = Connect();
  EXPECT_TRUE(silent.IsClosedWithin(2s));
  RawPeer slow_start = Connect();
  slow_start.Send("WE");
  EXPECT_TRUE(slow_start.IsClosedWithin(2s));
  RawPeer slow_header = Greeted();
  slow_header.Send(Call(1, kPlain, Body("x")).substr(0, 20));
  EXPECT_TRUE(slow_header.IsClosedWithin(2s));
  RawPeer slow_body = Greeted();
  slow_body.Send(Call(1, kPlain, Body(std::string(10'000, 'x'))).substr(0, 5000));
  EXPECT_TRUE(slow_body.IsClosedWithin(2s));
  // One that is idle between frames is not slow.
  RawPeer fine = Greeted();
  EXPECT_FALSE(fine.IsClosedWithin(700ms));
  EXPECT_TRUE(Serves(fine, 1));
}

TEST_P(HostileClient, ManyFramesNoneOfThemSlowAreNotTakenForOneSlowFrame) {
  Begin({.header_timeout = 200ms});
  RawPeer peer = Greeted();
  // Every piece ends within a header, so that the connection is never between frames.
  constexpr std::size_t kCut = 10;
  std::string next = Call(1, kPlain, Body("x"));
  ASSERT_TRUE(peer.Send(next.substr(0, kCut)));
  const auto end = std::chrono::steady_clock::now() + 1s;
  for (std::uint64_t id = 3; std::chrono::steady_clock::now() < end; id += 2) {
    const std::string rest = next.substr(kCut);
    next = Call(id, kPlain, Body("x"));
    ASSERT_TRUE(peer.Send(rest + next.substr(0, kCut)));
    ASSERT_TRUE(peer.Next(FrameType::kResponse).has_value()) << id;
  }
}

TEST_P(HostileClient, IdleConnectionsAreSentAwayAlsoIfTheyPing) {
  Begin({.idle_timeout = 500ms, .min_ping_interval = 1ms});
  RawPeer peer = Greeted();
  const auto give_up = std::chrono::steady_clock::now() + 5s;
  bool gone = false;
  while (!gone && std::chrono::steady_clock::now() < give_up) {
    peer.Send(FrameBytes(FrameType::kPing, 0));
    gone = peer.Next(FrameType::kGoAway, 50ms).has_value();
  }
  EXPECT_TRUE(gone);
  EXPECT_TRUE(peer.IsClosedWithin(1s));
  channel_ = std::make_unique<Channel>(registry_);  // its connection was idle, too
}

TEST_P(HostileClient, TooManyPingsEndInGoAway) {
  Begin();
  RawPeer peer = Greeted();
  for (int i = 0; i < 10; ++i) peer.Send(FrameBytes(FrameType::kPing, 0));
  EXPECT_TRUE(peer.Next(FrameType::kGoAway).has_value());
  EXPECT_TRUE(peer.IsClosedWithin(1s));
}

TEST_P(HostileClient, CallsAboveTheLimitOfAConnectionAreRefusedNotStarted) {
  Begin({.max_calls_per_connection = 2});
  RawPeer peer = Greeted();
  for (std::uint64_t id = 1; id <= 9; id += 2) peer.Send(Call(id, kCoroutine, Body("x", 60'000)));
  for (int refused = 0; refused < 3; ++refused) {
    const auto reply = peer.Next(FrameType::kResponse);
    ASSERT_TRUE(reply);
    EXPECT_GE(reply->header.id, 5u);
    EXPECT_EQ(reply->response().code, static_cast<std::uint32_t>(StatusCode::kResourceExhausted));
    EXPECT_TRUE(reply->response().not_started);
  }
  peer.Send(FrameBytes(FrameType::kCancel, 1));
  peer.Send(FrameBytes(FrameType::kCancel, 1));     // twice
  peer.Send(FrameBytes(FrameType::kCancel, 9));     // never ran
  peer.Send(FrameBytes(FrameType::kCancel, 4711));  // never heard of
  EXPECT_TRUE(WaitUntil([&] { return log_.cancelled == 1; }, 5s));
  EXPECT_TRUE(Serves(peer, 11));
  peer.Reset();
  EXPECT_TRUE(WaitUntil([&] { return log_.cancelled == 2; }, 5s));
}

TEST_P(HostileClient, MessagesAndAttachmentsAboveTheLimitsAreNotRead) {
  Begin({.max_message_bytes = 1000, .max_attachment_bytes = 2000});
  RawPeer large = Greeted();
  large.Send(Call(1, kPlain, std::string(1001, 'x')));
  const auto error = large.Next(FrameType::kError);
  ASSERT_TRUE(error);
  EXPECT_THAT(std::string(error->notice().message), HasSubstr("1000"));
  EXPECT_TRUE(large.IsClosedWithin(1s));
  RawPeer attached = Greeted();
  attached.Send(Call(1, kPlain, Body("x"), std::string(2001, 'x')));
  EXPECT_TRUE(attached.Next(FrameType::kError).has_value());
  EXPECT_TRUE(attached.IsClosedWithin(1s));
}

TEST_P(HostileClient, RepliesAboveWhatThePeerTakesFailTheirCallOnly) {
  Begin();
  Channel small(registry_, {.max_message_bytes = 1u << 20, .max_attachment_bytes = 1000});
  Echo::Stub echo(small);
  EchoRequest request;
  request.set_payload("x");
  Buffer back;
  const Result<EchoReply> reply = echo.Plain(
      request,
      CallOptions().WithAttachment(Buffer(std::string(2000, 'a'))).ReceiveAttachment(&back));
  EXPECT_EQ(reply.status().code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(reply.status().message()), HasSubstr("1000"));
  EXPECT_TRUE(echo.Plain(request).ok());
  EXPECT_EQ(server_->stats().connections_accepted, 2u);
}

TEST_P(HostileClient, F15_SlowReaderHoldsBackItselfAloneAndGetsEverythingAtLast) {
  Begin({.unwritten_soft = 256 << 10});
  const std::size_t before = IoBudget::used();
  RawPeer peer = Greeted();
  const std::string payload(1u << 20, 'p');
  constexpr std::uint64_t kCalls = 60;
  std::thread sender([&] {
    for (std::uint64_t i = 0; i < kCalls; ++i) {
      if (!peer.Send(Call(2 * i + 1, kPlain, Body(payload)), 30s)) return;
    }
  });
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(Served());
    EXPECT_LT(IoBudget::used(), before + (24u << 20));
  }
  for (std::uint64_t i = 0; i < kCalls; ++i) {
    const auto reply = peer.Next(FrameType::kResponse, 30s);
    ASSERT_TRUE(reply) << i;
    ASSERT_EQ(reply->header.id, 2 * i + 1);
  }
  sender.join();
}

TEST_P(HostileClient, ManyCallsAtOnceAreAnsweredInBoundedMemory) {
  Begin({.unwritten_soft = 16 << 10, .unwritten_hard = 8 << 20});
  const std::size_t before = IoBudget::used();
  RawPeer peer = Greeted();
  std::string bytes;
  constexpr std::uint64_t kCalls = 3000;
  for (std::uint64_t i = 0; i < kCalls; ++i) {
    bytes += Call(2 * i + 1, kPlain, Body(std::string(6000, 'x')));
  }
  std::thread sender([&] { peer.Send(bytes, 30s); });
  EXPECT_TRUE(Served());
  EXPECT_LT(IoBudget::used(), before + (8u << 20));
  for (std::uint64_t i = 0; i < kCalls; ++i) {
    const auto reply = peer.Next(FrameType::kResponse, 30s);
    ASSERT_TRUE(reply) << i;
    ASSERT_EQ(reply->header.id, 2 * i + 1);
  }
  sender.join();
}

TEST_P(HostileClient, F15_PeerThatTakesNoRepliesIsDisconnected) {
  Begin({.unwritten_soft = 16 << 10, .unwritten_hard = 1 << 20});
  const std::size_t before = IoBudget::used();
  RawPeer peer = Greeted();
  // Coroutines: all have begun when the first reply is written.
  std::string bytes;
  for (std::uint64_t i = 0; i < 40; ++i) {
    bytes += Call(2 * i + 1, kCoroutine, Body(std::string(1 << 20, 'x'), 200));
  }
  std::thread sender([&] { peer.Send(bytes, 30s); });
  EXPECT_TRUE(WaitUntil([&] { return server_->stats().connections_open == 1; }, 30s));
  sender.join();
  EXPECT_TRUE(WaitUntil([&] { return IoBudget::used() <= before + (12u << 20); }, 5s));
}

TEST_P(HostileClient, ConnectionsAboveTheLimitAreAcceptedAndClosed) {
  Begin({.max_connections = 3});
  {
    RawPeer second = Greeted();
    RawPeer third = Greeted();
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(Connect().IsClosedWithin(1s));
    EXPECT_TRUE(Serves(second, 1));
    EXPECT_EQ(server_->stats().connections_refused, 20u);
  }
  EXPECT_TRUE(WaitUntil([&] { return server_->stats().connections_open == 1; }, 5s));
  RawPeer again = Greeted();
  EXPECT_TRUE(Serves(again, 1));
}

TEST_P(HostileClient, ExhaustedIoBudgetPausesReadingUntilThereIsRoom) {
  Begin();
  RawPeer peer = Greeted();
  SetIoBudget(1);
  peer.Send(Call(1, kPlain, Body("x")));
  EXPECT_FALSE(peer.Next(FrameType::kResponse, 200ms).has_value());
  EXPECT_EQ(log_.started, 1);
  SetIoBudget(std::size_t{1} << 30);
  EXPECT_TRUE(peer.Next(FrameType::kResponse).has_value());
  EXPECT_TRUE(Serves(peer, 3));
}

TEST_P(HostileClient, LongestTimeoutAPeerCanAskForIsNoTrouble) {
  Begin();
  RawPeer peer = Greeted();
  std::uint64_t id = 1;
  for (const std::string_view method : {kPlain, kCoroutine}) {
    for (const std::uint64_t timeout :
         {~std::uint64_t{0}, ~std::uint64_t{0} >> 1, ~std::uint64_t{0} / 1000}) {
      wire::RequestMeta meta;
      meta.method = method;
      meta.timeout_us = timeout;
      EXPECT_EQ(CodeOf(peer, FrameBytes(FrameType::kRequest, id, EncodeMeta(meta), Body("x", 1))),
                StatusCode::kOk);
      id += 2;
    }
  }
}

}  // namespace
}  // namespace weir::test
