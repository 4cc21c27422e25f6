// What the compiler says when a handler is missing or wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <string>
#include <vector>

#include "support/process.h"
#include "support/temp_dir.h"

namespace {

using testing::HasSubstr;
using testing::Not;
using weir::testing::Process;

// The errors of compiling `source`, without the notes between them.
std::vector<std::string> CompileErrors(const std::string& source) {
  const weir::testing::TempDir directory;
  const std::string file = directory.Path("wrong.cc");
  std::ofstream(file) << source;
  Process compiler({CODEGEN_COMPILER, std::string("@") + CODEGEN_FLAGS, file},
                   {.environment = {"LC_ALL=C"}});
  EXPECT_NE(compiler.Wait(std::chrono::seconds(100)).value_or(0), 0) << compiler.Errors();
  std::vector<std::string> errors;
  const std::string output = compiler.Errors();
  std::size_t begin = output.find(" error: ");
  while (begin != std::string::npos) {
    const std::size_t end = output.find(" error: ", begin + 1);
    errors.push_back(output.substr(begin, end - begin));
    begin = end;
  }
  return errors;
}

TEST(CompileErrors, EachMissingOrMistypedHandlerIsOneErrorThatNamesItAndShowsTheForms) {
  const std::vector<std::string> errors = CompileErrors(R"(
#include "forms.weir.h"
using forms::Answer;
using forms::Question;
using weir::ServerContext;
class Impl final : public forms::Wrong::Service<Impl> {
 public:
  weir::Result<Answer> Overloaded(ServerContext&, const Question&) { return Answer(); }
  weir::Result<Answer> Overloaded(ServerContext&, const Question&, int) { return Answer(); }
  weir::Result<Answer> OtherRequest(ServerContext&, const Answer&) { return Answer(); }
  weir::Result<Question> OtherReply(ServerContext&, const Question&) { return Question(); }
  asio::awaitable<weir::Result<Answer>> BlockingCoroutine(ServerContext&, const Question&) {
    co_return Answer();
  }
  void BlockingDeferred(ServerContext&, const Question&, weir::Reply<Answer>) {}
  weir::Result<Answer> Right(ServerContext&, const Question&) { return Answer(); }

 private:
  weir::Result<Answer> Hidden(ServerContext&, const Question&) { return Answer(); }
};
Impl impl;
)");
  const std::vector<std::string> wrong = {"Missing",         "Hidden",     "Overloaded",
                                          "OtherRequest",    "OtherReply", "BlockingCoroutine",
                                          "BlockingDeferred"};
  ASSERT_EQ(errors.size(), wrong.size()) << testing::PrintToString(errors);
  for (std::size_t i = 0; i < wrong.size(); ++i) {
    EXPECT_THAT(errors[i], HasSubstr("service forms.Wrong, method " + wrong[i] + ": "));
    EXPECT_THAT(errors[i], HasSubstr("weir::Result<forms::Answer> " + wrong[i] +
                                     "(weir::ServerContext&, const forms::Question&)"));
    if (wrong[i].starts_with("Blocking")) {
      EXPECT_THAT(errors[i], HasSubstr("(weir.blocking)"));
      EXPECT_THAT(errors[i], Not(HasSubstr("  asio::awaitable<")));
    } else {
      EXPECT_THAT(errors[i], HasSubstr("asio::awaitable<weir::Result<forms::Answer>> " + wrong[i] +
                                       "(weir::ServerContext&, const forms::Question&)"));
      EXPECT_THAT(errors[i], HasSubstr("void " + wrong[i] +
                                       "(weir::ServerContext&, const forms::Question&, "
                                       "weir::Reply<forms::Answer>)"));
    }
  }
}

}  // namespace
