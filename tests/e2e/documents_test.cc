// What README.md, docs/getting-started.md and docs/tools.md tell a reader to write and to run is
// written and run, against this build, installed. A document is tried literally but for two things:
// registries in /tmp lie in the test's own directory, and ZooKeeper at 127.0.0.1:2181 is a private
// one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "e2e/document.h"
#include "support/process.h"
#include "support/temp_dir.h"
#include "support/zookeeper_server.h"

namespace weir::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;

constexpr std::string_view kZooKeeper = "127.0.0.1:2181";
constexpr std::chrono::minutes kPatience{8};            // for a command, which may compile
constexpr std::chrono::seconds kDiscoveryPatience{30};  // until all consumers know of a change

std::string Read(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) throw std::runtime_error("cannot read " + file.string());
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void ReplaceAll(std::string& text, std::string_view from, std::string_view to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

// A reader of a document, with a home directory that holds an installed weir and a project.
class Reader {
 public:
  Reader() {
    std::filesystem::create_directories(project_);
    std::filesystem::create_directories(home_.Path("tmp"));
    Process install({WEIR_CMAKE, "--install", WEIR_BUILD_DIR, "--prefix", home_.Path("weir")});
    if (install.Wait(kPatience) != 0) throw std::runtime_error(install.Errors());
  }

  // Does what the document says, up to the first step that fails.
  void Follow(const std::filesystem::path& document) {
    std::string text = Read(document);
    ReplaceAll(text, "file:///tmp/", "file://" + home_.Path("tmp/"));
    if (text.find(kZooKeeper) != std::string::npos) {
      zookeeper_.emplace();
      ReplaceAll(text, kZooKeeper, zookeeper_->address());
    }
    const std::vector<Block> blocks = MarkedBlocks(text);
    int runs = 0;
    for (auto block = blocks.begin(); block != blocks.end(); ++block) {
      SCOPED_TRACE(document.string() + ", line " + std::to_string(block->line));
      const auto next = block + 1;
      const bool checked = next != blocks.end() && next->kind == BlockKind::kOutput;
      switch (block->kind) {
        case BlockKind::kFile:
          Write(*block);
          break;
        case BlockKind::kRun:
        case BlockKind::kRunFails:
          ++runs;
          RunUntil(*block, checked ? next->text : "");
          break;
        case BlockKind::kRunInBackground:
          StartEachLine(*block);
          break;
        case BlockKind::kOutput:
          break;  // looked at by the run before it
      }
      if (::testing::Test::HasFatalFailure()) return;
    }
    EXPECT_GT(runs, 0) << document << " has no block that is marked to be run";
    for (const auto& process : background_) process->Signal(SIGTERM);
    for (const auto& process : background_) {
      EXPECT_EQ(process->Wait(kPatience), 0) << process->Errors();
    }
  }

 private:
  std::vector<std::string> Environment() const {
    std::vector<std::string> environment = {"HOME=" + home_.path().string(),
                                            std::string("CXX=") + WEIR_CXX,
                                            std::string("CXXFLAGS=") + WEIR_CXXFLAGS,
                                            std::string("CMAKE_BUILD_TYPE=") + WEIR_BUILD_TYPE,
                                            "CCACHE_BASEDIR=" + home_.path().string(),
                                            "CCACHE_NOHASHDIR=1"};
    if (std::string_view(WEIR_CXX_LAUNCHER) != "") {
      environment.push_back(std::string("CMAKE_CXX_COMPILER_LAUNCHER=") + WEIR_CXX_LAUNCHER);
    }
    const char* path = std::getenv("PATH");
    environment.push_back("PATH=" + home_.Path("weir/bin") + ":" + (path != nullptr ? path : ""));
    const char* home = std::getenv("HOME");
    if (home != nullptr && std::getenv("CCACHE_DIR") == nullptr) {
      environment.push_back(std::string("CCACHE_DIR=") + home + "/.cache/ccache");
    }
    return environment;
  }

  void Write(const Block& block) {
    const std::filesystem::path file = project_ / block.file;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << block.text;
    // The build compares times, which may be no finer than a tick of the kernel.
    std::filesystem::last_write_time(file, std::filesystem::file_time_type::clock::now());
  }

  // Runs the block until it ends and prints what is expected; more than once only if programs were
  // started just before, of which the others may not know yet.
  void RunUntil(const Block& block, const std::string& expected) {
    const bool fails = block.kind == BlockKind::kRunFails;
    std::string output;
    const auto right = [&] {
      Process process({"bash", "-e", "-c", block.text}, {Environment(), project_.string()});
      const auto exit_code = process.Wait(kPatience);
      output = process.Output() + process.Errors();
      return exit_code.has_value() && (*exit_code != 0) == fails && HoldsLines(output, expected);
    };
    const bool followed = just_started_ ? WaitUntil(right, kDiscoveryPatience) : right();
    just_started_ = false;
    ASSERT_TRUE(followed) << block.text << "has given\n" << output << "instead of\n" << expected;
  }

  void StartEachLine(const Block& block) {
    std::istringstream lines(block.text);
    for (std::string line; std::getline(lines, line);) {
      background_.push_back(
          std::make_unique<Process>(std::vector<std::string>{"bash", "-c", "exec " + line},
                                    ProcessOptions{Environment(), project_.string()}));
    }
    just_started_ = true;
  }

  TempDir home_;
  const std::filesystem::path project_ = home_.path() / "project";
  std::optional<ZooKeeperServer> zookeeper_;
  std::vector<std::unique_ptr<Process>> background_;
  bool just_started_ = false;
};

TEST(Documents, ServiceWrittenFromTheReadmeAloneCompilesAndRuns) {
  Reader().Follow(std::filesystem::path(WEIR_SOURCE_DIR) / "README.md");
}

TEST(Documents, GettingStartedWorksStepByStep) {
  Reader().Follow(std::filesystem::path(WEIR_SOURCE_DIR) / "docs/getting-started.md");
}

TEST(Documents, ToolsDoWhatTheirPageSays) {
  Reader().Follow(std::filesystem::path(WEIR_SOURCE_DIR) / "docs/tools.md");
}

TEST(Documents, MarkedBlocksComeInOrder) {
  const std::vector<Block> blocks = MarkedBlocks(
      "text\n<!-- file: a/b.cc -->\n```cpp\nint b;\n\n```\n"
      "```sh\nnot marked\n```\n<!-- a remark -->\n<!-- run, fails -->\n```sh\nfalse\n```\n");
  EXPECT_THAT(blocks,
              ElementsAre(Field(&Block::text, "int b;\n\n"), Field(&Block::text, "false\n")));
  EXPECT_EQ(blocks[0].file, "a/b.cc");
  EXPECT_EQ(blocks[0].line, 2);
  EXPECT_EQ(blocks[1].kind, BlockKind::kRunFails);
}

TEST(Documents, MarkWithoutABlockAndABlockWithoutAnEndAreRefused) {
  EXPECT_THROW(MarkedBlocks("<!-- run -->\ntext\n```sh\ntrue\n```\n"), std::runtime_error);
  EXPECT_THROW(MarkedBlocks("<!-- run -->\n"), std::runtime_error);
  EXPECT_THROW(MarkedBlocks("<!-- run -->\n```sh\ntrue\n"), std::runtime_error);
}

TEST(Documents, ExpectedLinesAreFoundAmongOthersInTheirOrder) {
  EXPECT_TRUE(HoldsLines("a\nb\nc\n", "a\nc\n"));
  EXPECT_TRUE(HoldsLines("a\n", ""));
  EXPECT_FALSE(HoldsLines("a\nb\n", "b\na\n"));
  EXPECT_FALSE(HoldsLines("ab\n", "a\n"));
}

}  // namespace
}  // namespace weir::testing
