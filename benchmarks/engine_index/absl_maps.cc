#include <absl/container/btree_map.h>

#include <array>
#include <cstring>

#include "measured_map.h"

namespace weir::bench {
namespace {

// What a map could do that knows nothing but keys of 16 bytes.
class InlineKey {
 public:
  explicit InlineKey(std::string_view key) { std::memcpy(bytes_.data(), key.data(), 16); }
  operator std::string_view() const noexcept {  // NOLINT(google-explicit-constructor): it is one
    return {bytes_.data(), 16};
  }
  bool operator<(const InlineKey& other) const noexcept {
    return std::memcmp(bytes_.data(), other.bytes_.data(), 16) < 0;
  }

 private:
  std::array<char, 16> bytes_;
};

}  // namespace

std::vector<Candidate> AbslCandidates() {
  return {
      {"absl::btree_map<string>",
       [] { return std::make_unique<StandardMap<absl::btree_map<std::string, kv::Location>>>(); }},
      {"absl::btree_map<16 bytes>",
       [] { return std::make_unique<StandardMap<absl::btree_map<InlineKey, kv::Location>>>(); }}};
}

}  // namespace weir::bench
