#include "wire/frame_writer.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace weir::wire {
namespace {

// Messages that people read are cut to this, so that a failure always fits a frame.
constexpr std::size_t kMaxMessageText = 8 * 1024;
constexpr std::size_t kMaxDetails = 32 * 1024;

// Writes header and meta; `encode` writes the meta behind the header's place and returns its size.
template <class Encode>
void WriteHead(Outbox& outbox, FrameHeader header, std::size_t most_meta, std::string_view body,
               Encode&& encode) {
  char* out = outbox.Reserve(kHeaderBytes + most_meta + body.size());
  header.meta_bytes = static_cast<std::uint32_t>(encode(out + kHeaderBytes));
  EncodeHeader(header, out);
  if (!body.empty()) {
    std::memcpy(out + kHeaderBytes + header.meta_bytes, body.data(), body.size());
  }
  outbox.Commit(kHeaderBytes + header.meta_bytes + body.size());
}

FrameHeader Header(FrameType type, std::uint64_t id) noexcept {
  FrameHeader header;
  header.type = static_cast<std::uint8_t>(type);
  header.id = id;
  return header;
}

}  // namespace

void WriteRequest(Outbox& outbox, const RequestFrame& frame) {
  FrameHeader header = Header(FrameType::kRequest, frame.id);
  header.body_bytes = static_cast<std::uint32_t>(
      frame.small_body.size() + (frame.large_body != nullptr ? frame.large_body->size() : 0));
  if (frame.attachment != nullptr) {
    header.attachment_bytes = static_cast<std::uint32_t>(frame.attachment->size());
  }
  WriteHead(outbox, header, frame.meta.MaxBytes(frame.metadata), frame.small_body,
            [&](char* out) { return frame.meta.Encode(out, frame.metadata); });
  if (frame.large_body != nullptr) outbox.Append(*frame.large_body);
  if (frame.attachment != nullptr) outbox.Append(*frame.attachment);
}

Status WriteReply(Outbox& outbox, std::uint64_t id, const google::protobuf::MessageLite& reply,
                  Buffer attachment, bool with_checksum, ReplyLimits limits, Load load) {
  const auto refuse = [](std::string_view what, std::size_t bytes, std::uint32_t limit) {
    return ResourceExhausted("the " + std::string(what) + " of " + std::to_string(bytes) +
                             " bytes is above the limit of " + std::to_string(limit));
  };
  const std::size_t body_bytes = reply.ByteSizeLong();
  if (body_bytes > limits.message_bytes) return refuse("reply", body_bytes, limits.message_bytes);
  if (attachment.size() > limits.attachment_bytes) {
    return refuse("reply's attachment", attachment.size(), limits.attachment_bytes);
  }
  FrameHeader header = Header(FrameType::kResponse, id);
  header.body_bytes = static_cast<std::uint32_t>(body_bytes);
  header.attachment_bytes = static_cast<std::uint32_t>(attachment.size());
  // The checksum comes before the bytes it covers, so its place is kept.
  const std::size_t meta_bytes =
      (with_checksum ? ResponseMeta::kFixedBytes : 0) + (load ? ResponseMeta::kFixedBytes : 0);
  header.meta_bytes = static_cast<std::uint32_t>(meta_bytes);
  char* out = outbox.Reserve(kHeaderBytes + meta_bytes + body_bytes);
  char* body = out + kHeaderBytes + meta_bytes;
  reply.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(body));
  if (meta_bytes > 0) {
    ResponseMeta meta;
    if (with_checksum) meta.checksum = Checksum({body, body_bytes}, nullptr, &attachment);
    meta.load = load;
    meta.Encode(out + kHeaderBytes);
  }
  EncodeHeader(header, out);
  outbox.Commit(kHeaderBytes + meta_bytes + body_bytes);
  if (!attachment.empty()) outbox.Append(std::move(attachment));
  return {};
}

void WriteFailure(Outbox& outbox, std::uint64_t id, const Status& status, bool not_started,
                  Load load) {
  ResponseMeta meta;
  meta.code = static_cast<std::uint32_t>(status.code());
  meta.message = status.message().substr(0, kMaxMessageText);
  meta.details = status.details().substr(0, kMaxDetails);
  meta.not_started = not_started;
  meta.load = load;
  WriteHead(outbox, Header(FrameType::kResponse, id), meta.MaxBytes(), {},
            [&](char* out) { return meta.Encode(out); });
}

void WriteLoad(Outbox& outbox, std::uint64_t id, std::uint64_t load) {
  WriteHead(outbox, Header(FrameType::kLoad, id), LoadMeta::kMaxBytes, {},
            [&](char* out) { return LoadMeta{load}.Encode(out); });
}

void WriteSettings(Outbox& outbox, const SettingsMeta& settings) {
  WriteHead(outbox, Header(FrameType::kSettings, 0), SettingsMeta::kMaxBytes, {},
            [&](char* out) { return settings.Encode(out); });
}

void WriteSignal(Outbox& outbox, FrameType type, std::uint64_t id) {
  WriteHead(outbox, Header(type, id), 0, {}, [](char*) { return std::size_t{0}; });
}

void WriteNotice(Outbox& outbox, FrameType type, std::uint64_t id, const Status& status) {
  NoticeMeta meta;
  meta.code = static_cast<std::uint32_t>(status.code());
  meta.message = status.message().substr(0, kMaxMessageText);
  WriteHead(outbox, Header(type, id), meta.MaxBytes(), {},
            [&](char* out) { return meta.Encode(out); });
}

std::uint64_t Checksum(std::string_view body, const Buffer* more_body, const Buffer* attachment) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  XXH3_64bits_update(&state, body.data(), body.size());
  for (const Buffer* buffer : {more_body, attachment}) {
    if (buffer == nullptr) continue;
    for (const BufferSlice& slice : buffer->slices()) {
      XXH3_64bits_update(&state, slice.bytes.data(), slice.bytes.size());
    }
  }
  return XXH3_64bits_digest(&state);
}

}  // namespace weir::wire
