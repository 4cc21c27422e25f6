// An ordered map from 16-byte keys to locations, as bench-index measures it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "location.h"

namespace weir::bench {

using Entry = std::pair<std::string_view, kv::Location>;

class MeasuredMap {
 public:
  virtual ~MeasuredMap() = default;
  virtual void Put(std::string_view key, const kv::Location& location) = 0;
  virtual void PutBatch(std::span<const Entry> entries) {
    for (const auto& [key, location] : entries) Put(key, location);
  }
  virtual void Erase(std::string_view key) = 0;
  // The map is empty, the entries are in order.
  virtual void Load(std::span<const Entry> entries) { PutBatch(entries); }
  virtual bool Find(std::string_view key, kv::Location& location) const = 0;
  // Goes through all in order; returns how many there are. `sum` takes something of each.
  virtual std::uint64_t Scan(std::uint64_t& sum) const = 0;
};

struct Candidate {
  std::string name;
  std::function<std::unique_ptr<MeasuredMap>()> make;
};

// One of the standard's interface, whose keys are made from a string_view.
template <class Map>
class StandardMap final : public MeasuredMap {
 public:
  using Key = typename Map::key_type;
  void Put(std::string_view key, const kv::Location& location) override {
    map_[Key(key)] = location;
  }
  void Erase(std::string_view key) override { map_.erase(Key(key)); }
  void Load(std::span<const Entry> entries) override {
    for (const auto& [key, location] : entries) map_.emplace_hint(map_.end(), Key(key), location);
  }
  bool Find(std::string_view key, kv::Location& location) const override {
    const auto at = map_.find(Key(key));
    if (at == map_.end()) return false;
    location = at->second;
    return true;
  }
  std::uint64_t Scan(std::uint64_t& sum) const override {
    std::uint64_t count = 0;
    for (const auto& [key, location] : map_) {
      sum += static_cast<std::uint8_t>(std::string_view(key)[15]) + location.offset;
      ++count;
    }
    return count;
  }

 private:
  Map map_;
};

// In the order in which they are shown; one that is not installed is left out.
std::vector<Candidate> Candidates();
std::vector<Candidate> AbslCandidates();

}  // namespace weir::bench
