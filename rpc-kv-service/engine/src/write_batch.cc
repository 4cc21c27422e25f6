#include "weir/kv/write_batch.h"

namespace weir::kv {

void WriteBatch::Put(std::string_view key, std::string_view value) {
  entries_.push_back({bytes_.size(), key.size(), value.size(), false});
  bytes_.append(key).append(value);
}

void WriteBatch::Delete(std::string_view key) {
  entries_.push_back({bytes_.size(), key.size(), 0, true});
  bytes_.append(key);
}

void WriteBatch::Clear() noexcept {
  bytes_.clear();
  entries_.clear();
}

WriteBatch::Operation WriteBatch::operator[](std::size_t i) const noexcept {
  const Entry& entry = entries_[i];
  const std::string_view bytes = bytes_;
  return {entry.is_delete, bytes.substr(entry.offset, entry.key_size),
          bytes.substr(entry.offset + entry.key_size, entry.value_size)};
}

}  // namespace weir::kv
