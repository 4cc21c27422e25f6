// Headers and frames: what parsing and writing one costs, alone and 64 to a read. An iteration is
// one read or one write; per_frame is what one frame of it costs.
#include <benchmark/benchmark.h>

#include <cstring>
#include <string>

#include "bench_core.pb.h"
#include "buffer/outbox.h"
#include "wire/frame_reader.h"
#include "wire/frame_writer.h"

namespace weir {
namespace {

void CountFrames(benchmark::State& state, double frames_per_iteration) {
  state.counters["per_frame"] =
      benchmark::Counter(frames_per_iteration, benchmark::Counter::kIsIterationInvariantRate |
                                                   benchmark::Counter::kInvert);
}

bench::CoreMessage MessageOf(std::int64_t bytes) {
  bench::CoreMessage message;
  message.set_payload(std::string(static_cast<std::size_t>(bytes), 'x'));
  return message;
}

// A request of a method that is known by its number, as the second and all later calls send it.
void WriteOne(Outbox& outbox, std::uint64_t id, std::string_view body) {
  wire::RequestFrame frame;
  frame.id = id;
  frame.meta.method_id = 1;
  frame.meta.timeout_us = 1'000'000;
  frame.small_body = body;
  wire::WriteRequest(outbox, frame);
}

std::string BytesOf(const Outbox& outbox) {
  iovec vectors[64];
  std::string bytes;
  for (int i = 0, count = outbox.Gather(vectors, 64); i < count; ++i) {
    bytes.append(static_cast<const char*>(vectors[i].iov_base), vectors[i].iov_len);
  }
  return bytes;
}

void EncodeHeader(benchmark::State& state) {
  wire::FrameHeader header{.type = 2, .meta_bytes = 8, .body_bytes = 18, .id = 1};
  char bytes[wire::kHeaderBytes];
  for (auto _ : state) {
    header.id += 2;
    wire::EncodeHeader(header, bytes);
    benchmark::DoNotOptimize(bytes);
  }
}
BENCHMARK(EncodeHeader)->Name("Header/write");

void DecodeHeader(benchmark::State& state) {
  char bytes[wire::kHeaderBytes];
  wire::EncodeHeader({.type = 2, .meta_bytes = 8, .body_bytes = 18, .id = 1}, bytes);
  wire::FrameHeader header;
  for (auto _ : state) {
    benchmark::DoNotOptimize(bytes);
    benchmark::DoNotOptimize(wire::DecodeHeader(bytes, &header));
  }
}
BENCHMARK(DecodeHeader)->Name("Header/parse");

// What the reader does with one read, the copy that stands for the kernel's included.
void ParseFrames(benchmark::State& state, int frames) {
  Outbox outbox;
  for (int i = 0; i < frames; ++i) {
    WriteOne(outbox, static_cast<std::uint64_t>(2 * i + 1),
             MessageOf(state.range(0)).SerializeAsString());
  }
  const std::string bytes = BytesOf(outbox);
  wire::Scratch scratch;
  wire::FrameReader reader{wire::ReadLimits{}};
  std::size_t seen = 0;
  for (auto _ : state) {
    for (std::string_view left = bytes; !left.empty();) {
      iovec vectors[2];
      const int count = reader.PrepareRead(scratch, vectors);
      std::size_t given = 0;
      for (int i = 0; i < count && given < left.size(); ++i) {
        const std::size_t part = std::min(vectors[i].iov_len, left.size() - given);
        std::memcpy(vectors[i].iov_base, left.data() + given, part);
        given += part;
      }
      left.remove_prefix(given);
      const Status status = reader.Consume(given, [&seen](wire::Frame& frame) {
        seen += frame.body.size();
        return Status();
      });
      if (!status.ok()) return state.SkipWithError(status.ToString().c_str());
    }
  }
  benchmark::DoNotOptimize(seen);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
  CountFrames(state, frames);
}
void ParseOne(benchmark::State& state) {
  ParseFrames(state, 1);
}
void ParseMany(benchmark::State& state) {
  ParseFrames(state, 64);
}
BENCHMARK(ParseOne)->Name("Frame/parse")->Arg(16)->Arg(1024)->Arg(64 << 10)->Arg(1 << 20);
BENCHMARK(ParseMany)->Name("Frame/parse_64")->Arg(16)->Arg(1024);

void WriteRequests(benchmark::State& state) {
  const std::string body = MessageOf(state.range(0)).SerializeAsString();
  Outbox outbox;
  std::uint64_t id = 1;
  for (auto _ : state) {
    WriteOne(outbox, id += 2, body);
    outbox.Consume(outbox.size());
  }
  CountFrames(state, 1);
}
BENCHMARK(WriteRequests)->Name("Frame/write_request")->Arg(16)->Arg(1024);

void WriteReplies(benchmark::State& state) {
  const bench::CoreMessage reply = MessageOf(state.range(0));
  Outbox outbox;
  std::uint64_t id = 1;
  for (auto _ : state) {
    const Status status =
        wire::WriteReply(outbox, id += 2, reply, {}, false, {16u << 20, 64u << 20});
    if (!status.ok()) return state.SkipWithError(status.ToString().c_str());
    outbox.Consume(outbox.size());
  }
  CountFrames(state, 1);
}
BENCHMARK(WriteReplies)->Name("Frame/write_reply")->Arg(16)->Arg(1024)->Arg(64 << 10)->Arg(1 << 20);

void WriteManyReplies(benchmark::State& state) {
  const bench::CoreMessage reply = MessageOf(state.range(0));
  Outbox outbox;
  for (auto _ : state) {
    for (std::uint64_t id = 1; id < 129; id += 2) {
      benchmark::DoNotOptimize(
          wire::WriteReply(outbox, id, reply, {}, false, {16u << 20, 64u << 20}).ok());
    }
    iovec vectors[64];
    benchmark::DoNotOptimize(outbox.Gather(vectors, 64));
    outbox.Consume(outbox.size());
  }
  CountFrames(state, 64);
}
BENCHMARK(WriteManyReplies)->Name("Frame/write_reply_64")->Arg(16)->Arg(1024);

}  // namespace
}  // namespace weir
