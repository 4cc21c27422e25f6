// Reads of a store that was filled in random order, closed and opened again; and large values.
#include <algorithm>

#include "engine/step.h"

namespace weir::bench {
namespace {

constexpr std::uint64_t kStride = 64;  // operations between looks at the clock

std::uint64_t LargeKeys(const Plan& plan) {
  return std::max<std::uint64_t>(1, plan.keys / 10);
}

void FillRandomStep(Context& context) {
  const Values values(context.plan.value_bytes);
  const Memory before = MemoryInUse();
  context.store.Open(context.directory, {});
  context.Report("fill_random", Timed(1, [&](unsigned) {
                   FillRandom(context, values, context.plan.keys);
                   return context.plan.keys;
                 }));
  if (context.Wants("ram_random")) {
    Settle();
    context.ReportMemory("ram_random", before, context.plan.keys);
  }
  context.store.Close();
}

// Reads keys drawn evenly among `keys` from each of `threads` threads.
Timing ReadEvenly(Context& context, unsigned threads, std::uint64_t keys) {
  return Timed(threads, [&](unsigned thread) {
    std::string value;
    const std::uint64_t from = std::uint64_t{thread} << 40;
    return Repeat(context.plan.seconds, kStride, [&](std::uint64_t n) {
      if (!context.store.Get(Key::Random(Mix(from + n) % keys), &value)) {
        Die("read", "a key is lost", "draw " + std::to_string(n));
      }
    });
  });
}

Timing ReadMissing(Context& context) {
  return Timed(1, [&](unsigned) {
    std::string value;
    return Repeat(context.plan.seconds, kStride, [&](std::uint64_t n) {
      if (context.store.Get(Key::Random(context.plan.keys + Mix(n) % context.plan.keys), &value)) {
        Die("read_missing", "a key that nobody put is there", "draw " + std::to_string(n));
      }
    });
  });
}

Timing ReadZipf(Context& context) {
  const std::vector<std::uint32_t> draws = ZipfDraws(context.plan.keys);
  std::string value;
  const auto read = [&](std::uint64_t n) {
    if (!context.store.Get(Key::Random(draws[n % draws.size()]), &value)) {
      Die("read_zipf", "a key is lost", "draw " + std::to_string(n));
    }
  };
  Repeat(context.plan.seconds / 4, kStride, read);
  return Timed(1, [&](unsigned) { return Repeat(context.plan.seconds, kStride, read); });
}

// Whole scans; an operation is a key.
Timing ScanAll(Context& context) {
  return Timed(1, [&](unsigned) {
    std::uint64_t keys = 0;
    std::uint64_t sum = 0;
    Repeat(context.plan.seconds, 1, [&](std::uint64_t) {
      const std::uint64_t before = keys;
      context.store.Scan([&](std::string_view key, std::string_view value) {
        ++keys;
        sum += static_cast<unsigned char>(key.back()) + value.size() +
               static_cast<unsigned char>(value.empty() ? 0 : value.back());
      });
      if (keys - before != context.plan.keys) {
        Die("scan", "keys seen", std::to_string(keys - before));
      }
    });
    if (sum == 0) Die("scan", "nothing seen", "the sum of what was read is 0");
    return keys;
  });
}

void ReadStep(Context& context) {
  const Values values(context.plan.value_bytes);
  context.store.Open(context.directory, {});
  Settle();
  Touch(context.directory);
  ReadBack(context, values, context.plan.keys, 0);  // fills caches and mappings, and checks
  if (context.Wants("read_random")) {
    context.Report("read_random", ReadEvenly(context, 1, context.plan.keys));
  }
  if (context.Wants("read_threads")) {
    context.Report("read_threads", ReadEvenly(context, context.plan.threads, context.plan.keys));
  }
  if (context.Wants("read_missing")) context.Report("read_missing", ReadMissing(context));
  if (context.Wants("read_zipf")) context.Report("read_zipf", ReadZipf(context));
  if (context.Wants("scan")) context.Report("scan", ScanAll(context));
  if (context.Wants("scan_merged")) {
    context.store.Merge(Pace::kAlone);  // what cannot be merged is scanned as it is
    Settle();
    Touch(context.directory);
    context.Report("scan_merged", ScanAll(context));
  }
  context.store.Close();
}

void FillLargeStep(Context& context) {
  const Values values(kLargeValueBytes);
  context.store.Open(context.directory, {});
  const std::uint64_t keys = LargeKeys(context.plan);
  context.Report("fill_4k", Timed(1, [&](unsigned) {
                   FillRandom(context, values, keys);
                   return keys;
                 }));
  context.store.Close();
}

void ReadLargeStep(Context& context) {
  const Values values(kLargeValueBytes);
  context.store.Open(context.directory, {});
  Settle();
  Touch(context.directory);
  const std::uint64_t keys = LargeKeys(context.plan);
  ReadBack(context, values, keys, 0);
  context.Report("read_4k", ReadEvenly(context, 1, keys));
  context.store.Close();
}

}  // namespace

Series RandomSeries() {
  return {{{"fill_random", "ram_random"}, FillRandomStep},
          {{"read_random", "read_threads", "read_missing", "read_zipf", "scan", "scan_merged"},
           ReadStep}};
}
Series LargeSeries() {
  return {{{"fill_4k"}, FillLargeStep}, {{"read_4k"}, ReadLargeStep}};
}

}  // namespace weir::bench
