// Zone and start of a provider on their way to consumers.
#include <filesystem>
#include <fstream>

#include "registry/provider_facts_suite.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace weir::testing {
namespace {

TEST(ProviderFacts, ReachConsumersOfMem) {
  ConsumersLearnZoneAndStart(*OpenOrDie("mem://facts"), *OpenOrDie("mem://facts"));
}

TEST(ProviderFacts, ReachConsumersOfFile) {
  const TempDir directory;
  const std::string url = "file://" + directory.Path("registry");
  ConsumersLearnZoneAndStart(*OpenOrDie(url), *OpenOrDie(url));
}

TEST(ProviderFacts, OfAListAreItsZones) {
  const auto registry = OpenOrDie("list://b:2*300@eu-1,a:1,unix:@name*5@eu-2");
  Watched watched(*registry, "a.A");
  EXPECT_TRUE(watched.Becomes({{"a:1", 100}, {"b:2", 300, "eu-1"}, {"unix:@name", 5, "eu-2"}}));
  EXPECT_EQ(watched.All().back()->front().zone, "");
  EXPECT_EQ(registry->Inspect("a.A")->at(1).facts, (Facts{{"zone", "eu-1"}}));
  for (const char* url : {"list://a:1*3@", "list://a:1*3@two words", "list://a:1@eu-1"}) {
    EXPECT_EQ(Registries().Open(url).status().code(), StatusCode::kInvalidArgument) << url;
  }
}

TEST(ProviderFacts, AFileProviderWithoutReadableFactsIsAProviderAllTheSame) {
  const TempDir directory;
  std::filesystem::create_directories(directory.Path("registry"));
  // No directory can be made where a file stands.
  std::ofstream(directory.Path("registry/.meta")) << "in the way";
  const std::string url = "file://" + directory.Path("registry");
  const auto registry = OpenOrDie(url);
  const auto registration = registry->Register(
      {.service = "a.A", .address = "h:1", .weight = 3, .facts = {{"zone", "eu-1"}}});
  Watched watched(*registry, "a.A");
  EXPECT_TRUE(watched.Becomes({{"h:1", 3}}));
  EXPECT_EQ(watched.All().back()->front().zone, "");
}

TEST(ProviderFacts, OfAFileProviderThatRestartsAreItsNewOnes) {
  const TempDir directory;
  const std::string url = "file://" + directory.Path("registry");
  const auto consumer = OpenOrDie(url);
  Watched watched(*consumer, "a.A");
  const auto start = [&](const std::string& zone) {
    return std::make_unique<Process>(
        std::vector<std::string>{WEIR_TEST_PROVIDER, url, "a.A", "h:1", "3", "zone=" + zone});
  };
  auto provider = start("eu-1");
  EXPECT_TRUE(watched.Becomes({{"h:1", 3, "eu-1"}}));
  provider->Signal(SIGKILL);
  provider = start("eu-2");
  EXPECT_TRUE(watched.Becomes({{"h:1", 3, "eu-2"}}));
}

}  // namespace
}  // namespace weir::testing
