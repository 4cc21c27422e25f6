#include "comments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::codegen {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> Lines(const std::string& leading, const std::string& trailing = "") {
  google::protobuf::SourceLocation location;
  location.leading_comments = leading;
  location.trailing_comments = trailing;
  return CommentLines(location);
}

TEST(Comments, LosesOneLeadingBlankAndWhatTrails) {
  EXPECT_THAT(Lines(" a\n   indented  \n\n b\n\n"), ElementsAre("a", "  indented", "", "b"));
  EXPECT_THAT(Lines(""), IsEmpty());
  EXPECT_THAT(Lines("\n \n"), IsEmpty());
}

TEST(Comments, TheTrailingOneFollowsAfterALineOfNothing) {
  EXPECT_THAT(Lines(" a\n", " b\n"), ElementsAre("a", "", "b"));
  EXPECT_THAT(Lines("", " b\n"), ElementsAre("b"));
}

TEST(Comments, ABackslashAtTheEndDoesNotSwallowTheNextLine) {
  EXPECT_THAT(Lines(" C:\\ \n next\n"), ElementsAre("C:\\.", "next"));
}

TEST(Comments, ControlCharactersAndDirectionMarksAreReplaced) {
  EXPECT_THAT(Lines(" a\r\n b\tc\n"), ElementsAre("a", "b c"));
  EXPECT_THAT(Lines(" x\xE2\x80\xAEy\xE2\x81\xA6z \xC3\xBC\n"), ElementsAre("xyz \xC3\xBC"));
}

}  // namespace
}  // namespace weir::codegen
