// Thrift: its non-blocking server with one I/O thread that also runs the handlers, the binary
// protocol, and a client that pipelines by hand, because Thrift's own waits for each answer.
#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/server/TNonblockingServer.h>
#include <thrift/transport/TBufferTransports.h>
#include <thrift/transport/TNonblockingServerSocket.h>

#include <memory>
#include <string>
#include <utility>

#include "Echo.h"
#include "rpc/contestant.h"
#include "rpc/framed_peer.h"

namespace weir::bench {
namespace {

using apache::thrift::protocol::TBinaryProtocol;
using apache::thrift::server::TNonblockingServer;
using apache::thrift::transport::TMemoryBuffer;
using apache::thrift::transport::TNonblockingServerSocket;

class EchoHandler final : public thrift_echo::EchoIf {
 public:
  void Echo(std::string& reply, const std::string& payload) override { reply = payload; }
};

// Tells the port as soon as it is listened on.
class Announcer final : public apache::thrift::server::TServerEventHandler {
 public:
  Announcer(Contestant::Ready ready, TNonblockingServer& server)
      : ready_(std::move(ready)), server_(server) {}
  void preServe() override { ready_(static_cast<std::uint16_t>(server_.getListenPort())); }

 private:
  const Contestant::Ready ready_;
  TNonblockingServer& server_;
};

// Thrift's generated client between two pieces of memory.
class Codec {
 public:
  explicit Codec(std::size_t bytes) : payload_(bytes, 'x') {}

  std::string_view Request() {
    out_->resetBuffer();
    client_.send_Echo(payload_);
    std::uint8_t* bytes = nullptr;
    std::uint32_t size = 0;
    out_->getBuffer(&bytes, &size);
    return {reinterpret_cast<const char*>(bytes), size};
  }
  void TakeReply(std::string_view frame) {
    // Observed, not written to: Thrift's parameter is not const.
    in_->resetBuffer(reinterpret_cast<std::uint8_t*>(const_cast<char*>(frame.data())),
                     static_cast<std::uint32_t>(frame.size()));
    client_.recv_Echo(reply_);
  }

 private:
  const std::string payload_;
  std::string reply_;
  const std::shared_ptr<TMemoryBuffer> in_ = std::make_shared<TMemoryBuffer>();
  const std::shared_ptr<TMemoryBuffer> out_ = std::make_shared<TMemoryBuffer>();
  thrift_echo::EchoClient client_{std::make_shared<TBinaryProtocol>(in_),
                                  std::make_shared<TBinaryProtocol>(out_)};
};

class ThriftEcho final : public Contestant {
 public:
  void Serve(const Ready& ready) override {
    apache::thrift::GlobalOutput.setOutputFunction([](const char*) {});  // it greets otherwise
    const auto socket = std::make_shared<TNonblockingServerSocket>("127.0.0.1", 0);
    TNonblockingServer server(
        std::make_shared<thrift_echo::EchoProcessor>(std::make_shared<EchoHandler>()), socket);
    server.setServerEventHandler(std::make_shared<Announcer>(ready, server));
    server.serve();
  }

  Measurement Drive(std::uint16_t port, const Workload& workload, std::chrono::nanoseconds warm_up,
                    std::chrono::nanoseconds time) override {
    Codec codec(workload.payload_bytes);
    return DriveFramed(
        port, workload, warm_up, time, [&] { return codec.Request(); },
        [&](std::string_view frame) { codec.TakeReply(frame); });
  }

  Hello IdleHello() override { return {Framed(Codec(16).Request()), HasFrame}; }
};

}  // namespace

std::unique_ptr<Contestant> MakeThrift() {
  return std::make_unique<ThriftEcho>();
}

}  // namespace weir::bench
