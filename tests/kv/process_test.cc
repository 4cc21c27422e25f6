// Real processes, really killed.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "engine_fixture.h"
#include "kv_crash_numbers.h"

extern char** environ;

namespace weir::kv {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// A kv_crash_child and the pipe on which it acknowledges. Killed at the end at the latest.
class Child {
 public:
  Child(const std::string& what, const std::string& directory, std::uint64_t first) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::string program = WEIR_KV_CRASH_CHILD;
    std::string arguments[] = {program, what, directory, std::to_string(first)};
    char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(),
                    arguments[3].data(), nullptr};
    EXPECT_EQ(::posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv, environ), 0);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    pipe_ = ends[0];
  }
  ~Child() {
    Kill();
    ::close(pipe_);
  }

  pid_t pid() const { return pid_; }
  // The next acknowledged number; nothing once the process is dead and all is read.
  std::optional<std::uint64_t> Read() {
    std::uint64_t number = 0;
    const auto n = ::read(pipe_, &number, sizeof number);
    return n == sizeof number ? std::optional(number) : std::nullopt;
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
    Child child("hold", path, 0);
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

TEST(KillNine, LosesNoAcknowledgedCommitAndShowsNoHalfOne) {
  const QuietLog quiet;
  const TempDirectory directory;
  const std::string path = directory.path() + "/store";
  std::mt19937_64 random(std::random_device{}());
  std::set<std::uint64_t> acknowledged;
  std::uint64_t first = 0;
  const std::uint64_t rounds = Scaled(25, 8);
  for (std::uint64_t round = 0; round < rounds && !::testing::Test::HasFailure(); ++round) {
    {
      Child child("write", path, first);
      const std::uint64_t before_kill = 1 + random() % 300;
      for (std::uint64_t i = 0; i < before_kill; ++i) {
        const auto number = child.Read();
        ASSERT_TRUE(number) << "the child ended by itself";
        acknowledged.insert(*number);
      }
      child.Kill();
      while (const auto number = child.Read()) acknowledged.insert(*number);
    }
    const auto store = Store::Open(path);
    ASSERT_TRUE(store.ok()) << store.status().ToString();
    for (const std::uint64_t number : acknowledged) {
      const auto value = (*store)->Get("a" + std::to_string(number));
      ASSERT_TRUE(value.ok()) << number << " was acknowledged and is lost";
      ASSERT_EQ(*value, ValueOf(number));
    }
    for (auto scan = (*store)->Scan({.prefix = "a"}); scan->Valid(); scan->Next()) {
      const auto number = scan->key().substr(1);
      first = std::max<std::uint64_t>(first, std::stoull(std::string(number)) + 1);
      const auto other = (*store)->Get("b" + std::string(number));
      ASSERT_TRUE(other.ok()) << "half a batch";
      ASSERT_EQ(*other, scan->value());
    }
  }
  std::cout << rounds << " kills, " << acknowledged.size() << " acknowledged commits" << std::endl;
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
