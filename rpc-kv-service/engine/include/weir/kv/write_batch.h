// WriteBatch: several puts and deletes that become visible, and survive a crash, all or none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::kv {

// A value. Keeps its own copies of keys and values. When a key occurs more than once the last
// operation counts. Limits (kMaxKeySize, kMaxValueSize) are checked by Store::Write.
class WriteBatch {
 public:
  struct Operation {
    bool is_delete;
    std::string_view key;    // into the batch
    std::string_view value;  // into the batch
  };

  void Put(std::string_view key, std::string_view value);
  void Delete(std::string_view key);
  void Clear() noexcept;

  std::size_t count() const noexcept { return entries_.size(); }
  bool empty() const noexcept { return entries_.empty(); }
  // Bytes of keys and values held.
  std::size_t bytes() const noexcept { return bytes_.size(); }
  // The i-th operation, i < count(). Valid until the batch changes.
  Operation operator[](std::size_t i) const noexcept;

 private:
  struct Entry {
    std::size_t offset;  // of the key in bytes_; the value follows it
    std::size_t key_size;
    std::size_t value_size;
    bool is_delete;
  };
  std::string bytes_;
  std::vector<Entry> entries_;
};

}  // namespace weir::kv
