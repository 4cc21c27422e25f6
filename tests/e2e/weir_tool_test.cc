// `weir` on registries that need no server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <tuple>

#include "e2e/weir_tool_suite.h"
#include "support/temp_dir.h"
#include "text.h"

namespace weir::testing {
namespace {

using ::testing::HasSubstr;

class FilePlace final : public RegistryPlace {
 public:
  std::string url() const override { return "file://" + directory_.Path("registry"); }

 private:
  TempDir directory_;
};

INSTANTIATE_TEST_SUITE_P(File, OperatorTest,
                         ::testing::Values(RegistryKind{"file", MakePlace<FilePlace>}),
                         [](const auto& kind) { return std::string(kind.param.name); });

TEST(Weir, MistakesAreOneLineThatNamesThemAndAnExitCode) {
  for (const auto& [arguments, code, told] :
       std::vector<std::tuple<std::vector<std::string>, int, std::string>>{
           {{"lst"},
            2,
            "unknown command 'lst'; known: list, watch, weight, drain, explain, call, bench"},
           {{}, 2, "--help"},
           {{"list"}, 2, "REGISTRY is missing"},
           {{"watch"}, 2, "WEIR_REGISTRY"},
           {{"list", "mem://x", "--jsn"}, 2, "--jsn"},
           {{"list", "mem://x", "--for-ms", "5"}, 2, "--for-ms"},
           {{"list", "mem://x", "--timeout-ms", "soon"}, 2, "--timeout-ms"},
           {{"list", "mem://x", "--registry", "mem://y"}, 2, "two registries"},
           {{"list", "pigeon://x"}, 2, "unknown scheme 'pigeon'"},
           {{"list", "list://a:1"}, 1, "list://a:1"},
           {{"list", "mem://x", "a/b"}, 2, "service 'a/b'"},
           {{"weight", "mem://x", "a.A", "h:1"}, 2, "weight takes SERVICE ADDRESS N"},
           {{"weight", "mem://x", "a.A", "h", "1"}, 2, "h"},
           {{"weight", "list://a:1", "a.A", "a:1", "5"}, 1, "is a fixed list"},
           {{"drain", "mem://x"}, 2, "drain takes ADDRESS"},
           {{"drain", "mem://x", "h:1"}, 1, "h:1 is registered nowhere in mem://x"}}) {
    const Ended ended = RunWeir(arguments);
    EXPECT_EQ(ended.code, code) << told;
    EXPECT_THAT(ended.errors, HasSubstr(told));
    EXPECT_EQ(std::count(ended.errors.begin(), ended.errors.end(), '\n'), 1) << ended.errors;
    EXPECT_EQ(ended.output, "");
  }
}

TEST(Weir, HelpHasAnExampleAndSaysWhereAPasswordBelongs) {
  for (const char* command : {"list", "watch", "weight", "drain"}) {
    const Ended help = RunWeir({command, "--help"}, "zk://user:sesame@h:1/rpc");
    EXPECT_EQ(help.code, 0);
    EXPECT_THAT(help.output, HasSubstr(std::string("Usage: weir ") + command + " [REGISTRY]"));
    EXPECT_THAT(help.output, HasSubstr(std::string("Example:\n  weir ") + command));
    EXPECT_THAT(help.output, HasSubstr("belongs\ninto WEIR_REGISTRY"));
    EXPECT_EQ(help.output.find("sesame"), std::string::npos);
  }
}

TEST(Weir, ExplainMakesLoggedPicksAgain) {
  const TempDir directory;
  const std::string good =
      R"({"strategy":"round_robin","method":"a.A/B","sequence":1,"providers":[)"
      R"({"address":"h:1","weight":100},{"address":"h:2","weight":100}],"picked":)";
  std::ofstream(directory.Path("log")) << "no pick here\n12:00 " << good << "1}\n"
                                       << good << "1}\n";
  const Ended same = RunWeir({"explain", directory.Path("log")});
  EXPECT_EQ(same.code, 0) << same.errors;
  EXPECT_THAT(same.output, ::testing::StartsWith("a.A/B  round_robin: h:2"));
  EXPECT_EQ(std::count(same.output.begin(), same.output.end(), '\n'), 2);
  const auto rows =
      nlohmann::json::parse(RunWeir({"explain", directory.Path("log"), "--json"}).output);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["line"], 2);
  EXPECT_EQ(rows[0]["picked"], "h:2");
  EXPECT_EQ(rows[0]["same"], true);
  std::ofstream(directory.Path("other")) << good << "0}\n";
  const Ended other = RunWeir({"explain", directory.Path("other")});
  EXPECT_EQ(other.code, 1);
  EXPECT_THAT(other.output, HasSubstr("DIFFERENT: the record says h:1"));
  EXPECT_THAT(other.errors, HasSubstr("1 of 1 picks are not what is recorded"));
  std::ofstream(directory.Path("junk")) << "\n{\"strategy\":7}\n";
  const Ended junk = RunWeir({"explain", directory.Path("junk")});
  EXPECT_EQ(junk.code, 1);
  EXPECT_THAT(junk.errors, HasSubstr("junk, line 2: pick record, position 13: expected '\"'"));
  const Ended missing = RunWeir({"explain", directory.Path("missing")});
  EXPECT_EQ(missing.code, 1);
  EXPECT_THAT(missing.errors, HasSubstr("cannot read " + directory.Path("missing")));
}

TEST(Weir, ListsAFixedListForTheServicesNamed) {
  const Ended ended = RunWeir({"list", "list://b:2*5,a:1", "a.A", "--json"});
  ASSERT_EQ(ended.code, 0) << ended.errors;
  const auto rows = nlohmann::json::parse(ended.output);
  ASSERT_EQ(rows[0]["providers"].size(), 2u);
  EXPECT_EQ(rows[0]["providers"][1]["weight"], 5);
  EXPECT_TRUE(rows[0]["providers"][1]["age_ms"].is_null());
}

TEST(Weir, JunkInARegistryIsShownAsWhatItCountsFor) {
  const FilePlace place;
  const auto provider = StartProvider(place.url(), "a.A", "127.0.0.1:7001", 3, {"note=a\tb"});
  ASSERT_TRUE(provider);
  const std::string node = place.url().substr(7) + "/a.A/127.0.0.1:7001";
  std::ofstream(node) << "ab\x1b[31m\n";
  const Ended table = RunWeir({"list", place.url()});
  EXPECT_THAT(table.output, HasSubstr("weight rejected: 'ab?[31m'"));
  EXPECT_THAT(table.output, HasSubstr("note=a?b"));
  const Ended json = RunWeir({"list", place.url(), "--json"});
  const auto row = nlohmann::json::parse(json.output)[0]["providers"][0];
  EXPECT_EQ(row["state"], "weight_rejected");
  EXPECT_EQ(row["weight"], 100);
  const Ended healed = RunWeir({"weight", place.url(), "a.A", "127.0.0.1:7001", "100"});
  EXPECT_EQ(healed.output, "a.A at 127.0.0.1:7001: weight 100 ('ab?[31m' rejected) -> 100\n");
}

TEST(Weir, WhoMayNotWriteIsToldWhoMay) {
  const TempDir directory;
  std::filesystem::permissions(directory.path(), std::filesystem::perms(0755));
  const std::string url = "file://" + directory.Path("registry");
  const auto provider = StartProvider(url, "a.A", "127.0.0.1:7001", 3);
  ASSERT_TRUE(provider);
  const auto as_nobody = [](std::vector<std::string> command) {
    command.insert(command.begin(), {"setpriv", "--reuid=65534", "--clear-groups"});
    return command;
  };
  Process able(as_nobody({WEIR_PROGRAM, "--version"}));
  if (::geteuid() != 0 || able.Wait(std::chrono::seconds(30)) != 0) {
    GTEST_SKIP() << "no right to be somebody else, who can run weir";
  }
  Process weight(as_nobody({WEIR_PROGRAM, "weight", url, "a.A", "127.0.0.1:7001", "5"}));
  EXPECT_EQ(weight.Wait(std::chrono::seconds(30)), 1);
  EXPECT_THAT(weight.Errors(), HasSubstr("cannot write " + directory.Path("registry/a.A")));
  EXPECT_THAT(weight.Errors(), HasSubstr("as the user who runs the provider (uid 0)"));
  Process list(as_nobody({WEIR_PROGRAM, "list", url}));
  EXPECT_EQ(list.Wait(std::chrono::seconds(30)), 0) << list.Errors();
  EXPECT_THAT(list.Output(), HasSubstr("127.0.0.1:7001  3 "));
}

TEST(Weir, WatchEndsByItselfAfterATime) {
  const FilePlace place;
  const Ended ended = RunWeir({"watch", place.url(), "--for-ms", "200"});
  EXPECT_EQ(ended.code, 0) << ended.errors;
  EXPECT_EQ(ended.output, "");
}

TEST(Weir, WatchTellsThatADirectoryIsLostAndBack) {
  const FilePlace place;
  const std::string directory = place.url().substr(7);
  const auto provider = StartProvider(place.url(), "a.A", "127.0.0.1:7001", 3);
  ASSERT_TRUE(provider);
  Process watch({WEIR_PROGRAM, "watch", place.url()});
  ASSERT_TRUE(watch.WaitForLine("present", std::chrono::seconds(30)));
  provider->Signal(SIGSTOP);
  std::filesystem::rename(directory, directory + ".away");
  for (bool in_the_way = false; !in_the_way;) {
    std::error_code ignored;  // the program may be making it again
    std::filesystem::remove_all(directory, ignored);
    std::filesystem::create_symlink("/nonexistent/place", directory, ignored);
    in_the_way = std::filesystem::is_symlink(directory, ignored);
  }
  EXPECT_TRUE(watch.WaitForLine("lost: cannot read " + directory, std::chrono::seconds(10)));
  std::filesystem::remove(directory);
  provider->Signal(SIGCONT);
  EXPECT_TRUE(watch.WaitForLine("  back", std::chrono::seconds(10)));
  EXPECT_EQ(watch.Output().find("left"), std::string::npos) << watch.Output();
}

TEST(Text, AgesAreShort) {
  using namespace std::chrono_literals;
  EXPECT_EQ(tool::Age(-5s), "0s");
  EXPECT_EQ(tool::Age(59'999ms), "59s");
  EXPECT_EQ(tool::Age(3min + 12s), "3m12s");
  EXPECT_EQ(tool::Age(5h + 3min + 59s), "5h03m");
  EXPECT_EQ(tool::Age(98h + 59min), "4d02h");
}

TEST(Text, TablesHaveColumnsAndNoSpaceAtTheEnd) {
  EXPECT_EQ(tool::Table({{"A", "B"}, {"long", ""}, {"x", "y"}}), "A     B\nlong\nx     y\n");
  EXPECT_EQ(tool::Some({}), "none");
  EXPECT_EQ(tool::Some({"a", "b", "c"}, 2), "a, b and 1 more");
}

}  // namespace
}  // namespace weir::testing
