// Documents in memory and in files.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "registry/document_store_suite.h"
#include "registry/watched.h"
#include "support/temp_dir.h"

namespace weir::testing {
namespace {

std::string FreshName() {
  static int count = 0;
  return "documents-" + std::to_string(++count);
}

std::string FreshFileUrl() {
  static const TempDir directory;
  return "file://" + directory.Path(FreshName());
}

INSTANTIATE_TEST_SUITE_P(Schemes, DocumentStoreTest,
                         ::testing::Values(DocumentScheme{"mem",
                                                          [] { return "mem://" + FreshName(); }},
                                           DocumentScheme{"file", FreshFileUrl}),
                         [](const auto& scheme) { return scheme.param.name; });

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
