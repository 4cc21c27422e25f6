// The tools of the tests, tested.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "support/process.h"
#include "support/temp_dir.h"

namespace weir::testing {
namespace {

using std::chrono::seconds;

TEST(TempDir, IsRemovedWithItsContents) {
  std::filesystem::path path;
  {
    const TempDir directory;
    path = directory.path();
    std::filesystem::create_directories(directory.Path("a/b"));
    EXPECT_TRUE(std::filesystem::is_directory(path));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(Process, CollectsLinesAndTheExitCode) {
  Process process({"sh", "-c", "echo one; echo two words; echo oops >&2; exit 3"});
  EXPECT_EQ(process.WaitForLine("two", seconds(20)), "two words");
  EXPECT_EQ(process.Wait(seconds(20)), 3);
  EXPECT_EQ(process.Lines(), (std::vector<std::string>{"one", "two words"}));
  EXPECT_EQ(process.Errors(), "oops\n");
  EXPECT_EQ(process.WaitForLine("three", seconds(20)), std::nullopt);
}

TEST(Process, ReadsItsInputAndSeesItsEnvironment) {
  Process process({"sh", "-c", "read line; echo \"$line $COLOUR\"; echo \"at $HOME\""},
                  {.environment = {"COLOUR=red", "HOME=/nowhere"}});
  EXPECT_TRUE(process.Write("deep\n"));
  EXPECT_TRUE(process.WaitForLine("deep red", seconds(20)));
  EXPECT_TRUE(process.WaitForLine("at /nowhere", seconds(20)));  // in the place of the inherited
}

TEST(Process, AProgramThatDoesNotExistEndsWith127) {
  Process process({"/no/such/program"});
  EXPECT_EQ(process.Wait(seconds(20)), 127);
  EXPECT_EQ(process.Errors(), "cannot run /no/such/program: ENOENT\n");
}

TEST(Process, SignalsEndIt) {
  Process process({"sleep", "1000"});
  EXPECT_TRUE(process.running());
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait(seconds(20)), 128 + SIGTERM);
  EXPECT_FALSE(process.running());
}

TEST(Process, TheDestructorKillsIt) {
  pid_t pid = 0;
  {
    const Process process({"sleep", "1000"});
    pid = process.pid();
    EXPECT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_NE(::kill(pid, 0), 0);
}

}  // namespace
}  // namespace weir::testing
