// WriteBatch: several puts and deletes that become visible, and survive a crash, all or none, and
// the conditions under which they do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::kv {

// A value. Keeps its own copies of keys and values. When a key occurs more than once the last
// operation counts. Conditions are looked at before all operations, whatever their order, against
// the newest state, atomically with the commit; if one does not hold, nothing is written and the
// write ends with ABORTED. Limits (kMaxKeySize, kMaxValueSize) are checked by Store::Write.
class WriteBatch {
 public:
  struct Operation {
    bool is_delete;
    std::string_view key;         // into the batch
    std::string_view value;       // into the batch
    std::uint64_t expiry_ms = 0;  // milliseconds since 1970; 0: never
  };
  enum class Require : std::uint8_t { kAbsent, kSeq, kValue };
  struct Condition {
    Require require;
    std::string_view key;    // into the batch
    std::string_view value;  // into the batch; of kValue
    std::uint64_t seq;       // of kSeq
  };

  void Put(std::string_view key, std::string_view value);
  // The key vanishes at `expiry_ms`, milliseconds since 1970 (0: never).
  void PutUntil(std::string_view key, std::string_view value, std::uint64_t expiry_ms);
  void Delete(std::string_view key);
  // Conditions of the whole batch: the key is absent (or expired); it was last written by commit
  // `seq` (see Entry); it has this value.
  void RequireAbsent(std::string_view key);
  void RequireSeq(std::string_view key, std::uint64_t seq);
  void RequireValue(std::string_view key, std::string_view value);
  void Clear() noexcept;

  std::size_t count() const noexcept { return entries_.size(); }
  bool empty() const noexcept { return entries_.empty(); }
  // Bytes of keys and values held.
  std::size_t bytes() const noexcept { return bytes_.size(); }
  // The i-th operation, i < count(). Valid until the batch changes.
  Operation operator[](std::size_t i) const noexcept;
  std::size_t conditions() const noexcept { return conditions_.size(); }
  // The i-th condition, i < conditions(). Valid until the batch changes.
  Condition condition(std::size_t i) const noexcept;

 private:
  struct Entry {
    std::size_t offset;  // of the key in bytes_; the value follows it
    std::size_t key_size;
    std::size_t value_size;
    bool is_delete;
    std::uint64_t expiry_ms;
  };
  struct Required {
    std::size_t offset;  // of the key in bytes_; the value follows it
    std::size_t key_size;
    std::size_t value_size;
    Require require;
    std::uint64_t seq;
  };
  void AddRequired(Require require, std::string_view key, std::string_view value,
                   std::uint64_t seq);

  std::string bytes_;
  std::vector<Entry> entries_;
  std::vector<Required> conditions_;
};

}  // namespace weir::kv
