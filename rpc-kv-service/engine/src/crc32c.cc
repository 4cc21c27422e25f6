#include "crc32c.h"

#include <isa-l/crc.h>

#include <algorithm>

#include "coding.h"

namespace weir::kv {
namespace {

unsigned int ExtendByLibrary(std::string_view bytes, std::uint32_t state) noexcept {
  // The library takes no const pointer and counts in int, but does not write.
  return crc32_iscsi(reinterpret_cast<unsigned char*>(const_cast<char*>(bytes.data())),
                     static_cast<int>(bytes.size()), state);
}

#if defined(__x86_64__)
// Below this many bytes the library is slower than one instruction for every eight: it works on
// blocks of 256 bytes and prepares for them at every call (16 bytes: 3 ns against 24).
constexpr std::size_t kShort = 256;

const bool has_sse42 = __builtin_cpu_supports("sse4.2") != 0;

__attribute__((target("sse4.2"))) inline std::uint32_t ExtendShort(std::string_view bytes,
                                                                   std::uint32_t state) noexcept {
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t wide = state;
  for (; left >= 8; left -= 8, at += 8) {
    wide = __builtin_ia32_crc32di(wide, LoadFixed<std::uint64_t>(at));
  }
  state = static_cast<std::uint32_t>(wide);
  if ((left & 4) != 0) {
    state = __builtin_ia32_crc32si(state, LoadFixed<std::uint32_t>(at));
    at += 4;
  }
  if ((left & 2) != 0) {
    state = __builtin_ia32_crc32hi(state, LoadFixed<std::uint16_t>(at));
    at += 2;
  }
  if ((left & 1) != 0) state = __builtin_ia32_crc32qi(state, LoadFixed<std::uint8_t>(at));
  return state;
}

// From this size on the library, which cuts one input in three, is as fast as several abreast.
constexpr std::size_t kLong = 1024;

// The instruction takes three cycles, but one can be begun in each.
__attribute__((target("sse4.2"))) void ExtendAbreast(Crc32c::Extension* of) noexcept {
  static_assert(Crc32c::kAbreast == 4);
  const auto begin = [of](std::size_t i) -> std::uint64_t { return ~of[i].crc.Value(); };
  const char* const a = of[0].bytes.data();
  const char* const b = of[1].bytes.data();
  const char* const c = of[2].bytes.data();
  const char* const d = of[3].bytes.data();
  std::uint64_t wide[4] = {
      __builtin_ia32_crc32di(begin(0), of[0].number),
      __builtin_ia32_crc32di(begin(1), of[1].number),
      __builtin_ia32_crc32di(begin(2), of[2].number),
      __builtin_ia32_crc32di(begin(3), of[3].number),
  };
  std::size_t common =
      std::min({of[0].bytes.size(), of[1].bytes.size(), of[2].bytes.size(), of[3].bytes.size()});
  common -= common % 8;
  for (std::size_t at = 0; at < common; at += 8) {
    wide[0] = __builtin_ia32_crc32di(wide[0], LoadFixed<std::uint64_t>(a + at));
    wide[1] = __builtin_ia32_crc32di(wide[1], LoadFixed<std::uint64_t>(b + at));
    wide[2] = __builtin_ia32_crc32di(wide[2], LoadFixed<std::uint64_t>(c + at));
    wide[3] = __builtin_ia32_crc32di(wide[3], LoadFixed<std::uint64_t>(d + at));
  }
  for (std::size_t i = 0; i < 4; ++i) {
    const std::uint32_t state =
        ExtendShort(of[i].bytes.substr(common), static_cast<std::uint32_t>(wide[i]));
    of[i].crc = Crc32c::Of(~state);
  }
}
#else
constexpr std::size_t kLong = 0;
void ExtendAbreast(Crc32c::Extension*) noexcept {}
#endif

}  // namespace

Crc32c& Crc32c::Extend(std::string_view bytes) noexcept {
  if (bytes.size() < kShort && has_sse42) {
    state_ = ExtendShort(bytes, state_);
    return *this;
  }
  constexpr std::size_t kMost = 1 << 30;
  while (!bytes.empty()) {
    const std::size_t size = std::min(bytes.size(), kMost);
    state_ = ExtendByLibrary(bytes.substr(0, size), state_);
    bytes.remove_prefix(size);
  }
  return *this;
}

Crc32c& Crc32c::Extend(std::uint32_t value) noexcept {
  return Extend(std::string_view(reinterpret_cast<const char*>(&value), sizeof value));
}

Crc32c& Crc32c::Extend(std::uint64_t value) noexcept {
  return Extend(std::string_view(reinterpret_cast<const char*>(&value), sizeof value));
}

void Crc32c::ExtendEach(std::span<Extension> extensions) noexcept {
  const auto is_long = [](const Extension& each) { return each.bytes.size() >= kLong; };
  while (!extensions.empty()) {
    const auto group = extensions.first(std::min(kAbreast, extensions.size()));
    extensions = extensions.subspan(group.size());
    if (group.size() == kAbreast && has_sse42 &&
        std::none_of(group.begin(), group.end(), is_long)) {
      ExtendAbreast(group.data());
      continue;
    }
    for (Extension& each : group) each.crc.Extend(each.number).Extend(each.bytes);
  }
}

}  // namespace weir::kv
