// `weir call`: any method of any provider, by its .proto or descriptor set.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "e2e/echo_program.h"
#include "echo.pb.h"

namespace weir::testing {
namespace {

using ::testing::HasSubstr;

class WeirCall : public ::testing::Test {
 protected:
  std::string Registry() const { return "file://" + directory_.Path("registry"); }
  std::string Write(const std::string& name, const std::string& text) const {
    const std::filesystem::path file = directory_.path() / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
    return file.string();
  }
  // The same service as the provider's, spread over two files in two directories.
  void WriteDividedProto() const {
    Write("api/echo_api.proto",
          "syntax = \"proto3\";\npackage weir.test;\nimport \"types/messages.proto\";\n"
          "service Echo {\n  rpc Plain(EchoRequest) returns (EchoReply);\n"
          "  rpc Nowhere(EchoRequest) returns (EchoReply);\n}\n");
    Write("common/types/messages.proto",
          "syntax = \"proto3\";\npackage weir.test;\nimport \"google/protobuf/timestamp.proto\";\n"
          "message EchoRequest {\n  string key = 1;\n  bytes payload = 2;\n"
          "  google.protobuf.Timestamp when = 9;\n}\n"
          "message EchoReply {\n  bytes payload = 1;\n  string served_by = 2;\n}\n");
  }

  TempDir directory_;
};

nlohmann::json ReplyOf(const Ended& ended) {
  EXPECT_EQ(ended.code, 0) << ended.errors;
  return nlohmann::json::parse(ended.output, nullptr, false);
}

TEST_F(WeirCall, PrintsTheReplyWhereverTheTargetStands) {
  EchoProgram provider(Registry());
  ASSERT_FALSE(provider.address().empty());
  const std::string message = R"({"payload": "aGVsbG8="})";
  for (const std::string& target :
       {provider.address(), "list://" + provider.address(), Registry()}) {
    const nlohmann::json reply = ReplyOf(RunWeir(EchoLine("call", target, "Plain", message)));
    EXPECT_EQ(reply["payload"], "aGVsbG8=");
    EXPECT_EQ(reply["served_by"], provider.address());
  }
  const std::vector<std::string> line = {"call", "weir.test.Echo/Plain", message, "--proto",
                                         WEIR_ECHO_PROTO};
  EXPECT_EQ(ReplyOf(RunWeir(line, Registry()))["payload"], "aGVsbG8=");
  std::vector<std::string> by_option = line;
  by_option.insert(by_option.end(), {"--registry", Registry()});
  EXPECT_EQ(ReplyOf(RunWeir(by_option))["payload"], "aGVsbG8=");
}

TEST_F(WeirCall, ReachesAProviderBehindASocketOfTheFileSystem) {
  EchoProgram provider(Registry(), "unix:" + directory_.Path("socket"));
  ASSERT_FALSE(provider.address().empty()) << provider.process().Errors();
  const Ended ended =
      RunWeir(EchoLine("call", provider.address(), "Plain", R"({"payload": "aGk="})"));
  EXPECT_EQ(ReplyOf(ended)["served_by"], provider.address());
}

TEST_F(WeirCall, TakesTheMessageFromAFileFromStandardInputOrNone) {
  EchoProgram provider(Registry());
  const std::string file = Write("hello.json", "{\n  \"payload\": \"aGk=\"\n}\n");
  EXPECT_EQ(ReplyOf(RunWeir(EchoLine("call", provider.address(), "Plain", "@" + file)))["payload"],
            "aGk=");
  std::vector<std::string> line = EchoLine("call", provider.address(), "Plain", "-");
  line.insert(line.begin(), WEIR_PROGRAM);
  Process weir(line);
  weir.Write(R"({"payload": "eW8="})");
  weir.CloseInput();
  EXPECT_EQ(weir.Wait(kEchoPatience), 0) << weir.Errors();
  EXPECT_THAT(weir.Output(), HasSubstr("eW8="));
  const Ended empty =
      RunWeir({"call", provider.address(), "weir.test.Echo/Plain", "--proto", WEIR_ECHO_PROTO});
  EXPECT_EQ(ReplyOf(empty).count("payload"), 0u);
}

TEST_F(WeirCall, FailedCallIsItsCodeAndMessageAndExitCode1) {
  EchoProgram provider(Registry());
  const Ended failed = RunWeir(EchoLine("call", provider.address(), "Plain", R"({"code": 5})"));
  EXPECT_EQ(failed.code, 1);
  EXPECT_EQ(failed.errors, "error: NOT_FOUND: as asked\n");
  EXPECT_EQ(failed.output, "");
  const Ended refused = RunWeir(EchoLine("call", provider.address(), "Plain", R"({"code": 3})"));
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.errors, HasSubstr("INVALID_ARGUMENT"));
  const Ended late = RunWeir(EchoLine("call", provider.address(), "Coroutine",
                                      R"({"delay_ms": 60000})", {"--timeout", "100ms"}));
  EXPECT_EQ(late.code, 1);
  EXPECT_THAT(late.errors, HasSubstr("DEADLINE_EXCEEDED"));
  const std::string address = provider.address();
  provider.process().Kill();
  const Ended gone = RunWeir(EchoLine("call", address, "Plain", "{}"));
  EXPECT_EQ(gone.code, 1);
  EXPECT_THAT(gone.errors, HasSubstr("UNAVAILABLE"));
  EXPECT_THAT(gone.errors, HasSubstr(address));
}

TEST_F(WeirCall, ProtoMayImportFromOtherDirectories) {
  EchoProgram provider(Registry());
  WriteDividedProto();
  const std::string proto = directory_.Path("api/echo_api.proto");
  const std::string message = R"({"payload": "aGk=", "when": "2026-01-02T03:04:05Z"})";
  const std::vector<std::string> line = {"call",  provider.address(), "weir.test.Echo/Plain",
                                         message, "--proto",          proto};
  const Ended without = RunWeir(line);
  EXPECT_EQ(without.code, 2);
  EXPECT_THAT(without.errors, HasSubstr("types/messages.proto: File not found"));
  EXPECT_THAT(without.errors, HasSubstr("--proto-path"));
  EXPECT_EQ(std::count(without.errors.begin(), without.errors.end(), '\n'), 1) << without.errors;
  std::vector<std::string> with = line;
  with.insert(with.end(), {"--proto-path", directory_.Path("common")});
  EXPECT_EQ(ReplyOf(RunWeir(with))["payload"], "aGk=");
  with.back() = directory_.Path("none");
  EXPECT_THAT(RunWeir(with).errors, HasSubstr("none: no such directory"));
  // Named as imports name it.
  EXPECT_EQ(ReplyOf(RunWeir({"call", provider.address(), "weir.test.Echo/Plain", message,
                             "--proto-path", directory_.Path("common"), "--proto-path",
                             directory_.Path("api"), "--proto", "echo_api.proto"}))["payload"],
            "aGk=");
  with = {"call", provider.address(), "weir.test.Echo/Nowhere", "--proto",
          proto,  "--proto-path",     directory_.Path("common")};
  const Ended nowhere = RunWeir(with);
  EXPECT_EQ(nowhere.code, 1);
  EXPECT_THAT(nowhere.errors, HasSubstr("UNIMPLEMENTED"));
}

TEST_F(WeirCall, DescriptorSetServesInsteadOfTheProto) {
  EchoProgram provider(Registry());
  google::protobuf::FileDescriptorSet set;
  test::EchoRequest::descriptor()->file()->CopyTo(set.add_file());
  const auto call = [&](const std::string& file) {
    return RunWeir({"call", provider.address(), "weir.test.Echo/Plain", R"({"payload": "aGk="})",
                    "--descriptor-set", file});
  };
  EXPECT_EQ(ReplyOf(call(Write("echo.pb", set.SerializeAsString())))["payload"], "aGk=");
  set.mutable_file(0)->add_dependency("gone/away.proto");
  const Ended missing = call(Write("less.pb", set.SerializeAsString()));
  EXPECT_EQ(missing.code, 2);
  EXPECT_THAT(missing.errors, HasSubstr("gone/away.proto"));
  EXPECT_THAT(missing.errors, HasSubstr("--include_imports"));
  EXPECT_THAT(call(Write("junk.pb", "junk")).errors, HasSubstr("holds no FileDescriptorSet"));
  EXPECT_THAT(call(directory_.Path("none.pb")).errors, HasSubstr("cannot be read"));
}

TEST_F(WeirCall, KeyDecidesTheProviderAndProviderMayBeNamed) {
  EchoProgram one(Registry());
  EchoProgram two(Registry());
  const auto served_by = [&](const std::string& message, std::vector<std::string> more) {
    more.insert(more.end(), {"--load-balance", "consistent_hash"});
    return ReplyOf(RunWeir(EchoLine("call", Registry(), "Plain", message, more)))["served_by"]
        .get<std::string>();
  };
  // By the field marked (weir.hash_key), and by the option, which wins.
  std::set<std::string> seen;
  for (int i = 0; seen.size() < 2 && i < 64; ++i) {
    const std::string key = std::to_string(i);
    const std::string by_field = served_by(R"({"key": ")" + key + R"("})", {});
    seen.insert(by_field);
    EXPECT_EQ(served_by(R"({"key": "another"})", {"--key", key}), by_field);
  }
  EXPECT_EQ(seen.size(), 2u);
  for (const EchoProgram* provider : {&one, &two}) {
    EXPECT_EQ(served_by("{}", {"--provider", provider->address()}), provider->address());
  }
}

TEST_F(WeirCall, MistakesAreOneLineThatNamesThemAndExitCode2) {
  const std::string bad =
      Write("bad.proto", "syntax = \"proto3\";\nmessage M {\n  strin g = 1;\n}\n");
  const auto echo = [](const std::string& method, const std::string& message,
                       const std::vector<std::string>& more = {}) {
    return EchoLine("call", "127.0.0.1:1", method, message, more);
  };
  for (const auto& [arguments, told] :
       std::vector<std::tuple<std::vector<std::string>, std::string>>{
           {{"call"}, "TARGET is missing"},
           {{"call", "127.0.0.1:1"}, "SERVICE/METHOD is missing"},
           {{"call", "a.A/B", "--proto", WEIR_ECHO_PROTO}, "WEIR_REGISTRY"},
           {{"call", "127.0.0.1:1", "a.A/B"}, "--proto"},
           {{"call", "pigeon://x", "weir.test.Echo/Plain", "--proto", WEIR_ECHO_PROTO}, "pigeon"},
           {{"call", "pigeon://u:sesame@x", "a.A/B", "--proto", "x"}, "no URL of a known scheme"},
           {{"call", "127.0.0.1:port", "weir.test.Echo/Plain", "--proto", WEIR_ECHO_PROTO}, "port"},
           {echo("Plan", "{}"), "no method 'Plan'; did you mean 'Plain'?; methods: Plain, Corou"},
           {echo("", "{}"), "methods: Plain"},
           {{"call", "h:1", "weir.test.Ecco/Plain", "--proto", WEIR_ECHO_PROTO},
            "no service 'weir.test.Ecco'; did you mean 'weir.test.Echo'?; known: weir.test.Echo"},
           {{"call", "h:1", "weir.test.Echo", "--proto", WEIR_ECHO_PROTO}, "weir.test.Echo/METHOD"},
           {echo("Plain", R"({"payload" "x"})"), "line 1, column 14"},
           {echo("Plain", "{\n\"key\": 1,\n}"), "line 3, column 1"},
           {echo("Plain", R"({"pay": "x"})"), "fields: key, payload, delay_ms, code"},
           {echo("Plain", R"({"delay_ms": "soon"})"), "delay_ms"},
           {echo("Plain", "@/none/such.json"), "@/none/such.json: the file cannot be read"},
           {echo("Plain", "{}", {"more"}), "'more' is one word too many"},
           {echo("Plain", "{}", {"--proto", "none.proto"}), "--proto none.proto: no such file"},
           {echo("Plain", "{}", {"--proto", bad}), "bad.proto:3:3: \"strin\" is not defined"},
           {echo("Plain", "{}", {"--descriptor-set", "x"}), "exclude each other"},
           {echo("Plain", "{}", {"--metadata", "novalue"}), "expected NAME=VALUE"},
           {echo("Plain", "{}", {"--timeout", "5"}), "50ms"},
           {echo("Plain", "{}", {"--timeout", "0s"}), "too short"},
           {echo("Plain", "{}", {"--load-balance", "robin"}), "round_robin"},
           {echo("Plain", "{}", {"--concurrency", "1"}), "--concurrency"}}) {
    const Ended ended = RunWeir(arguments);
    EXPECT_EQ(ended.code, 2) << told;
    EXPECT_THAT(ended.errors, HasSubstr(told));
    EXPECT_EQ(ended.errors.find("sesame"), std::string::npos) << ended.errors;
    EXPECT_EQ(std::count(ended.errors.begin(), ended.errors.end(), '\n'), 1) << ended.errors;
    EXPECT_EQ(ended.output, "");
  }
}

TEST_F(WeirCall, HelpHasAnExample) {
  for (const std::string command : {"call", "bench"}) {
    const Ended help = RunWeir({command, "--help"});
    EXPECT_EQ(help.code, 0);
    EXPECT_THAT(help.output, HasSubstr("Usage: weir " + command + " [TARGET] SERVICE/METHOD"));
    EXPECT_THAT(help.output, HasSubstr("Example:\n  weir " + command));
  }
}

}  // namespace
}  // namespace weir::testing
