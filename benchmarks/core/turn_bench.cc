// A turn of a server's connection: N requests arrive with one read, N replies leave with one write.
// The client is a plain socket on this thread, the server's reactor has its own: an iteration is
// the way there and back, per_frame what a call of it takes, both sides and the kernel included.
#include <benchmark/benchmark.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "bench_core.weir.h"
#include "buffer/outbox.h"
#include "harness/idle_connections.h"
#include "weir/log.h"
#include "weir/server.h"
#include "wire/frame_reader.h"
#include "wire/frame_writer.h"

namespace weir {
namespace {

class CoreService final : public bench::Core::Service<CoreService> {
 public:
  Result<bench::CoreMessage> Echo(ServerContext&, const bench::CoreMessage& request) {
    return request;
  }
};

// A connection that has introduced itself and had its first call answered.
class RawClient {
 public:
  RawClient(std::uint16_t port, std::string body)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), body_(std::move(body)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const std::string hello = bench::WeirHello("weir.bench.Core/Echo", body_).words;
    ok_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
          Send(hello.data(), hello.size()) && AwaitReplies(1);
  }
  ~RawClient() { ::close(socket_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool ok() const noexcept { return ok_; }
  // False if the connection broke.
  bool Call(int times) {
    for (int i = 0; i < times; ++i) {
      wire::RequestFrame frame;
      frame.id = id_ += 2;
      frame.meta.method_id = 1;
      frame.meta.timeout_us = 5'000'000;
      frame.small_body = body_;
      wire::WriteRequest(outbox_, frame);
    }
    while (!outbox_.empty()) {
      iovec vectors[16];
      const int count = outbox_.Gather(vectors, 16);
      const ssize_t n = ::writev(socket_, vectors, count);
      if (n <= 0) return false;
      outbox_.Consume(static_cast<std::size_t>(n));
    }
    return AwaitReplies(times);
  }

 private:
  bool Send(const char* bytes, std::size_t size) {
    return ::send(socket_, bytes, size, MSG_NOSIGNAL) == static_cast<ssize_t>(size);
  }
  bool AwaitReplies(int times) {
    while (times > 0) {
      iovec vectors[2];
      const int count = reader_.PrepareRead(scratch_, vectors);
      const ssize_t n = ::readv(socket_, vectors, count);
      if (n <= 0) return false;
      const Status status =
          reader_.Consume(static_cast<std::size_t>(n), [&times](wire::Frame& frame) {
            if (frame.header.type == static_cast<std::uint8_t>(wire::FrameType::kResponse)) --times;
            return Status();
          });
      if (!status.ok()) return false;
    }
    return true;
  }

  const int socket_;
  const std::string body_;
  bool ok_ = false;
  std::uint64_t id_ = 1;
  Outbox outbox_;
  wire::Scratch scratch_;
  wire::FrameReader reader_{wire::ReadLimits{}};
};

void Turn(benchmark::State& state) {
  SetLogLevel(LogLevel::kWarning);
  Server server({.threads = {.model = ThreadModel::kSingleReactor}});
  server.Add(std::make_unique<CoreService>());
  if (const Status status = server.Start(); !status.ok()) {
    return state.SkipWithError(status.ToString().c_str());
  }
  bench::CoreMessage message;
  message.set_payload(std::string(16, 'x'));
  RawClient client(server.port(), message.SerializeAsString());
  if (!client.ok()) return state.SkipWithError("the server does not answer");
  const int frames = static_cast<int>(state.range(0));
  for (auto _ : state) {
    if (!client.Call(frames)) return state.SkipWithError("the connection broke");
  }
  state.counters["per_frame"] = benchmark::Counter(
      frames, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(Turn)->Name("Turn/echo_16B")->Arg(1)->Arg(16)->Arg(64)->Arg(256)->UseRealTime();

}  // namespace
}  // namespace weir
