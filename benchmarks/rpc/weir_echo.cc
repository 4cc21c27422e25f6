// weir as a user has it: a generated service and stub, list:// discovery, a strategy, deadlines.
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench_echo.weir.h"
#include "rpc/contestant.h"
#include "weir/channel.h"
#include "weir/log.h"
#include "weir/server.h"

namespace weir::bench {
namespace {

class EchoService final : public Echo::Service<EchoService> {
 public:
  Result<EchoMessage> Echo(ServerContext& context, const EchoMessage& request) {
    if (!context.attachment().empty()) {
      context.SetReplyAttachment(std::move(context.attachment()));
    }
    return request;
  }
};

void ServeWeir(const Contestant::Ready& ready) {
  SetLogLevel(LogLevel::kWarning);
  Server server({.threads = {.model = ThreadModel::kSingleReactor}});
  server.Add(std::make_unique<EchoService>());
  if (Status status = server.Start(); !status.ok()) {
    std::fprintf(stderr, "error: %s\n", status.ToString().c_str());
    std::exit(1);
  }
  ready(server.port());
  std::promise<void>().get_future().wait();  // until it is killed
}

Hello EchoHello() {
  EchoMessage message;
  message.set_payload(std::string(16, 'x'));
  return WeirHello("weir.bench.Echo/Echo", message.SerializeAsString());
}

// Calls again and again: each answer starts the next call, on the reactor.
class Caller {
 public:
  // All callers send the same bytes, as in the other contestants.
  Caller(Echo::Stub stub, const EchoMessage& request, const Buffer& attachment, Window& window,
         std::function<void()> done)
      : stub_(std::move(stub)),
        request_(request),
        attachment_(attachment),
        window_(window),
        done_(std::move(done)) {}

  void Start() {
    started_ = Window::Clock::now();
    Next();
  }

 private:
  // The call begins where the one before it ended, as in the other contestants.
  void Next() {
    CallOptions options;
    if (!attachment_.empty()) {
      options = CallOptions().WithAttachment(attachment_).ReceiveAttachment(&answer_);
    }
    stub_.Echo(request_, std::move(options), [this](const Result<EchoMessage>& reply) {
      if (!reply.ok()) {
        std::fprintf(stderr, "error: %s\n", reply.status().ToString().c_str());
        std::exit(1);
      }
      answer_.Clear();  // done with it, as the others are with theirs
      const auto ended = Window::Clock::now();
      if (window_.Count(started_, ended)) {
        started_ = ended;
        Next();
      } else {
        done_();
      }
    });
  }

  Echo::Stub stub_;
  const EchoMessage& request_;
  const Buffer& attachment_;
  Buffer answer_;
  Window& window_;
  std::function<void()> done_;
  Window::Clock::time_point started_;
};

class WeirEcho final : public Contestant {
 public:
  explicit WeirEcho(bool as_attachment) : as_attachment_(as_attachment) {}
  void Serve(const Ready& ready) override { ServeWeir(ready); }
  Hello IdleHello() override { return EchoHello(); }

  Measurement Drive(std::uint16_t port, const Workload& workload, std::chrono::nanoseconds warm_up,
                    std::chrono::nanoseconds time) override {
    SetLogLevel(LogLevel::kWarning);
    const auto runtime =
        std::make_shared<Runtime>(ThreadOptions{.model = ThreadModel::kSingleReactor});
    const std::string url = "list://127.0.0.1:" + std::to_string(port);
    std::string payload(workload.payload_bytes, 'x');
    EchoMessage request;
    Buffer attachment;
    if (as_attachment_) {
      attachment = Buffer(std::move(payload));
    } else {
      request.set_payload(std::move(payload));
    }
    std::vector<std::unique_ptr<Channel>> channels;
    std::vector<std::unique_ptr<Caller>> callers;
    Window window(warm_up, time);
    std::promise<void> all_done;
    std::size_t left = std::size_t{workload.connections} * workload.in_flight;
    for (std::uint32_t c = 0; c < workload.connections; ++c) {
      channels.push_back(std::make_unique<Channel>(url, ChannelOptions{.runtime = runtime}));
      for (std::uint32_t i = 0; i < workload.in_flight; ++i) {
        callers.push_back(std::make_unique<Caller>(Echo::Stub(*channels.back()), request,
                                                   attachment, window, [&] {
                                                     if (--left == 0) all_done.set_value();
                                                   }));
      }
    }
    asio::post(runtime->executor(), [&] {
      for (const auto& caller : callers) caller->Start();
    });
    all_done.get_future().wait();
    return window.Result();
  }

 private:
  const bool as_attachment_;
};

class WeirBlocking final : public Contestant {
 public:
  void Serve(const Ready& ready) override { ServeWeir(ready); }
  Hello IdleHello() override { return EchoHello(); }

  Measurement Drive(std::uint16_t port, const Workload& workload, std::chrono::nanoseconds warm_up,
                    std::chrono::nanoseconds time) override {
    SetLogLevel(LogLevel::kWarning);
    Channel channel("list://127.0.0.1:" + std::to_string(port));
    const Echo::Stub stub(channel);
    EchoMessage request;
    request.set_payload(std::string(workload.payload_bytes, 'x'));
    Window window(warm_up, time);
    auto started = Window::Clock::now();
    while (true) {
      if (const Result<EchoMessage> reply = stub.Echo(request); !reply.ok()) {
        std::fprintf(stderr, "error: %s\n", reply.status().ToString().c_str());
        std::exit(1);
      }
      const auto ended = Window::Clock::now();
      if (!window.Count(started, ended)) return window.Result();
      started = ended;
    }
  }
};

}  // namespace

std::unique_ptr<Contestant> MakeWeir() {
  return std::make_unique<WeirEcho>(false);
}
std::unique_ptr<Contestant> MakeWeirAttachment() {
  return std::make_unique<WeirEcho>(true);
}
std::unique_ptr<Contestant> MakeWeirBlocking() {
  return std::make_unique<WeirBlocking>();
}

}  // namespace weir::bench
