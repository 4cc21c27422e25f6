// gRPC with its asynchronous API: one completion queue and one thread that polls it on each side.
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "grpc_echo.grpc.pb.h"
#include "rpc/contestant.h"

namespace weir::bench {
namespace {

using grpc_echo::Echo;
using grpc_echo::EchoMessage;

// A call that the server waits for, serves, and waits for again.
class ServedCall {
 public:
  ServedCall(Echo::AsyncService& service, grpc::ServerCompletionQueue& queue)
      : service_(service), queue_(queue) {
    Await();
  }
  // What it waited for has happened.
  void Proceed() {
    if (std::exchange(answered_, true)) return Await();
    responder_->Finish(request_, grpc::Status::OK, this);
  }

 private:
  void Await() {
    answered_ = false;
    responder_.reset();
    context_.emplace();
    responder_.emplace(&*context_);
    service_.RequestEcho(&*context_, &request_, &*responder_, &queue_, &queue_, this);
  }

  Echo::AsyncService& service_;
  grpc::ServerCompletionQueue& queue_;
  std::optional<grpc::ServerContext> context_;
  std::optional<grpc::ServerAsyncResponseWriter<EchoMessage>> responder_;
  EchoMessage request_;
  bool answered_ = false;
};

// Calls again and again: each answer starts the next call.
class Caller {
 public:
  Caller(std::shared_ptr<grpc::Channel> channel, grpc::CompletionQueue& queue, std::size_t bytes)
      : stub_(Echo::NewStub(channel)), queue_(queue) {
    request_.set_payload(std::string(bytes, 'x'));
  }
  void Next() {
    started_ = Window::Clock::now();
    reader_.reset();
    context_.emplace();
    context_->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    reader_ = stub_->AsyncEcho(&*context_, request_, &queue_);
    reader_->Finish(&reply_, &status_, this);
  }
  Window::Clock::time_point started() const noexcept { return started_; }
  const grpc::Status& status() const noexcept { return status_; }

 private:
  const std::unique_ptr<Echo::Stub> stub_;
  grpc::CompletionQueue& queue_;
  EchoMessage request_;
  EchoMessage reply_;
  grpc::Status status_;
  std::optional<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<EchoMessage>> reader_;
  Window::Clock::time_point started_;
};

// A frame of HTTP/2 (RFC 9113, section 4.1).
std::string Http2Frame(char type, char flags, char stream, std::string_view payload) {
  std::string frame{'\0', static_cast<char>(payload.size() >> 8),
                    static_cast<char>(payload.size() & 0xFF)};
  frame.append({type, flags, '\0', '\0', '\0', stream});
  return frame.append(payload);
}

constexpr char kData = 0;
constexpr char kHeaders = 1;
constexpr char kSettings = 4;
constexpr char kEndStream = 1;
constexpr char kEndHeaders = 4;

// HPACK (RFC 7541, section 6.2.2): a literal that is not kept in the table of the connection.
std::string Literal(std::string_view name, std::string_view value) {
  std::string text{'\0', static_cast<char>(name.size())};
  text.append(name).push_back(static_cast<char>(value.size()));
  return text.append(value);
}

// The trailers end the only stream.
bool HasTrailers(std::string_view received) {
  constexpr std::size_t kHeaderBytes = 9;
  while (received.size() >= kHeaderBytes) {
    const auto byte = [&](std::size_t at) {
      return static_cast<std::size_t>(static_cast<unsigned char>(received[at]));
    };
    const std::size_t bytes = kHeaderBytes + (byte(0) << 16 | byte(1) << 8 | byte(2));
    if (received.size() < bytes) return false;
    if (received[3] == kHeaders && (received[4] & kEndStream) != 0) return true;
    received.remove_prefix(bytes);
  }
  return false;
}

class GrpcEcho final : public Contestant {
 public:
  void Serve(const Ready& ready) override {
    Echo::AsyncService service;
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    builder.SetMaxReceiveMessageSize(-1);
    const std::unique_ptr<grpc::ServerCompletionQueue> queue = builder.AddCompletionQueue();
    const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (server == nullptr) {
      std::fputs("error: gRPC cannot listen on 127.0.0.1\n", stderr);
      std::exit(1);
    }
    std::vector<std::unique_ptr<ServedCall>> calls;
    for (int i = 0; i < kAwaitedCalls; ++i) {
      calls.push_back(std::make_unique<ServedCall>(service, *queue));
    }
    ready(static_cast<std::uint16_t>(port));
    void* tag = nullptr;
    bool ok = false;
    while (queue->Next(&tag, &ok)) static_cast<ServedCall*>(tag)->Proceed();
  }

  Measurement Drive(std::uint16_t port, const Workload& workload, std::chrono::nanoseconds warm_up,
                    std::chrono::nanoseconds time) override {
    grpc::CompletionQueue queue;
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection for each channel
    arguments.SetMaxReceiveMessageSize(-1);
    std::vector<std::unique_ptr<Caller>> callers;
    for (std::uint32_t c = 0; c < workload.connections; ++c) {
      const std::shared_ptr<grpc::Channel> channel = grpc::CreateCustomChannel(
          "127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials(), arguments);
      for (std::uint32_t i = 0; i < workload.in_flight; ++i) {
        callers.push_back(std::make_unique<Caller>(channel, queue, workload.payload_bytes));
      }
    }
    Window window(warm_up, time);
    for (const auto& caller : callers) caller->Next();
    std::size_t left = callers.size();
    void* tag = nullptr;
    bool ok = false;
    while (left > 0 && queue.Next(&tag, &ok)) {
      Caller& caller = *static_cast<Caller*>(tag);
      if (!caller.status().ok()) {
        std::fprintf(stderr, "error: gRPC: %s\n", caller.status().error_message().c_str());
        std::exit(1);
      }
      if (window.Count(caller.started(), Window::Clock::now())) {
        caller.Next();
      } else {
        --left;
      }
    }
    return window.Result();
  }

  Hello IdleHello() override {
    const std::string headers = "\x83\x86" +  // :method POST, :scheme http, of the static table
                                Literal(":path", "/weir.bench.grpc_echo.Echo/Echo") +
                                Literal(":authority", "127.0.0.1") + Literal("te", "trailers") +
                                Literal("content-type", "application/grpc");
    EchoMessage message;
    message.set_payload(std::string(16, 'x'));
    const std::string body = message.SerializeAsString();
    const std::string prefix{'\0', '\0', '\0', '\0', static_cast<char>(body.size())};
    return {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Http2Frame(kSettings, 0, 0, {}) +
                Http2Frame(kHeaders, kEndHeaders, 1, headers) +
                Http2Frame(kData, kEndStream, 1, prefix + body),
            HasTrailers};
  }

 private:
  // More than any workload has in flight at once.
  static constexpr int kAwaitedCalls = 1024;
};

}  // namespace

std::unique_ptr<Contestant> MakeGrpc() {
  return std::make_unique<GrpcEcho>();
}

}  // namespace weir::bench
