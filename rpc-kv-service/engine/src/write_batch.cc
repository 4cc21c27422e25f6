#include "weir/kv/write_batch.h"

namespace weir::kv {

void WriteBatch::Put(std::string_view key, std::string_view value) {
  PutUntil(key, value, 0);
}

void WriteBatch::PutUntil(std::string_view key, std::string_view value, std::uint64_t expiry_ms) {
  entries_.push_back({bytes_.size(), key.size(), value.size(), false, expiry_ms});
  bytes_.append(key).append(value);
}

void WriteBatch::Delete(std::string_view key) {
  entries_.push_back({bytes_.size(), key.size(), 0, true, 0});
  bytes_.append(key);
}

void WriteBatch::AddRequired(Require require, std::string_view key, std::string_view value,
                             std::uint64_t seq) {
  conditions_.push_back({bytes_.size(), key.size(), value.size(), require, seq});
  bytes_.append(key).append(value);
}

void WriteBatch::RequireAbsent(std::string_view key) {
  AddRequired(Require::kAbsent, key, {}, 0);
}

void WriteBatch::RequireSeq(std::string_view key, std::uint64_t seq) {
  AddRequired(Require::kSeq, key, {}, seq);
}

void WriteBatch::RequireValue(std::string_view key, std::string_view value) {
  AddRequired(Require::kValue, key, value, 0);
}

void WriteBatch::Clear() noexcept {
  bytes_.clear();
  entries_.clear();
  conditions_.clear();
}

WriteBatch::Condition WriteBatch::condition(std::size_t i) const noexcept {
  const Required& required = conditions_[i];
  const std::string_view bytes = bytes_;
  return {required.require, bytes.substr(required.offset, required.key_size),
          bytes.substr(required.offset + required.key_size, required.value_size), required.seq};
}

WriteBatch::Operation WriteBatch::operator[](std::size_t i) const noexcept {
  const Entry& entry = entries_[i];
  const std::string_view bytes = bytes_;
  return {entry.is_delete, bytes.substr(entry.offset, entry.key_size),
          bytes.substr(entry.offset + entry.key_size, entry.value_size), entry.expiry_ms};
}

}  // namespace weir::kv
