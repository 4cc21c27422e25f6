#include "wire/frame_reader.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

namespace weir::wire {
namespace {

// A piece of an attachment this large is shared with the scratch instead of copied out of it; a
// smaller one would hold back more memory than it saves copying.
constexpr std::size_t kShareFrom = Scratch::kBytes / 8;
constexpr std::size_t kPieceBytes = 256 * 1024;
constexpr std::size_t kFirstHeadBytes = 1024;

}  // namespace

Block& Scratch::Get() {
  if (!block_ || !block_->IsUnique()) block_ = Block::Allocate(kBytes);
  return *block_;
}

int FrameReader::PrepareRead(Scratch& scratch, iovec* vectors) {
  scratch_ = &scratch.Get();
  own_room_ = 0;
  int count = 0;
  if (attachment_missing_ > 0) {
    if (!piece_) {
      piece_ = Block::Allocate(std::min(attachment_missing_, kPieceBytes));
      piece_have_ = 0;
    }
    own_room_ = std::min(piece_->capacity() - piece_have_, attachment_missing_);
    vectors[count++] = {piece_->data() + piece_have_, own_room_};
    if (own_room_ < attachment_missing_) return count;
  } else if (have_ > 0) {
    const std::size_t need = header_known_ ? header_.head_bytes() : kHeaderBytes;
    if (have_ == head_->capacity()) GrowHead(have_ + 1);
    own_room_ = std::min(head_->capacity(), need) - have_;
    vectors[count++] = {head_->data() + have_, own_room_};
    if (have_ + own_room_ < need) return count;
  }
  vectors[count++] = {scratch_->data(), scratch_->capacity()};
  return count;
}

Status FrameReader::ConsumeBytes(std::size_t bytes, SinkRef sink) {
  bytes_read_ += bytes;
  const std::size_t own = std::min(bytes, own_room_);
  if (own > 0) {
    if (attachment_missing_ > 0) {
      piece_have_ += own;
      attachment_missing_ -= own;
      if (attachment_missing_ == 0 || piece_have_ == piece_->capacity()) {
        const std::string_view view(piece_->data(), piece_have_);
        attachment_.Append(BufferSlice{std::move(piece_), view});
      }
      if (attachment_missing_ == 0) {
        if (Status status = Deliver(head_->data(), sink); !status.ok()) return status;
      }
    } else {
      have_ += own;
      if (!header_known_) {
        if (Status status = CheckMagic(head_->data(), have_); !status.ok()) return status;
        if (have_ >= kHeaderBytes) {
          if (Status status = ReadHeader(head_->data()); !status.ok()) return status;
        }
      }
      if (header_known_ && have_ == header_.head_bytes()) {
        if (Status status = HeadComplete(sink); !status.ok()) return status;
      }
    }
  }
  return Feed(scratch_->data(), bytes - own, sink);
}

Status FrameReader::ConsumeElsewhere(std::string_view bytes, SinkRef sink) {
  bytes_read_ += bytes.size();
  scratch_ = nullptr;
  own_room_ = 0;
  return Feed(bytes.data(), bytes.size(), sink);
}

void FrameReader::Keep(const char* at, std::size_t bytes) {
  if (!kept_) {
    kept_ = Block::Allocate(bytes);
    std::memcpy(kept_->data(), at, bytes);
    at = kept_->data();
  }
  kept_bytes_ = {at, bytes};
}

Status FrameReader::ResumeKept(SinkRef sink) {
  stopped_ = false;
  if (!kept_) return {};
  const Ref<Block> block = kept_;
  scratch_ = block.get();  // attachments may share it
  const std::string_view bytes = std::exchange(kept_bytes_, {});
  const Status status = Feed(bytes.data(), bytes.size(), sink);
  if (kept_bytes_.empty()) kept_ = {};
  return status;
}

Status FrameReader::Feed(const char* at, std::size_t bytes, SinkRef sink) {
  while (bytes > 0) {
    if (stopped_) {
      Keep(at, bytes);
      return {};
    }
    if (attachment_missing_ > 0) {
      const std::size_t taken = TakeAttachment(at, bytes);
      at += taken;
      bytes -= taken;
      if (attachment_missing_ == 0) {
        if (Status status = Deliver(head_->data(), sink); !status.ok()) return status;
      }
      continue;
    }
    if (have_ > 0) {  // an unfinished head goes on
      const std::size_t need = header_known_ ? header_.head_bytes() : kHeaderBytes;
      const std::size_t part = std::min(bytes, need - have_);
      if (have_ + part > head_->capacity()) GrowHead(have_ + part);
      std::memcpy(head_->data() + have_, at, part);
      have_ += part;
      at += part;
      bytes -= part;
      if (!header_known_) {
        if (Status status = CheckMagic(head_->data(), have_); !status.ok()) return status;
        if (have_ < kHeaderBytes) continue;
        if (Status status = ReadHeader(head_->data()); !status.ok()) return status;
      }
      if (have_ == header_.head_bytes()) {
        if (Status status = HeadComplete(sink); !status.ok()) return status;
      }
      continue;
    }
    if (bytes >= kHeaderBytes) {
      if (Status status = ReadHeader(at); !status.ok()) return status;
      const std::uint64_t head_bytes = header_.head_bytes();
      if (bytes >= head_bytes && header_.attachment_bytes == 0) {  // whole, in place
        if (Status status = Deliver(at, sink); !status.ok()) return status;
        at += head_bytes;
        bytes -= head_bytes;
        continue;
      }
    } else if (Status status = CheckMagic(at, bytes); !status.ok()) {
      return status;
    }
    // The beginning of a frame that is kept.
    const std::size_t part =
        header_known_ ? std::min<std::uint64_t>(bytes, header_.head_bytes()) : bytes;
    GrowHead(part);
    std::memcpy(head_->data(), at, part);
    have_ = part;
    at += part;
    bytes -= part;
    if (header_known_ && have_ == header_.head_bytes()) {
      if (Status status = HeadComplete(sink); !status.ok()) return status;
    }
  }
  return {};
}

Status FrameReader::CheckMagic(const char* at, std::size_t bytes) const {
  if (MayBeMagic(at, bytes)) return {};
  return InvalidArgument("the peer does not speak weir's protocol");
}

Status FrameReader::ReadHeader(const char* at) {
  switch (DecodeHeader(at, &header_)) {
    case HeaderError::kNone:
      break;
    case HeaderError::kBadMagic:
      return InvalidArgument("the peer does not speak weir's protocol");
    case HeaderError::kBadCheck:
      return DataLoss("a frame header's check is wrong");
  }
  const auto too_large = [](std::string_view what, std::uint32_t bytes, std::uint32_t limit) {
    return ResourceExhausted("a frame's " + std::string(what) + " of " + std::to_string(bytes) +
                             " bytes is above the limit of " + std::to_string(limit));
  };
  if (header_.meta_bytes > limits_.max_meta_bytes) {
    return too_large("meta", header_.meta_bytes, limits_.max_meta_bytes);
  }
  if (header_.body_bytes > limits_.max_body_bytes) {
    return too_large("message", header_.body_bytes, limits_.max_body_bytes);
  }
  if (header_.attachment_bytes > limits_.max_attachment_bytes) {
    return too_large("attachment", header_.attachment_bytes, limits_.max_attachment_bytes);
  }
  header_known_ = true;
  return {};
}

Status FrameReader::HeadComplete(SinkRef sink) {
  attachment_missing_ = header_.attachment_bytes;
  return attachment_missing_ == 0 ? Deliver(head_->data(), sink) : Status();
}

Status FrameReader::Deliver(const char* head, SinkRef sink) {
  Frame frame;
  frame.header = header_;
  frame.meta = {head + kHeaderBytes, header_.meta_bytes};
  frame.body = {head + kHeaderBytes + header_.meta_bytes, header_.body_bytes};
  frame.attachment = std::move(attachment_);
  const Ref<Block> keep = std::move(head_);
  ++frames_;
  Reset();
  return sink(frame);
}

std::size_t FrameReader::TakeAttachment(const char* at, std::size_t bytes) {
  const std::size_t part = std::min(bytes, attachment_missing_);
  if (!piece_ && part >= kShareFrom && scratch_ != nullptr) {
    attachment_.Append(BufferSlice{Ref<>::Share(scratch_), {at, part}});
    attachment_missing_ -= part;
    return part;
  }
  if (!piece_) {
    // A small rest of the frame fits a block of its own size; of a large one only a part is here
    // yet.
    const std::size_t capacity =
        attachment_missing_ == part ? part : std::min(attachment_missing_, kPieceBytes);
    piece_ = Block::Allocate(capacity);
    piece_have_ = 0;
  }
  const std::size_t copied = std::min(part, piece_->capacity() - piece_have_);
  std::memcpy(piece_->data() + piece_have_, at, copied);
  piece_have_ += copied;
  attachment_missing_ -= copied;
  if (attachment_missing_ == 0 || piece_have_ == piece_->capacity()) {
    const std::string_view view(piece_->data(), piece_have_);
    attachment_.Append(BufferSlice{std::move(piece_), view});
  }
  return copied;
}

void FrameReader::GrowHead(std::size_t least) {
  // Twice what has arrived: a frame that came by half is not moved again.
  std::size_t capacity = std::max(2 * least, kFirstHeadBytes);
  if (header_known_) capacity = std::min<std::uint64_t>(capacity, header_.head_bytes());
  Ref<Block> grown = Block::Allocate(std::max(capacity, least));
  if (have_ > 0) std::memcpy(grown->data(), head_->data(), have_);
  head_ = std::move(grown);
}

void FrameReader::Reset() noexcept {
  header_known_ = false;
  head_ = {};
  have_ = 0;
  attachment_ = Buffer();
  attachment_missing_ = 0;
  piece_ = {};
  piece_have_ = 0;
}

}  // namespace weir::wire
