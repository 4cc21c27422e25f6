#include "weir/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>

namespace weir::test {
namespace {

using ::testing::HasSubstr;

TEST(Addresses, AreReadAndWrittenAlike) {
  const std::string longest = "unix:/" + std::string(Address::kMaxPath - 1, 'x');
  for (const std::string& text :
       {std::string("127.0.0.1:80"), std::string("host-1.example:65535"), std::string("[::1]:0"),
        std::string("[fe80::1%eth0]:7"), std::string("unix:/a"),
        std::string("unix:/run/weir/greeter-1.sock"), std::string("unix:/tmp/a:b@c_d+e=f~/g..h"),
        std::string("unix:@name"), std::string("unix:@a/b//c"), std::string("unix:80"), longest}) {
    const Result<Address> address = Address::Parse(text);
    ASSERT_TRUE(address.ok()) << address.status().ToString();
    EXPECT_EQ(address->ToString(), text);
    EXPECT_EQ(*Address::Parse(address->ToString()), *address);
  }
}

TEST(Addresses, ThoseOfUnixSocketsHaveAPathAndNoPort) {
  const Address address = *Address::Parse("unix:/run/a");
  EXPECT_TRUE(address.is_unix());
  EXPECT_TRUE(address.can_be_called());
  EXPECT_EQ(address.path, "/run/a");
  EXPECT_EQ(address.host, "");
  EXPECT_EQ(address.port, 0);
  // A host may have that name.
  const Address host = *Address::Parse("unix:80");
  EXPECT_FALSE(host.is_unix());
  EXPECT_EQ(host.host, "unix");
  EXPECT_FALSE(Address::Parse("host:0")->can_be_called());
  EXPECT_NE(*Address::Parse("unix:/run/a"), *Address::Parse("unix:/run/b"));
}

TEST(Addresses, MistakesAreNamed) {
  for (const std::string text : {"",          ":",       ":80",           "host",
                                 "host:",     "host:-1", "host:65536",    "host:8o",
                                 "host: 80",  "::1:80",  "[::1]",         "[::1]80",
                                 "[host]:80", "[::1:80", "ho st:80",      "host/x:80",
                                 "unix:",     "unix",    "unix:relative", "unix:relative/path",
                                 "UNIX:/a",   "/run/a"}) {
    const Result<Address> address = Address::Parse(text);
    ASSERT_FALSE(address.ok()) << text;
    EXPECT_EQ(address.status().code(), StatusCode::kInvalidArgument);
    EXPECT_NE(address.status().message().find("'" + text + "'"), std::string::npos);
    EXPECT_THAT(std::string(address.status().message()), HasSubstr("unix:/path"));
  }
}

TEST(Addresses, MistakesInPathsAreNamed) {
  const std::string too_long = "unix:/" + std::string(Address::kMaxPath, 'x');
  const std::pair<std::string, std::string> cases[] = {
      {"unix:/", "no empty part"},
      {"unix://a", "no empty part"},
      {"unix:/a/", "no empty part"},
      {"unix:/a//b", "no empty part"},
      {"unix:/a/./b", "no '.'"},
      {"unix:/a/..", "no '..'"},
      {"unix:@", "name behind '@' is missing"},
      {"unix:/a b", "made of letters"},
      {"unix:/a,b", "made of letters"},
      {"unix:/a*3", "made of letters"},
      {"unix:/a%2Fb", "made of letters"},
      {"unix:/a\n", "made of letters"},
      {std::string("unix:/a\0b", 9), "made of letters"},
      {"unix:/\xc3\xa4", "made of letters"},
      {too_long, "the path has 108 bytes and the system takes 107"},
  };
  for (const auto& [text, why] : cases) {
    const Result<Address> address = Address::Parse(text);
    EXPECT_EQ(address.status().code(), StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(address.status().message()), HasSubstr(why)) << text;
  }
}

TEST(Addresses, WhateverIsAcceptedIsCanonicalOrBecomesSo) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const std::string_view pieces[] = {"unix:", "/", "@", "..",  ".", "a", "Z9", ":",  "80",
                                     "[",     "]", "%", "::1", " ", ",", "*",  "\n", "0"};
  for (int i = 0; i < 200'000; ++i) {
    std::string text = i % 2 == 0 ? "unix:" : "";
    for (std::size_t left = random() % 8; left > 0; --left) {
      text += pieces[random() % std::size(pieces)];
    }
    const Result<Address> address = Address::Parse(text);
    if (!address.ok()) continue;
    const Result<Address> again = Address::Parse(address->ToString());
    ASSERT_TRUE(again.ok()) << text;
    ASSERT_EQ(*again, *address) << text;
    ASSERT_EQ(text.find_first_of(" ,*\n"), std::string::npos) << text;
    ASSERT_TRUE(!address->is_unix() || address->ToString() == text) << text;
  }
}

}  // namespace
}  // namespace weir::test
