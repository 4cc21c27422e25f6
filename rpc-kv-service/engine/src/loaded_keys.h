// The keys that recovery has found so far, and their newest records.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

namespace weir::kv {

class LoadedKeys {
 public:
  struct Record {
    std::uint64_t seq;
    std::uint64_t fid;
    std::uint64_t offset;
    std::uint32_t size;
    bool deleted;
    bool expires;
  };

  // The record with the highest (seq, fid, offset) wins, in whatever order they come.
  void Load(std::string_view key, const Record& record) {
    const auto [at, added] = records_.try_emplace(std::string(key), record);
    const auto place = [](const Record& r) { return std::tie(r.seq, r.fid, r.offset); };
    if (!added && place(record) > place(at->second)) at->second = record;
  }
  const std::map<std::string, Record>& records() const noexcept { return records_; }

 private:
  std::map<std::string, Record> records_;
};

}  // namespace weir::kv
