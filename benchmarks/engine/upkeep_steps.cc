// Opening, space, and what a merge costs those who use the store meanwhile.
#include <algorithm>
#include <atomic>
#include <thread>

#include "engine/step.h"

namespace weir::bench {
namespace {

constexpr std::size_t kBatch = 100;
constexpr std::uint64_t kSample = 17;  // one key of so many is read back
constexpr std::uint64_t kTenfold = 10;

void FillForOpening(Context& context, std::uint64_t keys) {
  const Values values(context.plan.value_bytes);
  context.store.Open(context.directory, {});
  FillBatches(context, values, keys, kBatch);
  Settle();
  context.store.Close();
}

// A store is open when it has answered: the first get is part of it.
Timing OpenAndGet(Context& context, std::uint64_t keys) {
  return Timed(1, [&](unsigned) {
    context.store.Open(context.directory, {});
    std::string value;
    if (!context.store.Get(Key::Random(keys / 2), &value)) Die("open", "a key is lost", "half way");
    return std::uint64_t{1};
  });
}

void OpenAndReport(Context& context, const std::string& the_case, std::uint64_t keys) {
  Touch(context.directory);
  const Memory before = MemoryInUse();
  const Timing first = OpenAndGet(context, keys);
  context.Report(the_case, "seconds", first.seconds);
  context.Report(the_case, "cpu_seconds", first.cpu_seconds);
  if (context.Wants("ram_loaded")) {
    Settle();
    context.ReportMemory("ram_loaded", before, keys);
  }
  context.store.Close();
  context.Report(the_case, "seconds_again", OpenAndGet(context, keys).seconds);
  context.store.Close();
}

void FillForOpenStep(Context& context) {
  FillForOpening(context, context.plan.keys);
}
void OpenStep(Context& context) {
  OpenAndReport(context, "open", context.plan.keys);
}
void FillTenfoldStep(Context& context) {
  FillForOpening(context, kTenfold * context.plan.keys);
}
void OpenTenfoldStep(Context& context) {
  OpenAndReport(context, "open_x10", kTenfold * context.plan.keys);
}

void SpaceStep(Context& context) {
  const Values values(context.plan.value_bytes);
  const auto live = static_cast<double>(context.plan.keys * (kKeyBytes + context.plan.value_bytes));
  const Written before = WrittenSoFar();
  const auto written = [&] {
    const Written now = WrittenSoFar();
    return static_cast<double>(context.store.writes_through_mapping()
                                   ? now.to_pages - before.to_pages
                                   : now.by_calls - before.by_calls);
  };
  const auto space = [&](std::string_view suffix = {}) {
    return static_cast<double>(DiskBytes(context.directory, suffix)) / live;
  };
  // With its parts, where the contestant's files tell them apart.
  const auto report_space = [&](const std::string& the_case) {
    context.Report(the_case, "bytes_per_byte", space());
    const auto hint_suffix = context.store.hint_suffix();
    if (hint_suffix.empty()) return;
    const double hints = space(hint_suffix);
    const double data = space(context.store.data_suffix());
    context.Report(the_case, "data_bytes_per_byte", data);
    context.Report(the_case, "hint_bytes_per_byte", hints);
    context.Report(the_case, "other_bytes_per_byte", space() - data - hints);
  };
  context.store.Open(context.directory, {.rewrites_a_lot = true});
  FillRandom(context, values, context.plan.keys);
  Settle();
  context.Report("written_fill", "bytes_per_byte", written() / live);
  if (const auto suffix = context.store.hint_suffix(); !suffix.empty()) {
    context.Report("written_fill", "hint_bytes_per_byte",
                   static_cast<double>(DiskBytes(context.directory, suffix)) / live);
  }
  double most = 0;
  constexpr unsigned kOverwrites = 3;
  for (unsigned version = 1; version <= kOverwrites; ++version) {
    Overwrite(context, values, version);
    most = std::max(most, space());
  }
  Settle();
  context.Report("written_overwrite", "bytes_per_byte", written() / live / (1 + kOverwrites));
  report_space("space");
  context.Report("space", "bytes_per_byte_at_most", most);
  context.store.Close();  // what is in memory or in an unfinished file is to be merged, too
  context.Report("space", "bytes_per_byte_closed", space());
  context.store.Open(context.directory, {.rewrites_a_lot = true});
  if (context.Wants("space_merged") && context.store.Merge(Pace::kAlone)) {
    Settle();
    report_space("space_merged");
    context.Report("space_merged", "written_bytes_per_byte", written() / live / (1 + kOverwrites));
  }
  ReadBack(context, values, context.plan.keys, kOverwrites, kSample);
  context.store.Close();
}

struct Load {
  Timing timing;
  Histogram latency;
};

// Calls `operation` until `done` says so after at least `seconds`.
template <class Operation>
Load Drive(double seconds, const std::atomic<bool>& done, Operation operation) {
  Load load;
  load.timing = Timed(1, [&](unsigned) {
    std::uint64_t i = 0;
    const auto one = [&](std::uint64_t) {
      AddLatency(load.latency, [&] { operation(i); });
      ++i;
    };
    do {
      Repeat(seconds, 16, one);
    } while (!done);
    return i;
  });
  return load;
}

// The same without a merge and while one runs.
template <class Operation>
void DriveBesideMerge(Context& context, const std::string& the_case, Operation operation) {
  const Load quiet = Drive(context.plan.seconds, true, operation);
  std::atomic<bool> done = false;
  bool merges = true;
  std::jthread merge([&] {
    merges = context.store.Merge(Pace::kBesideOthers);
    done = true;
  });
  const Load busy = Drive(0, done, operation);
  merge.join();
  if (!merges) return;
  context.Report(the_case, "ops_per_s_quiet", quiet.timing.PerSecond());
  context.Report(the_case, "ops_per_s", busy.timing.PerSecond());
  context.Report(the_case, "seconds", busy.timing.seconds);
  context.Report(the_case, quiet.latency, "_quiet");
  context.Report(the_case, busy.latency, "");
  context.Report(the_case, "rate_kept", busy.timing.PerSecond() / quiet.timing.PerSecond());
  context.Report(the_case, "p99_grown_to",
                 busy.latency.QuantileUs(0.99) / std::max(0.001, quiet.latency.QuantileUs(0.99)));
}

void MergeStep(Context& context) {
  const Values values(context.plan.value_bytes);
  context.store.Open(context.directory, {.automatic_merge = false, .rewrites_a_lot = true});
  const std::uint64_t keys = context.plan.keys;
  FillRandom(context, values, keys);
  // Half of it becomes garbage before each merge.
  const auto make_garbage = [&](std::uint64_t version) {
    for (std::uint64_t i = 0; i < keys; i += 2) {
      context.store.Put(Key::Random(i), values.Of(i, version));
    }
    Settle();
  };
  if (context.Wants("merge_put")) {
    make_garbage(1);
    DriveBesideMerge(context, "merge_put", [&](std::uint64_t n) {
      const std::uint64_t i = Mix(n) % keys;
      context.store.Put(Key::Random(i), values.Of(i, 2));
    });
    Settle();
  }
  if (context.Wants("merge_get")) {
    make_garbage(3);
    Touch(context.directory);
    std::string value;
    const auto get = [&](std::uint64_t n) {
      if (!context.store.Get(Key::Random(Mix(n) % keys), &value)) {
        Die("merge_get", "a key is lost", "draw " + std::to_string(n));
      }
    };
    for (std::uint64_t i = 0; i < keys; ++i) get(i);
    DriveBesideMerge(context, "merge_get", get);
  }
  context.store.Close();
}

}  // namespace

Series OpenSeries() {
  return {{{}, FillForOpenStep}, {{"open", "ram_loaded"}, OpenStep}};
}
Series OpenTenfoldSeries() {
  return {{{}, FillTenfoldStep}, {{"open_x10"}, OpenTenfoldStep}};
}
Series SpaceSeries() {
  return {{{"written_fill", "written_overwrite", "space", "space_merged"}, SpaceStep}};
}
Series MergeSeries() {
  return {{{"merge_put", "merge_get"}, MergeStep}};
}

}  // namespace weir::bench
