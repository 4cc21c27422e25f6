// T16: the formats, byte for byte. A change here is a change of what old data means.
#include <gtest/gtest.h>

#include "coding.h"
#include "crc32c.h"
#include "engine_fixture.h"
#include "manifest.h"
#include "record.h"
#include "segment_header.h"

namespace weir::kv {
namespace {

std::string Hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
    text.push_back(kDigits[static_cast<unsigned char>(c) & 15]);
  }
  return text;
}

StoreId SomeId() {
  StoreId id;
  for (std::size_t i = 0; i < id.size(); ++i) id[i] = static_cast<char>(i + 1);
  return id;
}

TEST(T16_GoldenBytes, Crc32cIsCastagnoli) {
  EXPECT_EQ(Crc32c().Extend("123456789").Value(), 0xe3069283U);
  EXPECT_EQ(Crc32c().Extend("1234").Extend("56789").Value(), 0xe3069283U);
}

TEST(T16_GoldenBytes, ChecksumsSideBySideAreThoseOfOneAfterTheOther) {
  std::mt19937_64 random(3);
  std::string bytes(3000, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  for (std::size_t round = 0; round < 2000; ++round) {
    std::vector<Crc32c::Extension> extensions(round % 10);
    std::vector<std::uint32_t> expected;
    for (auto& each : extensions) {
      const std::size_t most = round % 3 == 0 ? 2000 : 130;
      each = {Crc32c::Of(static_cast<std::uint32_t>(random())), random(),
              std::string_view(bytes).substr(random() % 1000, random() % most)};
      expected.push_back(Crc32c(each.crc).Extend(each.number).Extend(each.bytes).Value());
    }
    Crc32c::ExtendEach(extensions);
    for (std::size_t i = 0; i < extensions.size(); ++i) {
      ASSERT_EQ(extensions[i].crc.Value(), expected[i]) << round << " " << i;
    }
  }
}

TEST(T16_GoldenBytes, Record) {
  EXPECT_EQ(Hex(EncodeRecord(1, 64, 1, 1, "key", "value")), "d2bc5ca7010405016b657976616c7565");
  EXPECT_EQ(Hex(EncodeRecord(1, 64, 0x82, 300, "key", "")), "132939c2820500ac026b6579");
  EXPECT_EQ(Hex(EncodeRecord(7, 1000, 3, 300, "", "\x02")), "4b28a9b9030201ac0202");
  EXPECT_EQ(Hex(EncodeRecord(7, 1000, 4, 0, "", "\x40")), "c3e672f60401010040");
}

TEST(T16_GoldenBytes, SegmentHeader) {
  SegmentHeader header;
  header.store_id = SomeId();
  header.fid = 2;
  header.previous_fid = 1;
  header.previous_length = 4096;
  header.previous_crc = 0xdeadbeef;
  EXPECT_EQ(Hex(EncodeSegmentHeader(header)),
            "776569727365670001000000010000000102030405060708090a0b0c0d0e0f10"
            "020000000000000001000000000000000010000000000000efbeaddef31e1f07");
}

TEST(T16_GoldenBytes, Manifest) {
  EXPECT_EQ(Hex(EncodeManifestHeader()), "776569726d6674000100000043a81edd");
  ManifestEdit edit;
  edit.Identity(SomeId(), 5, 6).NextFid(3).Add(1, SegmentKind::kLog).Seal(1, 4096, 0xdeadbeef);
  EXPECT_EQ(Hex(EncodeManifestFrame(16, edit)),
            "d7a57d6c49000000010102030405060708090a0b0c0d0e0f1005000000000000"
            "0006000000000000000203000000000000000301000000000000000104010000"
            "00000000000010000000000000efbeadde");
}

TEST(T16_GoldenBytes, RecordWithExpiry) {
  // The expiry, a varint of milliseconds, stands before the value and counts as part of it.
  std::string value(kMaxVarint64, '\0');
  value.resize(
      static_cast<std::size_t>(StoreVarint(value.data(), 1'700'000'000'123) - value.data()));
  EXPECT_EQ(Hex(value), "fbd095ffbc31");
  EXPECT_EQ(Hex(EncodeRecord(1, 64, 0x41, 5, "key", value + "value")),
            "d7f9146241040b056b6579fbd095ffbc3176616c7565");
}

TEST(T16_GoldenBytes, ManifestDropAndFloors) {
  ManifestEdit edit;
  edit.Drop(3).TimeFloor(1'700'000'000'123).ChangeFloor(77);
  EXPECT_EQ(Hex(EncodeManifestFrame(16, edit)),
            "45a7aa971b000000050300000000000000067b68e5cf8b010000074d00000000000000");
}

TEST(RecordFormat, IsReadBack) {
  const std::string record = EncodeRecord(9, 12345, 0x81, 1'000'000, "some key", "some value");
  const auto head = DecodeRecordHead(record, record.size());
  ASSERT_TRUE(head);
  EXPECT_EQ(head->type(), RecordType::kNormal);
  EXPECT_TRUE(head->in_batch());
  EXPECT_FALSE(head->has_expiry());
  EXPECT_EQ(head->seq, 1'000'000U);
  EXPECT_EQ(head->size(), record.size());
  EXPECT_EQ(head->size(), RecordSize(1'000'000, 8, 10));
  EXPECT_EQ(record.substr(head->head_size, head->key_size), "some key");
  EXPECT_TRUE(RecordIsIntact(record, 9, 12345));
}

TEST(RecordFormat, IsValidOnlyInItsPlace) {
  const std::string record = EncodeRecord(9, 12345, 1, 1, "key", "value");
  EXPECT_FALSE(RecordIsIntact(record, 8, 12345));
  EXPECT_FALSE(RecordIsIntact(record, 9, 12346));
}

TEST(RecordFormat, ZeroesAreNoRecord) {
  EXPECT_FALSE(DecodeRecordHead(std::string(100, '\0'), 100));
}

TEST(RecordFormat, H20_SizesBeyondTheFileOrTheLimitsAreNotBelieved) {
  std::string head(kMaxRecordHead, '\0');
  const auto decodes = [&](std::size_t key, std::size_t value, std::uint64_t left) {
    EncodeRecordHead(head.data(), 1, 1, key, value);
    return DecodeRecordHead(head, left).has_value();
  };
  constexpr std::uint64_t kHuge = std::uint64_t{1} << 40;
  EXPECT_TRUE(decodes(kMaxKeySize, kMaxValueSize, kHuge));
  EXPECT_FALSE(decodes(kMaxKeySize + 1, 1, kHuge));
  EXPECT_FALSE(decodes(1, kMaxValueSize + 1, kHuge));
  EXPECT_FALSE(decodes(1, 1000, 1000));
  EXPECT_FALSE(decodes(0xffffffff, 0xffffffff, kHuge));
}

TEST(RecordFormat, H4_ASeqOf2To63IsNoRecord) {
  std::string record = EncodeRecord(1, 64, 1, kMaxSeq, "k", "v");
  EXPECT_TRUE(DecodeRecordHead(record, record.size()));
  record = EncodeRecord(1, 64, 1, kMaxSeq + 1, "k", "v");
  EXPECT_FALSE(DecodeRecordHead(record, record.size()));
}

TEST(VarintFormat, HasOneEncodingPerNumber) {
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128},
                                    std::uint64_t{1} << 35, ~std::uint64_t{0}}) {
    char bytes[kMaxVarint64];
    std::string_view encoded(bytes, static_cast<std::size_t>(StoreVarint(bytes, value) - bytes));
    EXPECT_EQ(encoded.size(), VarintSize(value));
    std::uint64_t decoded = 0;
    ASSERT_TRUE(TakeVarint(encoded, kMaxVarint64, decoded));
    EXPECT_EQ(decoded, value);
    EXPECT_TRUE(encoded.empty());
  }
  std::uint64_t value = 0;
  std::string_view padded("\x81\x00", 2);
  EXPECT_FALSE(TakeVarint(padded, kMaxVarint64, value));
  std::string_view overflow("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10);
  EXPECT_FALSE(TakeVarint(overflow, kMaxVarint64, value));
}

TEST(SegmentNames, AreReadBackAndNothingElseIs) {
  EXPECT_EQ(SegmentName(12), "000012.data");
  EXPECT_EQ(SegmentName(123456789), "123456789.data");
  EXPECT_EQ(ParseSegmentName("000012.data"), 12U);
  EXPECT_EQ(ParseSegmentName("123456789.data"), 123456789U);
  for (const char* name :
       {"12.data", "0000012.data", "000012.hint", "x.data", ".data", "00001x.data"}) {
    EXPECT_FALSE(ParseSegmentName(name)) << name;
  }
}

TEST(ManifestFormat, ReadsItsEditsAndStopsAtATornOne) {
  std::string bytes = EncodeManifestHeader();
  bytes += EncodeManifestFrame(bytes.size(), ManifestEdit().Identity(SomeId(), 5, 6).NextFid(3));
  bytes += EncodeManifestFrame(bytes.size(), ManifestEdit().Add(1, SegmentKind::kLog));
  const std::size_t whole = bytes.size();
  bytes += EncodeManifestFrame(bytes.size(),
                               ManifestEdit().Seal(1, 99, 7).Add(2, SegmentKind::kLog).NextFid(4));
  for (std::size_t cut = whole; cut <= bytes.size(); ++cut) {
    const ParsedManifest parsed = ParseManifest(std::string_view(bytes).substr(0, cut));
    ASSERT_EQ(parsed.error, "");
    EXPECT_EQ(parsed.length, cut == bytes.size() ? cut : whole);
    EXPECT_EQ(parsed.state.segments.size(), cut == bytes.size() ? 2U : 1U);
    EXPECT_EQ(parsed.state.store_id, SomeId());
  }
  // Damage with valid edits behind it is no torn append.
  bytes[20] ^= 1;
  EXPECT_NE(ParseManifest(bytes).error, "");
}

TEST(ManifestFormat, RefusesWhatANewerVersionWrote) {
  std::string bytes = EncodeManifestHeader();
  ManifestEdit edit;
  edit.Identity(SomeId(), 5, 6);
  std::string frame = EncodeManifestFrame(bytes.size(), edit);
  frame[8] = 6;  // the kind of the first edit
  StoreFixed(frame.data(),
             Crc32c().Extend(std::uint64_t{bytes.size()}).Extend(frame.substr(4)).Value());
  const ParsedManifest parsed = ParseManifest(bytes + frame);
  EXPECT_NE(parsed.error.find("newer version"), std::string::npos) << parsed.error;
}

}  // namespace
}  // namespace weir::kv
