// What weir-kv reads and prints.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "input.h"
#include "support/temp_dir.h"
#include "text.h"

namespace weir::kv::tool {
namespace {

using ::testing::HasSubstr;

std::string Refusal(const std::string& text, InputFormat format) {
  const auto input = Input::Parse(text, format, "file");
  EXPECT_EQ(input.status().code(), StatusCode::kInvalidArgument);
  return std::string(input.status().message());
}

TEST(Input, LinesAreKeyTabValueAndTheValueMayHoldTabs) {
  const auto input = Input::Parse("a\t1\n\tempty key\nb\t\nc\tx\ty", InputFormat::kLines, "f");
  ASSERT_TRUE(input.ok()) << input.status().ToString();
  ASSERT_EQ(input->records().size(), 4u);
  EXPECT_EQ(input->records()[0].key, "a");
  EXPECT_EQ(input->records()[0].value, "1");
  EXPECT_EQ(input->records()[1].key, "");
  EXPECT_EQ(input->records()[2].value, "");
  EXPECT_EQ(input->records()[3].value, "x\ty");
}

TEST(Input, MistakesNameFileAndLine) {
  EXPECT_THAT(Refusal("a\t1\nnonsense\n", InputFormat::kLines), HasSubstr("file:2: no TAB"));
  EXPECT_THAT(Refusal("a\t1\nb\t2\na\t3\n", InputFormat::kLines),
              HasSubstr("file:3: key \"a\" is already at line 1"));
  EXPECT_THAT(Refusal("Package: a\n\nVersion: 1\n", InputFormat::kDpkg),
              HasSubstr("file:3: a stanza without \"Package:\""));
}

TEST(Input, StanzasAreKeptByteForByteUnderTheNameDpkgUses) {
  const std::string bash = "Package: bash\nDescription: shell\n .\n more: \n";
  const std::string libc = "Package: libc6\nArchitecture: amd64\nMulti-Arch: same\n";
  const std::string i386 = "Multi-Arch: same\nPackage: libc6\nArchitecture: i386";
  const auto input =
      Input::Parse("\n" + bash + "\n\n" + libc + "\n" + i386, InputFormat::kDpkg, "f");
  ASSERT_TRUE(input.ok()) << input.status().ToString();
  ASSERT_EQ(input->records().size(), 3u);
  EXPECT_EQ(input->records()[0].key, "bash");
  EXPECT_EQ(input->records()[0].value, bash);
  EXPECT_EQ(input->records()[1].key, "libc6:amd64");
  EXPECT_EQ(input->records()[1].value, libc);
  EXPECT_EQ(input->records()[2].key, "libc6:i386");
  EXPECT_EQ(input->records()[2].value, i386);
}

TEST(Input, FilesThatCannotBeReadAreNamed) {
  const testing::TempDir directory;
  for (const std::string& file : {directory.Path("absent"), directory.path().string()}) {
    const auto input = Input::Read(file, InputFormat::kLines);
    EXPECT_EQ(input.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(input.status().message()), HasSubstr(file));
  }
  std::ofstream(directory.Path("empty"));
  EXPECT_TRUE(Input::Read(directory.Path("empty"), InputFormat::kLines)->records().empty());
}

TEST(Text, LinesStayLinesAndJsonStaysUtf8) {
  EXPECT_EQ(Escape(std::string("a\tb\nc\\d\0e\x7f\xc3\xa4", 12)),
            "a\\tb\\nc\\\\d\\x00e\\x7f\xc3\xa4");
  EXPECT_EQ(JsonText({{"a\n", "\xc3\xa4\xff"}}), "{\n  \"a\\n\": \"\xc3\xa4\xef\xbf\xbd\"\n}\n");
  EXPECT_EQ(Size(1023), "1023 B");
  EXPECT_EQ(Size(1536), "1.5 KiB");
}

}  // namespace
}  // namespace weir::kv::tool
