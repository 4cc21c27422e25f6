// Documents behave the same wherever they are kept.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "registry/watched.h"
#include "support/temp_dir.h"

namespace weir::testing {
namespace {

class DocumentStoreTest : public ::testing::TestWithParam<const char*> {
 protected:
  std::string Url() const {
    return GetParam() == std::string("mem") ? "mem://" + directory_.path().filename().string()
                                            : "file://" + directory_.path().string() + "/registry";
  }
  TempDir directory_;
};

TEST_P(DocumentStoreTest, WritesOnlyOverTheExpectedVersion) {
  const auto registry = OpenOrDie(Url());
  DocumentStore& store = *registry->documents();
  EXPECT_EQ(store.Read("kv/main/members")->version, -1);
  EXPECT_EQ(store.Write("kv/main/members", "x", 0).status().code(), StatusCode::kAborted);
  EXPECT_EQ(*store.Write("kv/main/members", "first\n", -1), 0);
  EXPECT_EQ(store.Write("kv/main/members", "x", -1).status().code(), StatusCode::kAborted);
  EXPECT_EQ(*store.Write("kv/main/members", "second\nline", 0), 1);
  const auto other = OpenOrDie(Url());
  const auto document = other->documents()->Read("kv/main/members");
  ASSERT_TRUE(document.ok()) << document.status().ToString();
  EXPECT_EQ(document->content, "second\nline");
  EXPECT_EQ(document->version, 1);
}

TEST_P(DocumentStoreTest, TellsThoseWhoWatch) {
  const auto registry = OpenOrDie(Url());
  const auto other = OpenOrDie(Url());
  Told<Document> told;
  const auto subscription = registry->documents()->Watch("kv/main/members", told.Listener());
  ASSERT_TRUE(subscription.ok()) << subscription.status().ToString();
  EXPECT_TRUE(told.Wait([](const Document& one) { return one.version == -1; }));
  ASSERT_TRUE(other->documents()->Write("kv/main/members", "a", -1).ok());
  EXPECT_TRUE(told.Wait([](const Document& one) { return one.content == "a"; }));
  ASSERT_TRUE(other->documents()->Write("kv/main/members", "b", 0).ok());
  EXPECT_TRUE(
      told.Wait([](const Document& one) { return one.content == "b" && one.version == 1; }));
}

TEST_P(DocumentStoreTest, LosesNoUpdateOfConcurrentWriters) {
  constexpr int kWriters = 4;
  constexpr int kIncrements = 20;
  const auto registry = OpenOrDie(Url());
  std::vector<std::thread> writers;
  for (int i = 0; i < kWriters; ++i) {
    writers.emplace_back([&] {
      DocumentStore& store = *registry->documents();
      for (int done = 0; done < kIncrements;) {
        const auto now = store.Read("kv/count");
        ASSERT_TRUE(now.ok()) << now.status().ToString();
        const int count = now->content.empty() ? 0 : std::stoi(now->content);
        const auto written = store.Write("kv/count", std::to_string(count + 1), now->version);
        if (written.ok()) {
          ++done;
        } else {
          ASSERT_EQ(written.status().code(), StatusCode::kAborted) << written.status().ToString();
        }
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(registry->documents()->Read("kv/count")->content,
            std::to_string(kWriters * kIncrements));
}

TEST_P(DocumentStoreTest, RefusesPathsOutsideItsTree) {
  const auto registry = OpenOrDie(Url());
  for (const char* path : {"", "kv", "/kv/main", "kv//main", "kv/../main", "kv/main/", "kv/.x"}) {
    EXPECT_EQ(registry->documents()->Read(path).status().code(), StatusCode::kInvalidArgument)
        << path;
    EXPECT_EQ(registry->documents()->Write(path, "", -1).status().code(),
              StatusCode::kInvalidArgument)
        << path;
  }
}

INSTANTIATE_TEST_SUITE_P(Schemes, DocumentStoreTest, ::testing::Values("mem", "file"),
                         [](const auto& scheme) { return std::string(scheme.param); });

TEST(FileDocuments, ADamagedDocumentIsAnErrorThatNamesTheFile) {
  const TempDir directory;
  const auto registry = OpenOrDie("file://" + directory.path().string());
  std::filesystem::create_directories(directory.Path(".documents/kv"));
  std::ofstream(directory.Path(".documents/kv/members")) << "no header";
  const auto document = registry->documents()->Read("kv/members");
  EXPECT_EQ(document.status().code(), StatusCode::kDataLoss);
  EXPECT_NE(document.status().message().find(directory.path().string()), std::string_view::npos);
}

}  // namespace
}  // namespace weir::testing
