// Where io_uring is forbidden, as containers often have it, the proactor works with epoll and says
// so. A program of its own: the filter stays for the life of the process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <mutex>
#include <string>
#include <vector>

#include "core/echo_service.h"
#include "weir/log.h"

namespace weir::test {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;

// From here on io_uring_setup fails with EPERM.
bool ForbidIoUring() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{static_cast<unsigned short>(std::size(program)), program};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

TEST(ProactorFallback, UsesEpollAndSaysWhyInOneLine) {
  ASSERT_TRUE(ForbidIoUring());
  std::mutex mutex;
  std::vector<std::string> lines;
  SetLogSink([&](LogLevel level, std::string_view line) {
    const std::lock_guard lock(mutex);
    if (level >= LogLevel::kWarning) lines.emplace_back(line);
  });
  {
    const auto runtime =
        std::make_shared<Runtime>(ThreadOptions{.model = ThreadModel::kProactor, .reactors = 2});
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_THAT(lines[0], AllOf(HasSubstr("io_uring"), HasSubstr("epoll")));
    const auto server = StartEcho("mem://fallback", "a", nullptr, {.runtime = runtime});
    Channel channel("mem://fallback", {.runtime = runtime});
    EchoRequest request;
    request.set_payload("hello");
    const Result<EchoReply> reply = Echo::Stub(channel).Plain(request);
    ASSERT_TRUE(reply.ok()) << reply.status().ToString();
    EXPECT_EQ(reply->payload(), "hello");
  }
  SetLogSink({});
  EXPECT_EQ(lines.size(), 1u);
}

}  // namespace
}  // namespace weir::test
