// What a pick must not do: allocate (counted by replacing operator new in this program), or make a
// system call (the kernel kills a process in strict mode that tries).
#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>

#include "loadbalance/fleet.h"
#include "support/count_allocations.h"

namespace weir {
namespace {

using test::allocations;

std::vector<std::string> Texts() {
  std::vector<std::string> texts = kEveryStrategy;
  texts.insert(texts.end(), {"slow_start|random", "bounded|round_robin",
                             "bounded(c=1)|slow_start(by=key)|consistent_hash"});
  return texts;
}

std::vector<Provider> Fleet(std::size_t n, std::int32_t largest_weight) {
  std::vector<std::int32_t> weights;
  for (std::size_t i = 0; i < n; ++i) {
    weights.push_back(1 + static_cast<std::int32_t>(i) * 7919 % largest_weight);
  }
  return Providers(weights);
}

// Calls of every kind, with and without a key, with and without exclusions: the pick, and what the
// channel counts. The sum keeps the compiler from dropping them.
Index PickOften(const Balanced& balanced) {
  static constexpr Index kExcluded[] = {0, 3, 5};
  Index sum = 0;
  for (std::uint64_t i = 0; i < 200; ++i) {
    const std::uint64_t word = (i + 1) * 0x9e3779b97f4a7c15;
    PickContext context = {.sequence = i, .random = word};
    if (i % 4 == 0) context.excluded = kExcluded;
    RequestView request = {.method = "a.B/C"};
    if (i % 3 == 0) request = {"a.B/C", "gr\xc3\xbc\xc3\x9f an alle, die vorbeikommen", word, true};
    const Index picked = balanced.Pick(context, request);
    sum += picked;
    if (picked >= balanced.snapshot().size()) continue;
    Endpoint& endpoint = balanced.snapshot().endpoint(picked);
    const auto now_ns = static_cast<std::int64_t>(1'000'000 * (i + 1));
    endpoint.OnStart(0, now_ns);
    if (i % 2 == 0) endpoint.OnReport({.in_flight = 1, .slots = 2}, now_ns);
    endpoint.OnEnd(0, now_ns, now_ns + 1000, i % 5 == 0 ? Outcome::kLate : Outcome::kAnswered);
  }
  return sum;
}

TEST(Pick, AllocatesNothing) {
  const long before_any = allocations;
  for (const std::string& text : Texts()) {
    for (const std::size_t n : {1, 10, 1000}) {
      for (const std::int32_t largest : {1, 10'000}) {
        const Balanced balanced(text, Fleet(n, largest));
        const long before = allocations;
        const Index sum = PickOften(balanced);
        EXPECT_EQ(allocations - before, 0) << text << " over " << n << ", sum " << sum;
      }
    }
  }
  EXPECT_GT(allocations - before_any, 0) << "the counter counts";
}

TEST(Pick, MakesNoSystemCall) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer has a thread of its own, which keeps the child alive";
#endif
  constexpr int kRefused = 77;
  for (const std::string& text : Texts()) {
    const Balanced balanced(text, Fleet(300, 10'000));
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      alarm(60);
      if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) _exit(kRefused);
      PickOften(balanced);
      syscall(SYS_exit, 0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == kRefused) {
      GTEST_SKIP() << "this kernel has no strict mode";
    }
    EXPECT_TRUE(WIFEXITED(status)) << text << " was killed by signal " << WTERMSIG(status);
  }
}

}  // namespace
}  // namespace weir
