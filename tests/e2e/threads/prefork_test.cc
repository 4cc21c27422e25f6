// What only worker processes can do: die, be replaced, and leave nobody behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "e2e/threads/probe_server.h"
#include "support/temp_dir.h"
#include "weir/registry.h"
#include "weir/server.h"

namespace weir::test {
namespace {

using ::testing::HasSubstr;
using weir::testing::Process;
using weir::testing::WaitUntil;

constexpr auto kLong = 30s;

// Processes whose parent is `parent`.
std::set<pid_t> ChildrenOf(pid_t parent) {
  const std::string path =
      "/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children";
  std::ifstream file(path);
  std::set<pid_t> children;
  for (pid_t child = 0; file >> child;) children.insert(child);
  return children;
}

bool IsAlive(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return false;
  const auto state = line.rfind(')');
  return state != std::string::npos && line.size() > state + 2 && line[state + 2] != 'Z';
}

// While the connection to the only provider there is moves to another of its workers, a call waits.
CallOptions Patient() {
  return CallOptions().WaitForReady().WithTimeout(kLong);
}

// The process that serves a new connection.
Result<pid_t> ServedBy(const std::string& url) {
  Channel channel(url);
  const auto reply = Probe::Stub(channel).Idempotent(Ask("x"), Timeout(kLong));
  if (!reply.ok()) return reply.status();
  return static_cast<pid_t>(reply->process());
}

// New connections, one after the other in each thread, with idempotent calls; counts what fails.
class NewConnections {
 public:
  explicit NewConnections(std::string url, int threads = 2) : url_(std::move(url)) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
  }
  ~NewConnections() { Stop(); }
  void Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  int answered() const { return answered_; }
  std::set<pid_t> processes() const {
    const std::lock_guard lock(mutex_);
    return processes_;
  }
  std::string failures() const {
    const std::lock_guard lock(mutex_);
    return failures_;
  }
  bool AwaitMore(int calls) const {
    const int until = answered_ + calls;
    return WaitUntil([&] { return answered_ >= until; }, 30s);
  }

 private:
  void Run() {
    const auto runtime = std::make_shared<Runtime>(ThreadOptions{.reactors = 1});
    while (!stop_) {
      Channel channel(url_, {.runtime = runtime});
      const Probe::Stub probe(channel);
      for (int i = 0; i < 5; ++i) {
        const auto reply = probe.Idempotent(Ask("x"), Patient());
        const std::lock_guard lock(mutex_);
        if (reply.ok()) {
          ++answered_;
          processes_.insert(static_cast<pid_t>(reply->process()));
        } else {
          failures_ += reply.status().ToString() + "\n";
        }
      }
    }
  }

  const std::string url_;
  std::atomic<bool> stop_{false};
  std::atomic<int> answered_{0};
  mutable std::mutex mutex_;
  std::set<pid_t> processes_;
  std::string failures_;
  std::vector<std::thread> threads_;
};

class Prefork : public ::testing::Test {
 protected:
  void Serve(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"--reactors", "2"});
    server_.emplace(ThreadModel::kPrefork, std::move(more));
    ASSERT_TRUE(WaitForLog("serving on")) << Log();
  }
  std::string Log() { return server_->process().Errors(); }
  bool WaitForLog(const std::string& text, int times = 1) {
    return WaitUntil(
        [&] {
          const std::string log = Log();
          int found = 0;
          for (auto at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) {
            ++found;
          }
          return found >= times;
        },
        20s);
  }
  pid_t master() { return server_->process().pid(); }

  std::optional<ProbeServer> server_;
};

TEST_F(Prefork, EveryWorkerIsAProcessThatServes) {
  Serve({"--reactors", "3"});
  const std::set<pid_t> workers = ChildrenOf(master());
  EXPECT_EQ(workers.size(), 3u);
  std::set<pid_t> served;
  EXPECT_TRUE(WaitUntil(
      [&] {
        const Result<pid_t> process = ServedBy(server_->url());
        EXPECT_TRUE(process.ok()) << process.status().ToString();
        if (process.ok()) served.insert(*process);
        return !process.ok() || served.size() == 3;
      },
      20s));
  EXPECT_EQ(served, workers);
}

TEST_F(Prefork, KilledWorkerIsReplacedAndNoNewConnectionIsRefused) {
  Serve();
  const std::set<pid_t> before = ChildrenOf(master());
  // A connection of each worker, to see whose calls fail.
  std::map<pid_t, std::unique_ptr<Channel>> channels;
  while (channels.size() < 2) {
    auto channel = std::make_unique<Channel>(server_->url());
    const auto reply = Probe::Stub(*channel).Plain(Ask("x"), Timeout(kLong));
    ASSERT_TRUE(reply.ok()) << reply.status().ToString();
    channels.emplace(static_cast<pid_t>(reply->process()), std::move(channel));
  }
  std::map<pid_t, std::future<Result<ProbeReply>>> running;
  for (auto& [worker, channel] : channels) {
    running.emplace(
        worker, Probe::Stub(*channel).Coroutine(Ask("x", 1500), Timeout(kLong), asio::use_future));
  }
  for (auto& [worker, channel] : channels) {
    ASSERT_TRUE(WaitUntil(
        [&, &c = *channel] { return Probe::Stub(c).Facts({}, Timeout(kLong))->started() >= 2; },
        10s));
  }
  NewConnections load(server_->url());
  ASSERT_TRUE(load.AwaitMore(50));
  const pid_t victim = *before.begin();
  ASSERT_EQ(::kill(victim, SIGKILL), 0);
  EXPECT_TRUE(WaitUntil(
      [&] {
        const auto now = ChildrenOf(master());
        return now.size() == 2 && !now.contains(victim);
      },
      20s));
  ASSERT_TRUE(load.AwaitMore(200));
  load.Stop();
  EXPECT_EQ(load.failures(), "");  // idempotent calls of new connections: none is lost
  for (auto& [worker, call] : running) {
    const Result<ProbeReply> reply = call.get();
    EXPECT_EQ(reply.ok(), worker != victim) << reply.status().ToString();
  }
  EXPECT_THAT(Log(), HasSubstr("(" + std::to_string(victim) + ") was killed by signal 9"));
}

TEST_F(Prefork, RollingRestartUnderLoadRefusesAndFailsNothing) {
  Serve();
  const std::set<pid_t> before = ChildrenOf(master());
  NewConnections load(server_->url());
  // Connections that stay, and move on when their worker goes.
  Channel steady(server_->url());
  std::atomic<bool> stop{false};
  std::atomic<int> failed{0};
  std::thread caller([&] {
    const Probe::Stub probe(steady);
    while (!stop) {
      if (!probe.Idempotent(Ask("x", 2), Timeout(kLong)).ok()) ++failed;
    }
  });
  ASSERT_TRUE(load.AwaitMore(50));
  for (int round = 1; round <= 2; ++round) {
    server_->process().Signal(SIGHUP);
    EXPECT_TRUE(WaitForLog("have been replaced", round)) << Log();
    EXPECT_TRUE(load.AwaitMore(100));
  }
  stop = true;
  caller.join();
  load.Stop();
  EXPECT_EQ(load.failures(), "");
  EXPECT_EQ(failed, 0);
  EXPECT_TRUE(WaitUntil([&] { return ChildrenOf(master()).size() == 2; }, 10s));
  for (const pid_t worker : ChildrenOf(master())) EXPECT_FALSE(before.contains(worker));
  for (const pid_t worker : before) EXPECT_FALSE(IsAlive(worker));
}

TEST_F(Prefork, SigtermDrainsAndLeavesNoProcess) {
  Serve();
  const std::set<pid_t> workers = ChildrenOf(master());
  Channel channel(server_->url());
  const Probe::Stub probe(channel);
  auto running = probe.Coroutine(Ask("x", 400), Timeout(kLong), asio::use_future);
  ASSERT_TRUE(WaitUntil([&] { return probe.Facts({}, Timeout(kLong))->started() == 1; }, 10s));
  server_->process().Signal(SIGTERM);
  const Result<ProbeReply> reply = running.get();
  EXPECT_TRUE(reply.ok()) << reply.status().ToString();
  EXPECT_EQ(server_->process().Wait(20s), 0) << Log();
  for (const pid_t worker : workers) EXPECT_FALSE(IsAlive(worker));
}

TEST_F(Prefork, MasterThatIsKilledLeavesNoOrphan) {
  weir::testing::TempDir directory;
  const std::string registry = "file://" + directory.Path("registry");
  Serve({"--registry", registry});
  ASSERT_TRUE(WaitUntil([&] { return ChildrenOf(master()).size() == 3; }, 10s));
  const std::set<pid_t> processes = ChildrenOf(master());
  server_->process().Kill();
  for (const pid_t process : processes) {
    EXPECT_TRUE(WaitUntil([&] { return !IsAlive(process); }, 20s)) << process;
  }
}

TEST_F(Prefork, ServerIsRegisteredOnceAndWithdrawnWhenItLeaves) {
  weir::testing::TempDir directory;
  const std::string url = "file://" + directory.Path("registry");
  Serve({"--registry", url});
  const auto registry = Registries().Open(url);
  ASSERT_TRUE(registry.ok()) << registry.status().ToString();
  std::mutex mutex;
  ProviderList seen;
  std::size_t most = 0;
  const auto watch = (*registry)->Watch("weir.test.Probe", [&](ProviderList list) {
    const std::lock_guard lock(mutex);
    most = std::max(most, list->size());
    seen = std::move(list);
  });
  ASSERT_TRUE(watch.ok()) << watch.status().ToString();
  const auto providers = [&] {
    const std::lock_guard lock(mutex);
    std::vector<std::string> addresses;
    if (seen) {
      for (const Provider& provider : *seen) addresses.push_back(provider.address);
    }
    return addresses;
  };
  const std::vector<std::string> once{server_->address()};
  EXPECT_TRUE(WaitUntil([&] { return providers() == once; }, 20s));
  // Workers come and go, the registration stays.
  server_->process().Signal(SIGHUP);
  EXPECT_TRUE(WaitForLog("have been replaced")) << Log();
  EXPECT_EQ(providers(), once);
  server_->process().Signal(SIGTERM);
  EXPECT_TRUE(WaitUntil([&] { return providers().empty(); }, 20s));
  EXPECT_EQ(server_->process().Wait(20s), 0) << Log();
  EXPECT_EQ(most, 1u);
}

TEST_F(Prefork, KilledRegistrarIsReplaced) {
  weir::testing::TempDir directory;
  Serve({"--registry", "file://" + directory.Path("registry")});
  std::set<pid_t> workers;
  ASSERT_TRUE(WaitUntil(
      [&] {
        const Result<pid_t> process = ServedBy(server_->url());
        if (process.ok()) workers.insert(*process);
        return workers.size() == 2;
      },
      20s));
  std::set<pid_t> others;
  ASSERT_TRUE(WaitUntil(
      [&] {
        others = ChildrenOf(master());
        std::erase_if(others, [&](pid_t one) { return workers.contains(one); });
        return others.size() == 1;
      },
      10s));
  const pid_t registrar = *others.begin();
  ASSERT_EQ(::kill(registrar, SIGKILL), 0);
  EXPECT_TRUE(WaitForLog("the registrar of")) << Log();
  EXPECT_TRUE(WaitUntil(
      [&] {
        const auto now = ChildrenOf(master());
        return now.size() == 3 && !now.contains(registrar);
      },
      20s));
}

TEST_F(Prefork, WorkerThatCannotStartIsAnErrorThatSaysWhy) {
  Process server({WEIR_THREAD_MODEL_SERVER, "--model", "prefork", "--start", "fail"});
  EXPECT_EQ(server.Wait(20s), 1);
  EXPECT_THAT(server.Errors(), HasSubstr("error: the disk is not there"));
}

TEST_F(Prefork, WorkerThatDiesAtOnceIsTriedAgainAndThenGivenUp) {
  const auto begun = std::chrono::steady_clock::now();
  Process server({WEIR_THREAD_MODEL_SERVER, "--model", "prefork", "--start", "die"});
  EXPECT_EQ(server.Wait(20s), 1);
  EXPECT_THAT(server.Errors(), HasSubstr("error: no worker of 127.0.0.1:"));
  EXPECT_THAT(server.Errors(), HasSubstr("signal 9"));
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 300ms) << "it did not wait between them";
}

TEST_F(Prefork, BadSuccessorLeavesTheOldWorkersInPlace) {
  weir::testing::TempDir directory;
  const std::string flag = directory.Path("broken");
  Serve({"--fail-if", flag});
  const std::set<pid_t> before = ChildrenOf(master());
  std::ofstream(flag) << "x";
  server_->process().Signal(SIGHUP);
  EXPECT_TRUE(WaitForLog("are not replaced, those that serve stay")) << Log();
  EXPECT_EQ(ChildrenOf(master()), before);
  EXPECT_TRUE(ServedBy(server_->url()).ok());
}

TEST_F(Prefork, ThreadsBeforeTheForkAreAnErrorThatNamesTheWayOut) {
  Process server({WEIR_THREAD_MODEL_SERVER, "--model", "prefork", "--start", "thread"});
  EXPECT_EQ(server.Wait(20s), 1);
  EXPECT_THAT(server.Errors(), HasSubstr("2 threads"));
  EXPECT_THAT(server.Errors(), HasSubstr("Server::OnWorkerStart"));
}

TEST_F(Prefork, UnixSocketIsSharedByTheWorkers) {
  weir::testing::TempDir directory;
  Serve({"--listen", "unix:" + directory.Path("socket")});
  NewConnections load(server_->url());
  ASSERT_TRUE(load.AwaitMore(50));
  server_->process().Signal(SIGHUP);
  EXPECT_TRUE(WaitForLog("have been replaced")) << Log();
  EXPECT_TRUE(load.AwaitMore(50));
  load.Stop();
  EXPECT_EQ(load.failures(), "");
  server_->process().Signal(SIGTERM);
  EXPECT_EQ(server_->process().Wait(20s), 0) << Log();
  EXPECT_FALSE(std::filesystem::exists(directory.Path("socket")));
}

TEST(PreforkServer, NeedsRunAndNoRuntimeOfOthers) {
  Server server({.threads = {.model = ThreadModel::kPrefork, .reactors = 2}});
  const Status started = server.Start();
  EXPECT_EQ(started.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(started.message()), HasSubstr("Run()"));
  Server shared(
      {.threads = {.model = ThreadModel::kPrefork}, .runtime = std::make_shared<Runtime>()});
  EXPECT_EQ(shared.Listen().code(), StatusCode::kFailedPrecondition);
}

TEST(Servers, OnWorkerStartRunsOnceBeforeAnythingIsServed) {
  Server server;
  int runs = 0;
  server.OnWorkerStart([&](Server& own) {
    ++runs;
    EXPECT_EQ(&own, &server);
    return Status();
  });
  EXPECT_TRUE(server.Start().ok());
  EXPECT_EQ(runs, 1);
  Server failing;
  failing.OnWorkerStart([](Server&) { return Unavailable("the disk is not there"); });
  EXPECT_EQ(failing.Start(), Unavailable("the disk is not there"));
}

}  // namespace
}  // namespace weir::test
