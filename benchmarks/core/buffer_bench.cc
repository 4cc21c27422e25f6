// Buffer chains: appending, slicing, gathering for a write.
#include <benchmark/benchmark.h>

#include <string>

#include "buffer/block.h"
#include "buffer/outbox.h"
#include "weir/buffer.h"

namespace weir {
namespace {

// Copies of `size` bytes until 16 KiB are reached, then all of it is gone, as after a write.
void AppendCopies(benchmark::State& state) {
  const std::string bytes(static_cast<std::size_t>(state.range(0)), 'x');
  Outbox outbox;
  for (auto _ : state) {
    outbox.Append(std::string_view(bytes));
    if (outbox.size() >= Block::kCommonSize) outbox.Consume(outbox.size());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(AppendCopies)->Name("Buffer/append_copy")->Arg(16)->Arg(256)->Arg(4096);

// Shares of a block, as the pieces of an attachment are.
void AppendSlices(benchmark::State& state) {
  const Ref<Block> block = Block::Allocate(Block::kCommonSize);
  const std::string_view bytes(block->data(), 64);
  Buffer buffer;
  for (auto _ : state) {
    buffer.Append(BufferSlice{Ref<>::Share(block.get()), bytes});
    if (buffer.slices().size() == 64) buffer.Clear();
  }
}
BENCHMARK(AppendSlices)->Name("Buffer/append_slice");

// Hands over a chain of `range` slices without touching their bytes.
void ShareChain(benchmark::State& state) {
  const Ref<Block> block = Block::Allocate(Block::kCommonSize);
  Buffer chain;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    chain.Append(BufferSlice{Ref<>::Share(block.get()), {block->data(), 256}});
  }
  Outbox outbox;
  for (auto _ : state) {
    outbox.Append(Buffer(chain));
    outbox.Consume(outbox.size());
  }
}
BENCHMARK(ShareChain)->Name("Buffer/share_chain")->Arg(1)->Arg(16)->Arg(64);

// Vectors for one write of `range` slices.
void GatherSlices(benchmark::State& state) {
  const Ref<Block> block = Block::Allocate(Block::kCommonSize);
  Buffer chain;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    chain.Append(BufferSlice{Ref<>::Share(block.get()), {block->data(), 256}});
  }
  Outbox outbox;
  outbox.Append(chain);
  for (auto _ : state) {
    iovec vectors[64];
    benchmark::DoNotOptimize(outbox.Gather(vectors, 64));
    benchmark::DoNotOptimize(vectors);
  }
}
BENCHMARK(GatherSlices)->Name("Buffer/gather")->Arg(1)->Arg(16)->Arg(64);

void CopyOut(benchmark::State& state) {
  const Buffer whole(std::string(static_cast<std::size_t>(state.range(0)), 'x'));
  std::string out(whole.size(), '\0');
  for (auto _ : state) {
    whole.CopyTo(out.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(CopyOut)->Name("Buffer/copy_out")->Arg(1024)->Arg(64 << 10);

// A block of the common size, which its thread keeps for the next one, and a larger one.
void AllocateBlock(benchmark::State& state) {
  for (auto _ : state) {
    const Ref<Block> block = Block::Allocate(static_cast<std::size_t>(state.range(0)));
    benchmark::DoNotOptimize(block->data());
  }
}
BENCHMARK(AllocateBlock)->Name("Block/allocate")->Arg(Block::kCommonSize)->Arg(256 << 10);

}  // namespace
}  // namespace weir
