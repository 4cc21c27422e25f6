// The header's bytes, and how frames are read whatever way they arrive.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "buffer/io_budget.h"
#include "core/wire_bytes.h"
#include "meta_pb.pb.h"
#include "weir/endpoint.h"
#include "wire/frame_reader.h"
#include "wire/frame_writer.h"

namespace weir::test {
namespace {

using wire::Frame;
using wire::FrameHeader;
using wire::FrameReader;
using wire::Scratch;

TEST(Headers, GoldenBytes) {  // these bytes stand in docs/wire.md
  EXPECT_EQ(Hex(HeaderBytes({.type = 5, .id = 0})), kGoldenPing);
  EXPECT_EQ(Hex(HeaderBytes({.type = 2,
                             .flags = 0x0102,
                             .meta_bytes = 0x03040506,
                             .body_bytes = 0x0708090A,
                             .attachment_bytes = 0x0B0C0D0E,
                             .id = 0x1112131415161718})),
            kGoldenEveryField);
}

std::string Gathered(const Outbox& outbox) {
  iovec vectors[8];
  std::string bytes;
  for (int i = 0, count = outbox.Gather(vectors, 8); i < count; ++i) {
    bytes.append(static_cast<const char*>(vectors[i].iov_base), vectors[i].iov_len);
  }
  return bytes;
}

TEST(Headers, TheSpecificationShowsWhatIsWritten) {
  std::ifstream file(WEIR_WIRE_SPECIFICATION);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::erase_if(text, [](char c) { return c == ' ' || c == '\n'; });
  const auto shown = [&](const std::string& bytes) {
    return text.find(Hex(bytes)) != std::string::npos;
  };
  EXPECT_TRUE(shown(HeaderBytes({.type = 5})));
  EXPECT_NE(text.find(kGoldenEveryField), std::string::npos);
  Outbox request;
  wire::RequestFrame frame;
  frame.id = 1;
  frame.meta.method = "greeter.Greeter/Hello";
  frame.meta.method_id = 1;
  frame.meta.timeout_us = 50'000;
  frame.small_body = "\x0A\x05World";
  wire::WriteRequest(request, frame);
  EXPECT_TRUE(shown(Gathered(request))) << Hex(Gathered(request));
  Outbox reply;
  meta_pb::Pair message;  // any message whose first field is a string
  message.set_key("h");
  ASSERT_TRUE(wire::WriteReply(reply, 1, message, {}, false, {100, 100}).ok());
  EXPECT_TRUE(shown(Gathered(reply))) << Hex(Gathered(reply));
  const std::uint64_t load = LoadReport{.in_flight = 3, .slots = 4, .service_100ns = 50'000}.Pack();
  Outbox with_load;
  ASSERT_TRUE(wire::WriteReply(with_load, 1, message, {}, false, {100, 100}, load).ok());
  EXPECT_TRUE(shown(Gathered(with_load))) << Hex(Gathered(with_load));
  Outbox probe;
  wire::WriteSignal(probe, wire::FrameType::kLoadAsk, 1);
  EXPECT_TRUE(shown(Gathered(probe))) << Hex(Gathered(probe));
  Outbox told;
  wire::WriteLoad(told, 1, load);
  EXPECT_TRUE(shown(Gathered(told))) << Hex(Gathered(told));
}

TEST(Headers, EveryFlippedBitIsNoticed) {
  const std::string bytes = HeaderBytes({.type = 2, .meta_bytes = 5, .body_bytes = 70, .id = 9});
  FrameHeader header;
  ASSERT_EQ(wire::DecodeHeader(bytes.data(), &header), wire::HeaderError::kNone);
  EXPECT_EQ(header.body_bytes, 70u);
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string broken = bytes;
    broken[bit / 8] = static_cast<char>(broken[bit / 8] ^ (1 << bit % 8));
    EXPECT_EQ(wire::DecodeHeader(broken.data(), &header),
              bit < 32 ? wire::HeaderError::kBadMagic : wire::HeaderError::kBadCheck)
        << bit;
  }
}

struct Seen {
  FrameHeader header;
  std::string meta, body, attachment;
  bool operator==(const Seen& o) const {
    return header.type == o.header.type && header.id == o.header.id && meta == o.meta &&
           body == o.body && attachment == o.attachment;
  }
};

// Bytes as a socket would give them: at most `chunk` at a time, and never more than was asked for.
class Feeder {
 public:
  explicit Feeder(wire::ReadLimits limits = {}) : reader(limits) {}

  Status Feed(std::string_view bytes, std::size_t chunk = ~std::size_t{0}) {
    while (!bytes.empty()) {
      iovec vectors[2];
      const int count = reader.PrepareRead(scratch, vectors);
      std::size_t given = 0;
      for (int i = 0; i < count && given < std::min(chunk, bytes.size()); ++i) {
        const std::size_t part =
            std::min({vectors[i].iov_len, chunk - given, bytes.size() - given});
        std::memcpy(vectors[i].iov_base, bytes.data() + given, part);
        given += part;
        if (part < vectors[i].iov_len) break;
      }
      bytes.remove_prefix(given);
      Status status = reader.Consume(given, [this](Frame& frame) { return Take(frame); });
      if (!status.ok()) return status;
    }
    return {};
  }
  Status Take(Frame& frame) {
    seen.push_back({frame.header, std::string(frame.meta), std::string(frame.body),
                    frame.attachment.ToString()});
    kept.push_back(frame.attachment);  // as an application may
    if (stop_after_each) reader.Stop();
    return {};
  }

  Scratch scratch;
  FrameReader reader;
  std::vector<Seen> seen;
  std::vector<Buffer> kept;
  bool stop_after_each = false;
};

// Frames of every shape.
std::string Stream(std::vector<Seen>* expected, std::size_t large) {
  std::string bytes;
  std::uint64_t id = 1;
  const std::string big(large, 'B');
  for (const auto& [meta, body, attachment] :
       std::vector<std::tuple<std::string, std::string, std::string>>{
           {"", "", ""},
           {"m", "", ""},
           {"", "body", ""},
           {"meta", "body", "attachment"},
           {"", "", "only an attachment"},
           {"meta", big, ""},
           {"meta", "body", big},
           {"", "", ""}}) {
    bytes += FrameBytes(wire::FrameType::kRequest, id, meta, body, attachment);
    FrameHeader header;
    header.type = 2;
    header.id = id;
    expected->push_back({header, meta, body, attachment});
    id += 2;
  }
  return bytes;
}

TEST(Frames, F6_EverySplitGivesTheSameFrames) {
  std::vector<Seen> expected;
  const std::string bytes = Stream(&expected, 300);
  for (std::size_t split = 1; split < bytes.size(); ++split) {
    Feeder feeder;
    ASSERT_TRUE(feeder.Feed(std::string_view(bytes).substr(0, split)).ok());
    ASSERT_TRUE(feeder.Feed(std::string_view(bytes).substr(split)).ok());
    ASSERT_EQ(feeder.seen, expected) << "split at " << split;
    ASSERT_FALSE(feeder.reader.in_frame());
  }
  for (std::size_t chunk = 1; chunk < 80; ++chunk) {
    Feeder feeder;
    ASSERT_TRUE(feeder.Feed(bytes, chunk).ok());
    ASSERT_EQ(feeder.seen, expected) << "pieces of " << chunk;
  }
}

TEST(Frames, F6_AttachmentsAboveTheScratchArriveWhateverThePieces) {
  std::vector<Seen> expected;
  const std::string bytes = Stream(&expected, 700'001);
  for (const std::size_t chunk : {1'000u, 15'999u, 16'385u, 100'000u, 131'072u, 10'000'000u}) {
    Feeder feeder;
    ASSERT_TRUE(feeder.Feed(bytes, chunk).ok());
    ASSERT_TRUE(feeder.seen == expected) << "pieces of " << chunk;
    for (std::size_t i = 0; i < expected.size(); ++i) {  // not overwritten by later reads
      ASSERT_TRUE(feeder.kept[i].ToString() == expected[i].attachment);
    }
  }
}

TEST(Frames, F6_AThousandFramesInOneRead) {
  std::string bytes;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    bytes += FrameBytes(wire::FrameType::kRequest, 2 * i + 1, "", std::to_string(i), "");
  }
  for (const bool stop : {false, true}) {
    Feeder feeder;
    feeder.stop_after_each = stop;
    ASSERT_TRUE(feeder.Feed(bytes).ok());
    while (feeder.reader.stopped()) {
      ASSERT_TRUE(feeder.reader.Resume([&](Frame& f) { return feeder.Take(f); }).ok());
    }
    ASSERT_EQ(feeder.seen.size(), 1000u);
    for (std::size_t i = 0; i < 1000; ++i) ASSERT_EQ(feeder.seen[i].body, std::to_string(i));
  }
}

TEST(Frames, StoppedReaderKeepsEveryByteForLater) {
  std::vector<Seen> expected;
  const std::string bytes = Stream(&expected, 20'000);
  for (std::size_t cut = 1; cut < 400; ++cut) {
    Feeder feeder;
    feeder.stop_after_each = true;
    std::string_view rest = bytes;
    while (!rest.empty()) {
      const std::string_view part = rest.substr(0, cut * 37);
      rest.remove_prefix(part.size());
      ASSERT_TRUE(feeder.Feed(part).ok());
      while (feeder.reader.stopped()) {
        ASSERT_TRUE(feeder.reader.Resume([&](Frame& f) { return feeder.Take(f); }).ok());
      }
    }
    ASSERT_TRUE(feeder.seen == expected) << cut;
  }
}

TEST(Frames, F3_F4_LengthsAreJudgedBeforeAnythingIsAllocated) {
  const std::uint32_t kMax = 0xFFFFFFFF;
  const std::size_t before = IoBudget::used();
  for (const FrameHeader& header :
       {FrameHeader{.type = 2, .body_bytes = kMax, .id = 1},
        FrameHeader{.type = 2, .meta_bytes = kMax, .id = 1},
        FrameHeader{.type = 2, .attachment_bytes = kMax, .id = 1},
        FrameHeader{
            .type = 2, .meta_bytes = kMax, .body_bytes = kMax, .attachment_bytes = kMax, .id = 1},
        FrameHeader{.type = 2, .body_bytes = (16u << 20) + 1, .id = 1},
        FrameHeader{.type = 2, .meta_bytes = 65'537, .id = 1}}) {
    for (const std::size_t chunk : {1u, 31u, 32u}) {
      Feeder feeder;
      const Status status = feeder.Feed(HeaderBytes(header), chunk);
      EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
      EXPECT_LE(IoBudget::used(), before + (Scratch::kBytes + 4096));
    }
  }
  EXPECT_EQ(IoBudget::used(), before);
}

TEST(Frames, AnnouncedLengthAllocatesNothing) {
  Feeder feeder;
  const std::size_t before = IoBudget::used();
  ASSERT_TRUE(feeder.Feed(HeaderBytes({.type = 2, .body_bytes = 16u << 20, .id = 1})).ok());
  ASSERT_TRUE(feeder.Feed(std::string(100, 'x')).ok());
  EXPECT_LE(IoBudget::used(), before + (Scratch::kBytes + 4096));
  EXPECT_TRUE(feeder.reader.in_frame());
}

TEST(Frames, RandomBytesAreRefusedAndNeverDelivered) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 300; ++round) {
    std::string bytes(1 + random() % 500, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    if (round % 3 == 0) bytes.replace(0, 4, "WEIR");
    Feeder feeder;
    const Status status = feeder.Feed(bytes, 1 + random() % 64);
    EXPECT_TRUE(feeder.seen.empty());
    if (bytes.size() >= 32) {
      EXPECT_FALSE(status.ok());
    }
  }
}

}  // namespace
}  // namespace weir::test
