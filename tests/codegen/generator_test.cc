// protoc-gen-weir, run by protoc as its users run it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "support/process.h"
#include "support/temp_dir.h"

namespace {

using testing::EndsWith;
using testing::HasSubstr;
using weir::testing::Process;
using weir::testing::TempDir;

std::string Read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Outcome {
  int exit_code;
  std::string errors;
};

Outcome RunProtoc(const std::string& import_dir, const std::string& weir_out,
                  const std::vector<std::string>& files) {
  std::vector<std::string> command = {
      CODEGEN_PROTOC, "-I" + import_dir, std::string("-I") + CODEGEN_OPTIONS_DIR,
      std::string("--plugin=protoc-gen-weir=") + CODEGEN_PLUGIN, "--weir_out=" + weir_out};
  command.insert(command.end(), files.begin(), files.end());
  Process protoc(std::move(command));
  const std::optional<int> exit_code = protoc.Wait(std::chrono::seconds(60));
  EXPECT_TRUE(exit_code.has_value()) << "protoc does not end";
  return {exit_code.value_or(-1), protoc.Errors()};
}

// protoc's outcome for a file "bad.proto" of these lines, which has to leave nothing behind.
Outcome Refuse(const std::string& text) {
  const TempDir directory;
  const TempDir out;
  std::ofstream(directory.Path("bad.proto")) << text;
  const Outcome outcome = RunProtoc(directory.path().string(), out.path().string(), {"bad.proto"});
  EXPECT_NE(outcome.exit_code, 0);
  EXPECT_TRUE(std::filesystem::is_empty(out.path()));
  return outcome;
}

// What is said of one field in a message, after "bad.proto:LINE:COLUMN: field bad.M.".
std::string RefuseField(const std::string& field) {
  const Outcome outcome = Refuse(
      "syntax = \"proto3\";\n"
      "package bad;\n"
      "import \"weir/options.proto\";\n"
      "enum E { ZERO = 0; }\n"
      "message M {\n"
      "  " +
      field + "\n}\n");
  return outcome.errors;
}

TEST(Generator, TheHeaderOfARichProtoIsTheGoldenOne) {
  const std::filesystem::path golden =
      std::filesystem::path(CODEGEN_SOURCE_DIR) / "golden" / "rich.weir.h.golden";
  const TempDir out;
  const Outcome outcome =
      RunProtoc(std::string(CODEGEN_SOURCE_DIR) + "/protos", out.path().string(), {"rich.proto"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.errors;
  const std::string made = Read(out.path() / "rich.weir.h");
  if (std::getenv("WEIR_UPDATE_GOLDEN") != nullptr) std::ofstream(golden, std::ios::binary) << made;
  EXPECT_EQ(made, Read(golden))
      << "if the change is meant, run this test with WEIR_UPDATE_GOLDEN=1 "
         "in the environment and commit "
      << golden;
}

TEST(Generator, AProtoWithoutServicesGetsAHeaderThatOnlyIncludesItsMessages) {
  const TempDir out;
  const Outcome outcome = RunProtoc(std::string(CODEGEN_SOURCE_DIR) + "/protos",
                                    out.path().string(), {"shared/types.proto"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.errors;
  EXPECT_EQ(Read(out.path() / "shared/types.weir.h"),
            "// Made by protoc-gen-weir from shared/types.proto; changes are lost when it is made "
            "again.\n#pragma once\n\n#include \"shared/types.pb.h\"\n");
}

TEST(Generator, RefusesStreamingMethods) {
  const Outcome outcome = Refuse(
      "syntax = \"proto3\";\n"
      "package bad;\n"
      "message M {}\n"
      "service S {\n"
      "  rpc Ok(M) returns (M);\n"
      "  rpc Watch(M) returns (stream M);\n"
      "  rpc Feed(stream M) returns (M);\n"
      "}\n");
  EXPECT_THAT(outcome.errors, HasSubstr("bad.proto:6:3: method bad.S/Watch streams; weir has no "
                                        "streaming yet: leave out `stream`\n"));
  EXPECT_THAT(outcome.errors, HasSubstr("bad.proto:7:3: method bad.S/Feed streams;"));
}

TEST(Generator, RefusesHashKeysWithoutAText) {
  const auto said = [](const std::string& why) {
    return HasSubstr("bad.proto:6:3: field bad.M.key cannot be the (weir.hash_key): it is " + why +
                     "; mark a plain string, bytes or integer field\n");
  };
  EXPECT_THAT(RefuseField("bool key = 1 [(weir.hash_key) = true];"), said("of type bool"));
  EXPECT_THAT(RefuseField("double key = 1 [(weir.hash_key) = true];"), said("of type double"));
  EXPECT_THAT(RefuseField("float key = 1 [(weir.hash_key) = true];"), said("of type float"));
  EXPECT_THAT(RefuseField("E key = 1 [(weir.hash_key) = true];"), said("of type enum"));
  EXPECT_THAT(RefuseField("M key = 1 [(weir.hash_key) = true];"), said("of type message"));
  EXPECT_THAT(RefuseField("repeated string key = 1 [(weir.hash_key) = true];"), said("repeated"));
  EXPECT_THAT(RefuseField("map<string, string> key = 1 [(weir.hash_key) = true];"), said("a map"));
  EXPECT_THAT(RefuseField("oneof o { string key = 1 [(weir.hash_key) = true]; }"),
              HasSubstr("bad.proto:6:13: field bad.M.key cannot be the (weir.hash_key): it is in "
                        "the oneof o;"));
}

TEST(Generator, RefusesASecondHashKeyInAMessage) {
  EXPECT_THAT(RefuseField("string a = 1 [(weir.hash_key) = true];\n"
                          "  string b = 2 [(weir.hash_key) = true];"),
              HasSubstr("bad.proto:7:3: field bad.M.b is a second (weir.hash_key), beside a; a "
                        "message has at most one\n"));
}

TEST(Generator, NamesTheImportedFileThatHoldsABadHashKey) {
  const TempDir directory;
  const TempDir out;
  std::ofstream(directory.Path("common.proto"))
      << "syntax = \"proto3\";\nimport \"weir/options.proto\";\n"
         "message M {\n  bool key = 1 [(weir.hash_key) = true];\n}\n";
  std::ofstream(directory.Path("user.proto"))
      << "syntax = \"proto3\";\nimport \"common.proto\";\n"
         "service S {\n  rpc A(M) returns (M);\n  rpc B(M) returns (M);\n}\n";
  const Outcome outcome = RunProtoc(directory.path().string(), out.path().string(), {"user.proto"});
  EXPECT_NE(outcome.exit_code, 0);
  // Said once, though two methods take it.
  EXPECT_EQ(outcome.errors,
            "--weir_out: common.proto:4:3: field M.key cannot be the (weir.hash_key): it is of "
            "type bool; mark a plain string, bytes or integer field\n");
}

TEST(Generator, RefusesNamesThatMeetInCpp) {
  const Outcome methods = Refuse(
      "syntax = \"proto3\";\n"
      "package bad;\n"
      "message M {}\n"
      "service S {\n"
      "  rpc info_(M) returns (M);\n"
      "  rpc info(M) returns (M);\n"
      "}\n");
  EXPECT_THAT(methods.errors, HasSubstr("bad.proto:6:3: method bad.S/info and method bad.S/info_ "
                                        "are both named info_ in C++; rename one\n"));
  const Outcome services = Refuse(
      "syntax = \"proto3\";\n"
      "package bad;\n"
      "message A { message B {} }\n"
      "service A_B {}\n");
  EXPECT_THAT(services.errors, HasSubstr("bad.proto:4:1: service bad.A_B and message bad.A.B are "
                                         "both named A_B in C++; rename one\n"));
}

TEST(Generator, RefusesServicesThatProtocMakesClassesOf) {
  const Outcome outcome = Refuse(
      "syntax = \"proto3\";\n"
      "package bad;\n"
      "option cc_generic_services = true;\n"
      "service S {}\n");
  EXPECT_THAT(outcome.errors, HasSubstr("bad.proto:3:1: option cc_generic_services makes protoc "
                                        "generate a class named as each service"));
}

TEST(Generator, AnUnknownOptionIsNamedWithItsLine) {
  EXPECT_THAT(RefuseField("string key = 1 [(weir.hashkey) = true];"),
              HasSubstr("bad.proto:6:19: Option \"(weir.hashkey)\" unknown."));
}

TEST(Generator, RefusesParameters) {
  const TempDir out;
  const Outcome outcome = RunProtoc(std::string(CODEGEN_SOURCE_DIR) + "/protos",
                                    "lite:" + out.path().string(), {"rich.proto"});
  EXPECT_NE(outcome.exit_code, 0);
  EXPECT_THAT(outcome.errors, EndsWith("unknown parameter \"lite\": --weir_out takes only a "
                                       "folder\n"));
}

}  // namespace
