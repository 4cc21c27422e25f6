#include "engine/step.h"

#include <algorithm>

namespace weir::bench {

std::string FigureName(const std::string& the_case, const std::string& metric) {
  return the_case + "/" + metric;
}

void Context::Report(const std::string& the_case, const std::string& metric, double value) {
  if (Wants(the_case)) figures_[FigureName(the_case, metric)] = value;
}

void Context::Report(const std::string& the_case, const Timing& timing) {
  Report(the_case, "ops_per_s", timing.PerSecond());
  Report(the_case, "cpu_us_per_op",
         1e6 * timing.cpu_seconds /
             static_cast<double>(std::max<std::uint64_t>(1, timing.operations)));
}

void Context::Report(const std::string& the_case, const Histogram& latency,
                     const std::string& suffix) {
  Report(the_case, "p50_us" + suffix, latency.QuantileUs(0.5));
  Report(the_case, "p99_us" + suffix, latency.QuantileUs(0.99));
}

void Context::ReportMemory(const std::string& the_case, const Memory& before, std::uint64_t keys) {
  const auto per_key = [&](std::uint64_t from, std::uint64_t to) {
    return (static_cast<double>(to) - static_cast<double>(from)) / static_cast<double>(keys);
  };
  const Memory now = MemoryInUse();
  Report(the_case, "anonymous_bytes_per_key", per_key(before.anonymous, now.anonymous));
  Report(the_case, "resident_bytes_per_key", per_key(before.resident, now.resident));
  if (const auto index = store.IndexBytes()) {
    Report(the_case, "index_bytes_per_key", per_key(0, *index));
  }
}

void FillRandom(Context& context, const Values& values, std::uint64_t keys) {
  for (std::uint64_t i = 0; i < keys; ++i) context.store.Put(Key::Random(i), values.Of(i, 0));
}

void FillBatches(Context& context, const Values& values, std::uint64_t keys, std::size_t size) {
  std::vector<Key> batch_keys(size);
  std::vector<KeyAndValue> batch;
  batch.reserve(size);
  for (std::uint64_t i = 0; i < keys; ++i) {
    batch_keys[batch.size()] = Key::Random(i);
    batch.emplace_back(batch_keys[batch.size()], values.Of(i, 0));
    if (batch.size() < size && i + 1 < keys) continue;
    context.store.Write(batch);
    batch.clear();
  }
}

void Overwrite(Context& context, const Values& values, std::uint64_t version) {
  const Shuffle order(context.plan.keys, version);
  for (std::uint64_t at = 0; at < context.plan.keys; ++at) {
    const std::uint64_t i = order.At(at);
    context.store.Put(Key::Random(i), values.Of(i, version));
  }
}

void ReadBack(Context& context, const Values& values, std::uint64_t keys, std::uint64_t version,
              std::uint64_t stride) {
  std::string value;
  for (std::uint64_t i = 0; i < keys; i += stride) {
    if (!context.store.Get(Key::Random(i), &value) || value != values.Of(i, version)) {
      Die("reading back", "a value is not what was put", "key number " + std::to_string(i));
    }
  }
}

const std::vector<Series>& AllSeries() {
  static const std::vector<Series> all = {SequentialSeries(), RandomSeries(),     RewriteSeries(),
                                          BatchSeries(),      WritersSeries(),    SyncSeries(),
                                          LargeSeries(),      OpenSeries(),       SpaceSeries(),
                                          MergeSeries(),      OpenTenfoldSeries()};
  return all;
}

}  // namespace weir::bench
