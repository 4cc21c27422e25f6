// Writes frames into an Outbox: header, meta and message in one go, the attachment behind them.
#pragma once

#include <google/protobuf/message_lite.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "buffer/outbox.h"
#include "weir/buffer.h"
#include "weir/status.h"
#include "wire/frame.h"
#include "wire/meta.h"

namespace weir::wire {

// A message of at most this many bytes is copied into frames; a larger one is shared.
inline constexpr std::size_t kCopyUpTo = 16 * 1024;

struct RequestFrame {
  std::uint64_t id = 0;
  RequestMeta meta;
  const Metadata* metadata = nullptr;
  std::string_view small_body;  // copied
  const Buffer* large_body = nullptr;
  const Buffer* attachment = nullptr;
};
void WriteRequest(Outbox& outbox, const RequestFrame& frame);

// The largest reply that both sides put up with.
struct ReplyLimits {
  std::uint32_t message_bytes = 0;
  std::uint32_t attachment_bytes = 0;
};

// What the provider says about its load, LoadReport::Pack, to who wants to know it.
using Load = std::optional<std::uint64_t>;

// A reply with a message. RESOURCE_EXHAUSTED, and nothing written, if it is above the limits.
Status WriteReply(Outbox& outbox, std::uint64_t id, const google::protobuf::MessageLite& reply,
                  Buffer attachment, bool with_checksum, ReplyLimits limits, Load load = {});
void WriteFailure(Outbox& outbox, std::uint64_t id, const Status& status, bool not_started,
                  Load load = {});
void WriteLoad(Outbox& outbox, std::uint64_t id, std::uint64_t load);

void WriteSettings(Outbox& outbox, const SettingsMeta& settings);
// CANCEL, PING, PONG, LOAD_ASK: a header alone.
void WriteSignal(Outbox& outbox, FrameType type, std::uint64_t id);
// GOAWAY (id: the last that will be answered) and ERROR.
void WriteNotice(Outbox& outbox, FrameType type, std::uint64_t id, const Status& status);

// XXH3-64 over body and attachment.
std::uint64_t Checksum(std::string_view body, const Buffer* more_body, const Buffer* attachment);

}  // namespace weir::wire
