// Writes: fills, overwrites, deletes, batches, several writers, synchronous writers.
#include <mutex>

#include "engine/step.h"

namespace weir::bench {
namespace {

constexpr std::size_t kBatch = 100;
constexpr std::uint64_t kSample = 17;  // one key of so many is read back

void FillSequentialStep(Context& context) {
  const Values values(context.plan.value_bytes);
  const Memory before = MemoryInUse();
  context.store.Open(context.directory, {});
  context.Report("fill_seq", Timed(1, [&](unsigned) {
                   for (std::uint64_t i = 0; i < context.plan.keys; ++i) {
                     context.store.Put(Key::Sequential(i), values.Of(i, 0));
                   }
                   return context.plan.keys;
                 }));
  if (context.Wants("ram_seq")) {
    Settle();
    context.ReportMemory("ram_seq", before, context.plan.keys);
  }
  context.store.Close();
}

void OverwriteStep(Context& context) {
  const Values values(context.plan.value_bytes);
  context.store.Open(context.directory, {});
  FillRandom(context, values, context.plan.keys);
  Settle();
  context.Report("overwrite", Timed(1, [&](unsigned) {
                   Overwrite(context, values, 1);
                   return context.plan.keys;
                 }));
  ReadBack(context, values, context.plan.keys, 1, kSample);
  if (context.Wants("delete")) {
    Settle();
    const Shuffle order(context.plan.keys, 2);
    context.Report("delete", Timed(1, [&](unsigned) {
                     for (std::uint64_t at = 0; at < context.plan.keys; ++at) {
                       context.store.Delete(Key::Random(order.At(at)));
                     }
                     return context.plan.keys;
                   }));
    std::string value;
    if (context.store.Get(Key::Random(0), &value))
      Die("delete", "a key is still there", "number 0");
  }
  context.store.Close();
}

void BatchStep(Context& context) {
  const Values values(context.plan.value_bytes);
  context.store.Open(context.directory, {});
  context.Report("batch_100", Timed(1, [&](unsigned) {
                   FillBatches(context, values, context.plan.keys, kBatch);
                   return context.plan.keys;
                 }));
  ReadBack(context, values, context.plan.keys, 0, kSample);
  context.store.Close();
}

void WritersStep(Context& context) {
  const Values values(context.plan.value_bytes);
  context.store.Open(context.directory, {});
  const unsigned threads = context.plan.threads;
  context.Report("fill_threads", Timed(threads, [&](unsigned thread) {
                   std::uint64_t count = 0;
                   for (std::uint64_t i = thread; i < context.plan.keys; i += threads, ++count) {
                     context.store.Put(Key::Random(i), values.Of(i, 0));
                   }
                   return count;
                 }));
  ReadBack(context, values, context.plan.keys, 0, kSample);
  context.store.Close();
}

void SyncStep(Context& context) {
  const Values values(context.plan.value_bytes);
  context.store.Open(context.directory, {.sync = true});
  std::uint64_t first = 0;
  for (const unsigned threads : {1U, 8U, 64U}) {
    const std::string the_case = "sync_" + std::to_string(threads);
    if (!context.Wants(the_case)) continue;
    std::mutex mutex;
    Histogram latency;
    const Timing timing = Timed(threads, [&](unsigned thread) {
      Histogram own;
      const std::uint64_t count = Repeat(context.plan.seconds, 1, [&](std::uint64_t n) {
        const std::uint64_t i = first + n * threads + thread;
        AddLatency(own, [&] { context.store.Put(Key::Random(i), values.Of(i, 0)); });
      });
      const std::lock_guard lock(mutex);
      latency.Add(own);
      return count;
    });
    first += 1U << 30;
    context.Report(the_case, timing);
    context.Report(the_case, latency, "");
  }
  context.store.Close();
}

}  // namespace

Series SequentialSeries() {
  return {{{"fill_seq", "ram_seq"}, FillSequentialStep}};
}
Series RewriteSeries() {
  return {{{"overwrite", "delete"}, OverwriteStep}};
}
Series BatchSeries() {
  return {{{"batch_100"}, BatchStep}};
}
Series WritersSeries() {
  return {{{"fill_threads"}, WritersStep}};
}
Series SyncSeries() {
  return {{{"sync_1", "sync_8", "sync_64"}, SyncStep}};
}

}  // namespace weir::bench
