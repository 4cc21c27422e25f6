// The hand-written meta against the code that protoc makes of meta.proto.
#include "wire/meta.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "core/wire_bytes.h"
#include "meta_pb.pb.h"

namespace weir::test {
namespace {

using HandWritten = wire::RequestMeta;

std::string Encoded(const HandWritten& meta, const Metadata* metadata = nullptr) {
  std::string bytes(meta.MaxBytes(metadata), '\0');
  const std::size_t written = meta.Encode(bytes.data(), metadata);
  EXPECT_LE(written, bytes.size());
  bytes.resize(written);
  return bytes;
}

struct Sample {
  HandWritten meta;
  Metadata metadata;
};

Sample RandomSample(std::mt19937_64& random, std::string* method) {
  Sample sample;
  const auto some = [&] { return random() % 2 == 0; };
  const auto number = [&] { return random() >> random() % 64; };
  if (some()) *method = std::string(random() % 40, 'm');
  sample.meta.method = *method;
  if (some()) sample.meta.method_id = static_cast<std::uint32_t>(number());
  if (some()) sample.meta.timeout_us = number();
  if (some()) sample.meta.attempt = static_cast<std::uint32_t>(number());
  if (some()) sample.meta.checksum = number();
  for (std::uint64_t i = random() % 4; i > 0; --i) {
    sample.metadata.emplace_back(std::string(random() % 200, 'k'),
                                 std::string(random() % 200, 'v'));
  }
  return sample;
}

TEST(Meta, RequestsReadTheSameBothWays) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 3000; ++round) {
    std::string method;
    const Sample sample = RandomSample(random, &method);
    const std::string bytes = Encoded(sample.meta, &sample.metadata);
    meta_pb::RequestMeta generated;
    ASSERT_TRUE(generated.ParseFromString(bytes));
    EXPECT_EQ(generated.method(), sample.meta.method);
    EXPECT_EQ(generated.method_id(), sample.meta.method_id);
    EXPECT_EQ(generated.timeout_us(), sample.meta.timeout_us);
    EXPECT_EQ(generated.attempt(), sample.meta.attempt);
    EXPECT_EQ(generated.has_checksum(), sample.meta.checksum.has_value());
    EXPECT_EQ(generated.checksum(), sample.meta.checksum.value_or(0));
    ASSERT_EQ(generated.metadata_size(), static_cast<int>(sample.metadata.size()));

    const std::string theirs = generated.SerializeAsString();
    HandWritten back;
    Metadata metadata;
    ASSERT_EQ(back.Decode(theirs, &metadata), HandWritten::Error::kNone);
    EXPECT_EQ(back.method, sample.meta.method);
    EXPECT_EQ(back.method_id, sample.meta.method_id);
    EXPECT_EQ(back.timeout_us, sample.meta.timeout_us);
    EXPECT_EQ(back.attempt, sample.meta.attempt);
    EXPECT_EQ(back.checksum, sample.meta.checksum);
    EXPECT_EQ(metadata, sample.metadata);
  }
}

TEST(Meta, ResponsesNoticesAndSettingsReadTheSameBothWays) {
  wire::ResponseMeta response{14, "message", std::string_view("det\0ails", 8),
                              77, true,      ~std::uint64_t{0} - 5};
  std::string bytes(response.MaxBytes(), '\0');
  bytes.resize(response.Encode(bytes.data()));
  meta_pb::ResponseMeta generated;
  ASSERT_TRUE(generated.ParseFromString(bytes));
  EXPECT_EQ(generated.SerializeAsString(), bytes);
  EXPECT_EQ(generated.code(), 14u);
  EXPECT_EQ(generated.details(), response.details);
  wire::ResponseMeta back;
  ASSERT_TRUE(back.Decode(bytes));
  EXPECT_EQ(back.message, "message");
  EXPECT_EQ(back.checksum, 77u);
  EXPECT_TRUE(back.not_started);
  EXPECT_EQ(back.load, generated.load());
  EXPECT_EQ(back.load, ~std::uint64_t{0} - 5);

  const wire::SettingsMeta settings{~0u, ~0u, ~0u, ~std::uint64_t{0}, true};
  std::string settings_bytes(wire::SettingsMeta::kMaxBytes, '\0');
  settings_bytes.resize(settings.Encode(settings_bytes.data()));
  meta_pb::SettingsMeta settings_generated;
  ASSERT_TRUE(settings_generated.ParseFromString(settings_bytes));
  EXPECT_EQ(settings_generated.SerializeAsString(), settings_bytes);

  EXPECT_TRUE(settings_generated.load_reports());
  wire::SettingsMeta settings_back;
  ASSERT_TRUE(settings_back.Decode(settings_bytes));
  EXPECT_TRUE(settings_back.load_reports);
  EXPECT_EQ(settings_back.min_ping_interval_us, ~std::uint64_t{0});

  for (const std::uint64_t load : {std::uint64_t{0}, std::uint64_t{0x1234'5678'9ABC'DEF0}}) {
    std::string load_bytes(wire::LoadMeta::kMaxBytes, '\0');
    load_bytes.resize(wire::LoadMeta{load}.Encode(load_bytes.data()));
    meta_pb::LoadMeta load_generated;
    ASSERT_TRUE(load_generated.ParseFromString(load_bytes));
    EXPECT_EQ(load_generated.SerializeAsString(), load_bytes);
    wire::LoadMeta load_back;
    ASSERT_TRUE(load_back.Decode(load_bytes));
    EXPECT_EQ(load_back.load, load);
  }

  const wire::NoticeMeta notice{3, "why"};
  std::string notice_bytes(notice.MaxBytes(), '\0');
  notice_bytes.resize(notice.Encode(notice_bytes.data()));
  meta_pb::NoticeMeta notice_generated;
  ASSERT_TRUE(notice_generated.ParseFromString(notice_bytes));
  EXPECT_EQ(notice_generated.SerializeAsString(), notice_bytes);
}

TEST(Meta, GoldenBytes) {  // these bytes stand in docs/wire.md
  HandWritten meta;
  meta.method = "greeter.Greeter/Hello";
  meta.method_id = 1;
  meta.timeout_us = 50'000;
  EXPECT_EQ(Hex(Encoded(meta)), "0a15677265657465722e477265657465722f48656c6c6f100118d08603");
}

TEST(Meta, UnknownFieldsAreSkipped) {
  std::string bytes = Encoded({.method = "a/B", .method_id = 5, .checksum = {}});
  bytes += std::string("\xF8\x01\x07", 3);  // field 31, varint
  bytes += std::string(
      "\xFA\x01\x03"
      "abc",
      6);  // field 31, bytes
  bytes += std::string(
      "\xF9\x01"
      "12345678",
      10);  // field 31, fixed64
  bytes += std::string(
      "\xFD\x01"
      "1234",
      6);                                // field 31, fixed32
  bytes += std::string("\x12\x01x", 3);  // field 2 as bytes: not the number
  bytes += std::string("\x20\x03", 2);   // attempt 3
  HandWritten meta;
  Metadata metadata;
  ASSERT_EQ(meta.Decode(bytes, &metadata), HandWritten::Error::kNone);
  EXPECT_EQ(meta.method_id, 5u);
  EXPECT_EQ(meta.attempt, 3u);
}

TEST(Meta, TruncatedAtEveryByteItAgreesWithProtobuf) {
  const Metadata pairs{{"key", "value"}, {"", ""}};
  const std::string bytes =
      Encoded({.method = "a/B", .method_id = 300, .timeout_us = 1 << 20, .checksum = 1}, &pairs);
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    const std::string cut = bytes.substr(0, size);
    HandWritten meta;
    Metadata metadata;
    const bool ours = meta.Decode(cut, &metadata) == HandWritten::Error::kNone;
    EXPECT_EQ(ours, meta_pb::RequestMeta().ParseFromString(cut)) << size;
  }
}

TEST(Meta, RandomAndDamagedBytesNeverReadOutside) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 20'000; ++round) {
    std::string method;
    const Sample sample = RandomSample(random, &method);
    std::string bytes = Encoded(sample.meta, &sample.metadata);
    if (round % 2 == 0) bytes.assign(random() % 64, '\0');
    for (char& c : bytes) {
      if (round % 2 == 0 || random() % 16 == 0) c = static_cast<char>(random());
    }
    const std::vector<char> exact(bytes.begin(), bytes.end());  // ASan sees its end
    const std::string_view view(exact.data(), exact.size());
    Metadata metadata;
    (void)HandWritten().Decode(view, &metadata);
    (void)wire::ResponseMeta().Decode(view);
    (void)wire::SettingsMeta().Decode(view);
    (void)wire::NoticeMeta().Decode(view);
    (void)wire::LoadMeta().Decode(view);
  }
}

TEST(Meta, F13_MetadataIsCountedWithItsOverhead) {
  Metadata pairs(512, {"", ""});  // 512 x 32 bytes: just the limit
  HandWritten meta;
  Metadata back;
  EXPECT_EQ(meta.Decode(Encoded({}, &pairs), &back), HandWritten::Error::kNone);
  pairs.emplace_back("", "");
  back.clear();
  EXPECT_EQ(meta.Decode(Encoded({}, &pairs), &back), HandWritten::Error::kTooMuchMetadata);
  EXPECT_LE(back.size(), 512u);
}

TEST(Meta, TimeoutsOfAPeerAreBounded) {
  HandWritten meta;
  meta.timeout_us = 5;
  EXPECT_EQ(meta.Timeout(), std::chrono::microseconds(5));
  meta.timeout_us = ~std::uint64_t{0};
  EXPECT_EQ(meta.Timeout(), std::chrono::hours(24 * 365));
}

}  // namespace
}  // namespace weir::test
