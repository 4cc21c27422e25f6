// What every place for documents must do; instantiated by the tests of the schemes.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "registry/watched.h"

namespace weir::testing {

// A scheme and how to get the URL of an empty registry of it.
struct DocumentScheme {
  std::string name;
  std::function<std::string()> fresh_url;
};

class DocumentStoreTest : public ::testing::TestWithParam<DocumentScheme> {
 protected:
  const std::string& Url() const { return url_; }

 private:
  const std::string url_ = GetParam().fresh_url();
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

}  // namespace weir::testing
