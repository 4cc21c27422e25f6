// Real processes, really killed.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "engine_fixture.h"
#include "kv_crash_script.h"

extern char** environ;

namespace weir::kv {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// A kv_crash_child and the pipe on which it acknowledges. Killed at the end at the latest.
class Child {
 public:
  Child(const std::string& what, const std::string& directory,
        const std::vector<std::uint64_t>& steps = {}) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::string program = WEIR_KV_CRASH_CHILD;
    std::vector<std::string> arguments = {program, what, directory};
    for (const std::uint64_t step : steps) arguments.push_back(std::to_string(step));
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    EXPECT_EQ(::posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(), environ), 0);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    pipe_ = ends[0];
  }
  ~Child() {
    Kill();
    ::close(pipe_);
  }

  pid_t pid() const { return pid_; }
  // The next acknowledgement; nothing once the process is dead and all is read.
  std::optional<CrashAcknowledgement> Read() {
    CrashAcknowledgement done{};
    const auto n = ::read(pipe_, &done, sizeof done);
    return n == sizeof done ? std::optional(done) : std::nullopt;
  }
  void Kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << status;
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  int pipe_ = -1;
};

TEST(T13_Lock, ASecondProcessIsRefusedAndAKilledOneLeavesNoLock) {
  const TempDirectory directory;
  const std::string path = directory.path() + "/store";
  for (int round = 0; round < 3; ++round) {
    Child child("hold", path);
    ASSERT_TRUE(child.Read());
    const auto refused = Store::Open(path);
    ASSERT_EQ(refused.status().code(), StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(refused.status().message()),
                AllOf(HasSubstr(path + "/LOCK"), HasSubstr("pid " + std::to_string(child.pid()))));
    child.Kill();
    const auto at_once = Store::Open(path);
    EXPECT_TRUE(at_once.ok()) << at_once.status().ToString();
  }
}

// What must be in the store, kept by this process while the other one is killed.
class Oracle {
 public:
  // The first step of each thread that is not known to be in the store.
  const std::vector<std::uint64_t>& next() const { return next_; }
  std::uint64_t acknowledged() const { return count_; }

  void Acknowledged(const CrashAcknowledgement& done) {
    last_acknowledged_[done.thread] = done.step + 1;
    ++count_;
  }

  // Every thread's keys are as after one of its steps: none before the last that it had
  // acknowledged, and then that is where the next process begins.
  void Check(Store& store) {
    for (std::uint64_t thread = 0; thread < kCrashThreads; ++thread) {
      std::uint64_t there = 0;  // steps
      if (const auto step = store.Get(CrashStepKey(thread)); step.ok()) {
        there = std::stoull(*step) + 1;
      }
      ASSERT_GE(there, last_acknowledged_[thread]) << "an acknowledged step is lost";
      if (thread != kAsynchronousThread) {
        ASSERT_LE(there, last_acknowledged_[thread] + 1) << "a step that was never made";
      }
      for (; next_[thread] < there; ++next_[thread]) {
        ApplyTo(model_, CrashStep(thread, next_[thread]));
      }
      last_acknowledged_[thread] = there;
    }
    ASSERT_EQ(Contents(store), model_);
  }

 private:
  std::vector<std::uint64_t> next_ = std::vector<std::uint64_t>(kCrashThreads);
  std::array<std::uint64_t, kCrashThreads> last_acknowledged_{};  // steps: the number + 1
  std::uint64_t count_ = 0;
  Model model_;
};

TEST(T8_KillNine, LosesNoAcknowledgedStepAndResurrectsNothingWhileMergesRun) {
  const QuietLog quiet;
  const TempDirectory directory;
  const std::string path = directory.path() + "/store";
  std::mt19937_64 random(TestSeed());
  Oracle oracle;
  const std::uint64_t rounds = Scaled(200, 15);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    {
      Child child("write", path, oracle.next());
      const auto end =
          std::chrono::steady_clock::now() + std::chrono::milliseconds(random() % Scaled(150, 500));
      do {
        const auto done = child.Read();
        ASSERT_TRUE(done) << "the child ended by itself";
        oracle.Acknowledged(*done);
      } while (std::chrono::steady_clock::now() < end);
      child.Kill();
      while (const auto done = child.Read()) oracle.Acknowledged(*done);
    }
    Options options;
    options.merge.automatic = false;
    options.segment_size = 64 * 1024;
    const auto store = Store::Open(path, options);
    ASSERT_TRUE(store.ok()) << store.status().ToString();
    oracle.Check(**store);
    if (::testing::Test::HasFailure()) break;
  }
  std::cout << rounds << " kills, " << oracle.acknowledged() << " acknowledged steps" << std::endl;
}

TEST(DataDirectory, AnUnreadableOneIsNamed) {
  const TempDirectory directory;
  const std::string path = directory.path() + "/file";
  ::close(::open(path.c_str(), O_CREAT | O_WRONLY, 0644));
  const auto store = Store::Open(path);
  ASSERT_FALSE(store.ok());
  EXPECT_THAT(std::string(store.status().message()),
              AllOf(HasSubstr(path), HasSubstr("Not a directory")));
}

}  // namespace
}  // namespace weir::kv
