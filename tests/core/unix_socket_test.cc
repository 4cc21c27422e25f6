// Servers and channels over Unix-domain sockets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "core/echo_service.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

EchoRequest Request(std::string payload, int delay_ms = 0) {
  EchoRequest request;
  request.set_payload(std::move(payload));
  request.set_delay_ms(delay_ms);
  return request;
}

// Tells who calls.
class PeerService final : public Echo::Service<PeerService> {
 public:
  Result<EchoReply> Plain(ServerContext& context, const EchoRequest&) { return Peer(context); }
  Result<EchoReply> Coroutine(ServerContext& context, const EchoRequest&) { return Peer(context); }
  Result<EchoReply> Deferred(ServerContext& context, const EchoRequest&) { return Peer(context); }
  Result<EchoReply> Blocking(ServerContext& context, const EchoRequest&) { return Peer(context); }
  Result<EchoReply> Idempotent(ServerContext& context, const EchoRequest&) { return Peer(context); }

 private:
  static EchoReply Peer(ServerContext& context) {
    EchoReply reply;
    reply.set_payload(context.peer());
    return reply;
  }
};

class UnixSockets : public ::testing::Test {
 protected:
  UnixSockets() : path_(directory_.Path("echo.sock")), address_("unix:" + path_) {}

  ServerOptions Options() const {
    return {.listen = address_, .threads = {.model = ThreadModel::kMultiReactor, .reactors = 2}};
  }
  std::unique_ptr<Server> Start(ServerOptions options) {
    auto server = std::make_unique<Server>(std::move(options));
    server->Add(std::make_unique<EchoService>("a", &log_));
    const Status status = server->Start();
    EXPECT_TRUE(status.ok()) << status.ToString();
    return server;
  }
  std::unique_ptr<Server> Start() { return Start(Options()); }
  Status Refusal(const std::string& listen) {
    Server server({.listen = listen});
    server.Add(std::make_unique<EchoService>());
    return server.Start();
  }
  bool FileExists() const { return std::filesystem::exists(path_); }
  // The file of a socket whose owner is gone.
  void LeaveStaleSocket(int type = SOCK_STREAM) const {
    const int socket = ::socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    path_.copy(name.sun_path, sizeof name.sun_path - 1);
    ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
    ::close(socket);
    ASSERT_TRUE(FileExists());
  }
  unsigned Mode() const {
    struct stat file {};
    return ::stat(path_.c_str(), &file) == 0 ? file.st_mode & 0777u : 0;
  }

  testing::TempDir directory_;
  std::string path_;
  std::string address_;
  EchoLog log_;
};

TEST_F(UnixSockets, ServeEveryFormOfHandler) {
  const auto server = Start();
  EXPECT_EQ(server->address(), address_);
  EXPECT_EQ(server->port(), 0);
  Channel channel("list://" + address_);
  ASSERT_TRUE(channel.status().ok()) << channel.status().ToString();
  Echo::Stub echo(channel);
  const EchoRequest request = Request("hello", 1);
  for (const auto& result : {echo.Plain(request), echo.Coroutine(request), echo.Deferred(request),
                             echo.Blocking(request)}) {
    ASSERT_TRUE(result.ok()) << result.status().ToString();
    EXPECT_EQ(result->payload(), "hello");
  }
  const auto reply = echo.Plain(request, CallOptions().WithProvider(address_));
  EXPECT_TRUE(reply.ok()) << reply.status().ToString();
}

TEST_F(UnixSockets, CarryLargeMessagesAndAttachments) {
  const auto server = Start();
  Channel channel("list://" + address_, {.timeout = 60s});
  Echo::Stub echo(channel);
  std::string large(16u << 20, 'a');
  for (std::size_t i = 0; i < large.size(); i += 997) large[i] = static_cast<char>(i);
  const Buffer attachment = Buffer::Copy(large);
  Buffer returned;
  auto reply = echo.Plain(Request(large.substr(0, 15u << 20)),
                          CallOptions().WithAttachment(attachment).ReceiveAttachment(&returned));
  ASSERT_TRUE(reply.ok()) << reply.status().ToString();
  EXPECT_TRUE(reply->payload() == large.substr(0, 15u << 20));
  EXPECT_TRUE(returned.ToString() == large);
}

TEST_F(UnixSockets, TheHandlerLearnsWhichProcessCalls) {
  Server server(Options());
  server.Add(std::make_unique<PeerService>());
  ASSERT_TRUE(server.Start().ok());
  Channel channel("list://" + address_);
  const auto reply = Echo::Stub(channel).Plain(Request(""));
  ASSERT_TRUE(reply.ok()) << reply.status().ToString();
  EXPECT_EQ(reply->payload(),
            "unix:pid=" + std::to_string(::getpid()) + ",uid=" + std::to_string(::getuid()));
}

TEST_F(UnixSockets, AbstractNamesNeedNoFile) {
  address_ = "unix:@weir-test-" + std::to_string(::getpid());
  const auto server = Start();
  EXPECT_THAT(Refusal(address_).ToString(), HasSubstr("another server listens there"));
  Channel channel("list://" + address_);
  EXPECT_TRUE(Echo::Stub(channel).Plain(Request("x")).ok());
}

TEST_F(UnixSockets, TheFileGoesWithTheServer) {
  auto server = Start();
  EXPECT_TRUE(FileExists());
  server->Stop();
  EXPECT_FALSE(FileExists());
  server = Start();
  EXPECT_TRUE(FileExists());
  server->Drain();
  EXPECT_FALSE(FileExists());
  // Nor does it stay when the server could not start after all.
  Server mistaken(Options());
  ASSERT_TRUE(mistaken.Listen().ok());
  EXPECT_TRUE(FileExists());
  mistaken.RegisterAt("nonsense://x");
  EXPECT_FALSE(mistaken.Start().ok());
  EXPECT_FALSE(FileExists());
}

TEST_F(UnixSockets, TheFileOfAnotherIsLeftAlone) {
  auto server = Start();
  std::filesystem::rename(path_, path_ + ".moved");
  std::ofstream(path_) << "mine";
  server->Stop();
  EXPECT_TRUE(FileExists());
  const Status status = Refusal(address_);
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.ToString(), HasSubstr(address_ + ": something that is no socket lies there"));
}

TEST_F(UnixSockets, ALivingServerIsLeftInPeace) {
  const auto server = Start();
  const Status status = Refusal(address_);
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.ToString(), HasSubstr("another server listens there"));
  Channel channel("list://" + address_);
  EXPECT_TRUE(Echo::Stub(channel).Plain(Request("x")).ok());
}

TEST_F(UnixSockets, TheFileOfADeadServerIsReplaced) {
  LeaveStaleSocket();
  const auto server = Start();
  Channel channel("list://" + address_);
  EXPECT_TRUE(Echo::Stub(channel).Plain(Request("x")).ok());
}

TEST_F(UnixSockets, ASocketOfAnotherKindIsNotReplaced) {
  const int datagrams = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path_.copy(name.sun_path, sizeof name.sun_path - 1);
  ASSERT_EQ(::bind(datagrams, reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
  EXPECT_THAT(Refusal(address_).ToString(), HasSubstr("another server listens there"));
  EXPECT_TRUE(FileExists());
  ::close(datagrams);
}

TEST_F(UnixSockets, OfManyServersThatFindADeadOneExactlyOneTakesItsPlace) {
  for (int round = 0; round < 10; ++round) {
    LeaveStaleSocket();
    std::vector<std::future<std::unique_ptr<Server>>> starts;
    for (int i = 0; i < 4; ++i) {
      starts.push_back(std::async(std::launch::async, [&] {
        auto server = std::make_unique<Server>(ServerOptions{.listen = address_});
        server->Add(std::make_unique<EchoService>("a", &log_));
        return server->Start().ok() ? std::move(server) : nullptr;
      }));
    }
    std::vector<std::unique_ptr<Server>> started;
    for (auto& start : starts) {
      if (auto server = start.get()) started.push_back(std::move(server));
    }
    ASSERT_EQ(started.size(), 1u);
    Channel channel("list://" + address_);
    EXPECT_TRUE(Echo::Stub(channel).Plain(Request("x")).ok());
    started.clear();
    ASSERT_FALSE(FileExists());
  }
}

TEST_F(UnixSockets, MistakesAreNamed) {
  EXPECT_THAT(Refusal("unix:" + directory_.Path("missing/a.sock")).ToString(),
              HasSubstr("the directory " + directory_.Path("missing") + " does not exist"));
  EXPECT_THAT(Refusal("unix:relative").ToString(), HasSubstr("unix:/path"));
  EXPECT_THAT(Refusal("unix:/" + std::string(200, 'x')).ToString(), HasSubstr("107"));
  Channel channel("list://" + address_, {.timeout = 2s});
  const auto reply = Echo::Stub(channel).Plain(Request("x"));
  EXPECT_EQ(reply.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(reply.status().ToString(), HasSubstr("cannot connect to " + address_ +
                                                   ": no such socket; is the server running?"));
}

TEST_F(UnixSockets, PermissionsAreThoseOfTheUmaskOrAsAsked) {
  const mode_t before = ::umask(0027);
  {
    const auto server = Start();
    EXPECT_EQ(Mode(), 0750u);
  }
  for (const unsigned mode : {0600u, 0660u, 0666u}) {
    ServerOptions options = Options();
    options.unix_mode = mode;
    const auto server = Start(std::move(options));
    EXPECT_EQ(Mode(), mode);
  }
  ::umask(before);
}

TEST_F(UnixSockets, AFullQueueOfConnectionsIsWaitedFor) {
  // One that listens and does not accept.
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path_.copy(name.sun_path, sizeof name.sun_path - 1);
  ASSERT_EQ(::bind(listener, reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
  ASSERT_EQ(::listen(listener, 0), 0);
  const int filler = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::connect(filler, reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
  EXPECT_THAT(Refusal(address_).ToString(), HasSubstr("another server listens there"));
  Channel channel("list://" + address_);
  const auto reply = Echo::Stub(channel).Plain(Request("x"));
  EXPECT_THAT(reply.status().ToString(), HasSubstr("its queue of connections is full"));
  ::close(filler);
  ::close(listener);
  const auto server = Start();
  const auto later = Echo::Stub(channel).Plain(Request("x"), CallOptions().WaitForReady());
  EXPECT_TRUE(later.ok()) << later.status().ToString();
}

TEST_F(UnixSockets, RegistriesOfThisMachineCarryThem) {
  for (const std::string& registry :
       {std::string("mem://unix"), "file://" + directory_.Path("registry")}) {
    Server server(Options());
    server.Add(std::make_unique<EchoService>("a", &log_));
    server.RegisterAt(registry);
    const Status started = server.Start();
    ASSERT_TRUE(started.ok()) << started.ToString();
    Channel channel(registry);
    const auto reply =
        Echo::Stub(channel).Plain(Request("x"), CallOptions().WaitForReady().WithTimeout(10s));
    EXPECT_TRUE(reply.ok()) << reply.status().ToString();
    const auto entries = (*Registries().Open(registry))->Inspect("weir.test.Echo");
    ASSERT_TRUE(entries.ok()) << entries.status().ToString();
    ASSERT_EQ(entries->size(), 1u);
    EXPECT_EQ(entries->front().address, address_);
  }
}

TEST_F(UnixSockets, AnAnnouncedPortNeedsAPort) {
  Server server(Options());
  server.Add(std::make_unique<EchoService>());
  server.RegisterAt("mem://unix-port", {.address = "h:0"});
  EXPECT_THAT(server.Start().ToString(),
              HasSubstr("port 0 stands for the port listened on, and " + address_ + " has none"));
}

TEST_F(UnixSockets, DrainFinishesWhatRuns) {
  const auto server = Start();
  Channel channel("list://" + address_);
  Echo::Stub echo(channel);
  std::promise<Result<EchoReply>> slow;
  echo.Coroutine(Request("slow", 300), {},
                 [&](Result<EchoReply> reply) { slow.set_value(std::move(reply)); });
  ASSERT_TRUE(testing::WaitUntil([&] { return log_.started > 0; }, 10s));
  server->Drain();
  const auto reply = slow.get_future().get();
  EXPECT_TRUE(reply.ok()) << reply.status().ToString();
  EXPECT_FALSE(echo.Plain(Request("x")).ok());
}

}  // namespace
}  // namespace weir::test
