// The meta of frames: of a method's first call, of all later ones, with metadata, and of replies.
#include <benchmark/benchmark.h>

#include <string>

#include "wire/meta.h"

namespace weir {
namespace {

enum Kind : std::int64_t { kKnown, kFirst, kWithPairs };

wire::RequestMeta RequestOf(std::int64_t kind) {
  wire::RequestMeta meta;
  if (kind == kFirst) meta.method = "greeter.Greeter/Hello";
  meta.method_id = 1;
  meta.timeout_us = 1'000'000;
  return meta;
}

const Metadata* PairsOf(std::int64_t kind) {
  static const Metadata pairs = [] {
    Metadata four;
    for (int i = 0; i < 4; ++i) {
      four.emplace_back("key-" + std::to_string(i), std::string(32, 'v'));
    }
    return four;
  }();
  return kind == kWithPairs ? &pairs : nullptr;
}

void EncodeRequest(benchmark::State& state, std::int64_t kind) {
  const wire::RequestMeta meta = RequestOf(kind);
  std::string bytes(meta.MaxBytes(PairsOf(kind)), '\0');
  for (auto _ : state) {
    benchmark::DoNotOptimize(meta.Encode(bytes.data(), PairsOf(kind)));
    benchmark::ClobberMemory();
  }
}
BENCHMARK_CAPTURE(EncodeRequest, known, kKnown)->Name("Meta/write_request/known_method");
BENCHMARK_CAPTURE(EncodeRequest, first, kFirst)->Name("Meta/write_request/first_call");
BENCHMARK_CAPTURE(EncodeRequest, pairs, kWithPairs)->Name("Meta/write_request/4_pairs");

void DecodeRequest(benchmark::State& state, std::int64_t kind) {
  const wire::RequestMeta meta = RequestOf(kind);
  std::string bytes(meta.MaxBytes(PairsOf(kind)), '\0');
  bytes.resize(meta.Encode(bytes.data(), PairsOf(kind)));
  Metadata pairs;
  for (auto _ : state) {
    pairs.clear();
    wire::RequestMeta decoded;
    benchmark::DoNotOptimize(bytes.data());
    if (decoded.Decode(bytes, &pairs) != wire::RequestMeta::Error::kNone) {
      return state.SkipWithError("a meta that was just written is not understood");
    }
    benchmark::DoNotOptimize(decoded);
  }
}
BENCHMARK_CAPTURE(DecodeRequest, known, kKnown)->Name("Meta/parse_request/known_method");
BENCHMARK_CAPTURE(DecodeRequest, first, kFirst)->Name("Meta/parse_request/first_call");
BENCHMARK_CAPTURE(DecodeRequest, pairs, kWithPairs)->Name("Meta/parse_request/4_pairs");

void EncodeResponse(benchmark::State& state, bool failed) {
  wire::ResponseMeta meta;
  if (failed) {
    meta.code = 5;
    meta.message = "no such key";
  }
  std::string bytes(meta.MaxBytes(), '\0');
  for (auto _ : state) {
    benchmark::DoNotOptimize(meta.Encode(bytes.data()));
    benchmark::ClobberMemory();
  }
}
BENCHMARK_CAPTURE(EncodeResponse, ok, false)->Name("Meta/write_response/ok");
BENCHMARK_CAPTURE(EncodeResponse, failed, true)->Name("Meta/write_response/failure");

void DecodeResponse(benchmark::State& state, bool failed) {
  wire::ResponseMeta meta;
  if (failed) {
    meta.code = 5;
    meta.message = "no such key";
  }
  std::string bytes(meta.MaxBytes(), '\0');
  bytes.resize(meta.Encode(bytes.data()));
  for (auto _ : state) {
    wire::ResponseMeta decoded;
    benchmark::DoNotOptimize(bytes.data());
    benchmark::DoNotOptimize(decoded.Decode(bytes));
    benchmark::DoNotOptimize(decoded);
  }
}
BENCHMARK_CAPTURE(DecodeResponse, ok, false)->Name("Meta/parse_response/ok");
BENCHMARK_CAPTURE(DecodeResponse, failed, true)->Name("Meta/parse_response/failure");

}  // namespace
}  // namespace weir
