// FrameReader: turns bytes as they arrive into frames. Owns no socket.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "buffer/block.h"
#include "weir/buffer.h"
#include "weir/status.h"
#include "wire/frame.h"

namespace weir::wire {

struct ReadLimits {
  std::uint32_t max_meta_bytes = 64 * 1024;
  std::uint32_t max_body_bytes = 16u << 20;
  std::uint32_t max_attachment_bytes = 64u << 20;
};

// A frame. The views are valid during the call that delivers it.
struct Frame {
  FrameHeader header;
  std::string_view meta;
  std::string_view body;
  Buffer attachment;
};

// Memory shared by the connections of a reactor: bytes are read into it, and the frames that are
// complete are parsed in place. Only an unfinished frame costs its connection memory of its own,
// which grows as bytes arrive and never from the announced length.
class Scratch {
 public:
  static constexpr std::size_t kBytes = 128 * 1024;
  // The block to read into; a fresh one if slices of attachments still hold the last.
  Block& Get();

 private:
  Ref<Block> block_;
};

class FrameReader {
 public:
  explicit FrameReader(ReadLimits limits) noexcept : limits_(limits) {}

  // Where the next bytes go: first what the unfinished frame lacks, then the scratch. Returns the
  // number of vectors, 1 or 2.
  int PrepareRead(Scratch& scratch, iovec* vectors);
  // `bytes` have been read into what PrepareRead gave. Every frame that is now complete goes to
  // `sink`. A failure (of the stream, or the sink's) ends the connection; INVALID_ARGUMENT means
  // the peer does not speak this protocol, RESOURCE_EXHAUSTED a length above the limits.
  template <class F>
  Status Consume(std::size_t bytes, F&& sink) {
    return ConsumeBytes(bytes, SinkRef(sink));
  }

  // The same with bytes that were read elsewhere and are valid during the call.
  template <class F>
  Status Consume(std::string_view bytes, F&& sink) {
    return ConsumeElsewhere(bytes, SinkRef(sink));
  }

  // Within the sink: the frames behind this one are kept and not delivered until Resume, before
  // which nothing more may be read.
  void Stop() noexcept { stopped_ = true; }
  bool stopped() const noexcept { return stopped_; }
  // Delivers what was kept; the sink may stop it again.
  template <class F>
  Status Resume(F&& sink) {
    return ResumeKept(SinkRef(sink));
  }

  // Frames delivered so far.
  std::uint64_t frames() const noexcept { return frames_; }
  bool in_frame() const noexcept { return have_ > 0 || attachment_missing_ > 0; }
  bool in_header() const noexcept { return have_ > 0 && !header_known_; }
  std::uint64_t bytes_read() const noexcept { return bytes_read_; }

 private:
  // A reference to a callable; costs one indirect call per frame.
  class SinkRef {
   public:
    template <class F>
    explicit SinkRef(F& sink) noexcept
        : object_(&sink), call_([](void* object, Frame& frame) -> Status {
            return (*static_cast<F*>(object))(frame);
          }) {}
    Status operator()(Frame& frame) const { return call_(object_, frame); }

   private:
    void* object_;
    Status (*call_)(void*, Frame&);
  };

  Status ConsumeBytes(std::size_t bytes, SinkRef sink);
  Status ConsumeElsewhere(std::string_view bytes, SinkRef sink);
  Status ResumeKept(SinkRef sink);
  void Keep(const char* at, std::size_t bytes);
  // Parses bytes of the scratch or, if there is none, of memory that is not to be shared.
  Status Feed(const char* at, std::size_t bytes, SinkRef sink);
  Status ReadHeader(const char* at);
  Status CheckMagic(const char* at, std::size_t bytes) const;
  // The head (header, meta, body) is in head_; delivers, or goes on to the attachment.
  Status HeadComplete(SinkRef sink);
  Status Deliver(const char* head, SinkRef sink);
  // Takes up to `bytes` of the attachment from the scratch; returns how many.
  std::size_t TakeAttachment(const char* at, std::size_t bytes);
  void GrowHead(std::size_t least);
  void Reset() noexcept;

  ReadLimits limits_;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t frames_ = 0;

  FrameHeader header_;
  bool header_known_ = false;
  Ref<Block> head_;       // of the unfinished frame
  std::size_t have_ = 0;  // bytes in head_
  Buffer attachment_;
  std::size_t attachment_missing_ = 0;
  Ref<Block> piece_;  // of the attachment, being filled
  std::size_t piece_have_ = 0;

  // What came behind the frame that stopped the reader.
  bool stopped_ = false;
  Ref<Block> kept_;
  std::string_view kept_bytes_;

  // What PrepareRead gave.
  Block* scratch_ = nullptr;
  std::size_t own_room_ = 0;
};

}  // namespace weir::wire
