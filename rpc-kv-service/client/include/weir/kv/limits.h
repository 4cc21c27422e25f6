// How much travels in one message between a store and its clients.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weir::kv {

// Values from this size on travel as attachment, beside the message: they are then not copied into
// it and out of it, and its limit of 16 MiB does not count for them.
inline constexpr std::size_t kAttachFrom = 64 << 10;
// Largest value that travels, bytes: what a server and a channel accept as attachment by default.
inline constexpr std::size_t kMaxAttachedValue = 64 << 20;
// A page of a scan ends with the entry that reaches one of these. A larger value than kMaxPageValue
// is not in the page but fetched by itself.
inline constexpr std::uint32_t kMaxPageKeys = 10'000;
inline constexpr std::size_t kMaxPageBytes = 1 << 20;
inline constexpr std::size_t kMaxPageValue = 1 << 20;
inline constexpr std::uint32_t kMaxPageVisits = 100'000;  // keys looked at, the owner's or not

}  // namespace weir::kv
