// The last list of providers on disk: what is read back, and what is refused.
#include "client/provider_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "support/temp_dir.h"

namespace weir::detail {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class ProviderCacheTest : public ::testing::Test {
 protected:
  std::string Content() const {
    std::ostringstream text;
    text << std::ifstream(cache_.path()).rdbuf();
    return text.str();
  }
  void Write(const std::string& content) const { std::ofstream(cache_.path()) << content; }
  void SetAge(std::chrono::hours age) const {
    std::filesystem::last_write_time(cache_.path(),
                                     std::filesystem::file_time_type::clock::now() - age);
  }

  testing::TempDir directory_;
  const std::vector<Provider> providers_ = {
      {"[::1]:7", 0}, {"h:1", 100, "eu-1", 1'700'000'000'123}, {"h:2", 10'000, "k\u00f6ln"}};
  const ProviderCache cache_{directory_.Path("a/b"), "zk://h:2181/rpc", "greeter.Greeter"};
};

TEST_F(ProviderCacheTest, WhatWasStoredIsLoaded) {
  EXPECT_EQ(cache_.Load().status().code(), StatusCode::kNotFound);
  ASSERT_TRUE(cache_.Store(providers_).ok());
  const auto loaded = cache_.Load();
  ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
  EXPECT_EQ(*loaded->providers, providers_);
  EXPECT_LT(loaded->age, 60s);
  struct stat status {};
  ASSERT_EQ(::stat(directory_.Path("a/b").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  ASSERT_TRUE(cache_.Store({}).ok());
  EXPECT_TRUE(cache_.Load()->providers->empty());
  // Nothing else is left in the directory.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_.Path("a/b")), {}), 1);
}

TEST_F(ProviderCacheTest, ServicesAndRegistriesAreApart) {
  ASSERT_TRUE(cache_.Store(providers_).ok());
  const ProviderCache service(directory_.Path("a/b"), "zk://h:2181/rpc", "other.Service");
  const ProviderCache registry(directory_.Path("a/b"), "zk://h:2182/rpc", "greeter.Greeter");
  EXPECT_EQ(service.Load().status().code(), StatusCode::kNotFound);
  EXPECT_EQ(registry.Load().status().code(), StatusCode::kNotFound);
}

TEST_F(ProviderCacheTest, EveryChangedAndEveryMissingByteIsNoticed) {
  ASSERT_TRUE(cache_.Store(providers_).ok());
  const std::string whole = Content();
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    Write(damaged);
    EXPECT_EQ(cache_.Load().status().code(), StatusCode::kDataLoss) << "byte " << i;
    Write(whole.substr(0, i));
    EXPECT_EQ(cache_.Load().status().code(), StatusCode::kDataLoss) << "cut at " << i;
  }
  EXPECT_THAT(std::string(cache_.Load().status().message()), HasSubstr(cache_.path()));
  Write(whole);
  EXPECT_TRUE(cache_.Load().ok());
}

TEST_F(ProviderCacheTest, WhatIsOlderThanADayIsNotUsedUnlessConfirmed) {
  ASSERT_TRUE(cache_.Store(providers_).ok());
  SetAge(23h);
  EXPECT_GE(cache_.Load()->age, 22h);
  SetAge(25h);
  EXPECT_EQ(cache_.Load().status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(cache_.Load().status().message()), HasSubstr("25 hours old"));
  cache_.Confirm();
  EXPECT_LT(cache_.Load()->age, 60s);
}

TEST_F(ProviderCacheTest, WhatOthersCouldHaveWrittenIsNotUsed) {
  ASSERT_TRUE(cache_.Store(providers_).ok());
  ASSERT_EQ(::chmod(cache_.path().c_str(), 0666), 0);
  EXPECT_EQ(cache_.Load().status().code(), StatusCode::kFailedPrecondition);
  std::filesystem::remove(cache_.path());
  std::filesystem::create_symlink(directory_.Path("elsewhere"), cache_.path());
  EXPECT_FALSE(cache_.Load().ok());
}

TEST_F(ProviderCacheTest, ADirectoryThatCannotBeMadeIsNamed) {
  std::ofstream(directory_.Path("file")) << "no directory";
  const ProviderCache cache(directory_.Path("file/x"), "mem://m", "a.A");
  EXPECT_THAT(std::string(cache.Store(providers_).message()), HasSubstr(directory_.Path("file/x")));
  EXPECT_FALSE(cache.Load().ok());
}

}  // namespace
}  // namespace weir::detail
