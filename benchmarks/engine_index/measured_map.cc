#include "measured_map.h"

#include <map>

#include "index.h"

namespace weir::bench {
namespace {

class NoUsage final : public kv::SegmentUsage {
 public:
  void AddLive(std::uint32_t, std::int64_t) override {}
};

class WeirIndex final : public MeasuredMap {
 public:
  void Put(std::string_view key, const kv::Location& location) override {
    const kv::Change change{key, location};
    index_.Apply({&change, 1});
  }
  void PutBatch(std::span<const Entry> entries) override {
    changes_.clear();
    for (const auto& [key, location] : entries) changes_.push_back({key, location});
    index_.Apply(changes_);
  }
  void Erase(std::string_view key) override {
    const kv::Change change{key, {}, true};
    index_.Apply({&change, 1});
  }
  void Load(std::span<const Entry> entries) override {
    std::vector<kv::IndexBuilder> builders(1);
    for (const auto& [key, location] : entries) builders[0].Add(key, location);
    index_.Load(builders);
  }
  bool Find(std::string_view key, kv::Location& location) const override {
    const auto pin = epochs_.Enter();
    const auto found = index_.Find(pin, key);
    if (found) location = *found;
    return found.has_value();
  }
  std::uint64_t Scan(std::uint64_t& sum) const override {
    constexpr std::size_t kPortion = 256;
    kv::IndexPortion portion;
    std::string last;
    kv::IndexRange range;
    std::uint64_t count = 0;
    do {
      const auto pin = epochs_.Enter();
      index_.Collect(pin, range, kv::kNewest, kPortion, portion);
      for (std::size_t i = 0; i < portion.size(); ++i) {
        sum += static_cast<std::uint8_t>(portion.key(i)[15]) + portion.location(i).offset;
      }
      count += portion.size();
      if (portion.size() > 0) last = portion.key(portion.size() - 1);
      range.start = last;
      range.behind_start = true;
    } while (portion.size() == kPortion);
    return count;
  }

 private:
  kv::Epochs epochs_;
  NoUsage usage_;
  kv::Index index_{epochs_, usage_};
  std::vector<kv::Change> changes_;
};

}  // namespace

std::vector<Candidate> Candidates() {
  std::vector<Candidate> candidates{
      {"weir", [] { return std::make_unique<WeirIndex>(); }},
      {"std::map<string>",
       [] { return std::make_unique<StandardMap<std::map<std::string, kv::Location>>>(); }}};
  for (Candidate& candidate : AbslCandidates()) candidates.push_back(std::move(candidate));
  return candidates;
}

}  // namespace weir::bench
