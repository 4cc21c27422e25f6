// Eight numbers side by side, in the compiler's own vector type: on x86-64 a pair of SSE2
// registers, or one of AVX2 where a function asks for that.
//
// What is to run at the processor's best is written once as an always-inline function over these
// types and called from two: one as the baseline compiles it, one with [[gnu::target("avx2")]].
// Both give the same answers.
#pragma once

#include <cstdint>

namespace weir {

using U32x8 [[gnu::vector_size(32)]] = std::uint32_t;
using I32x8 [[gnu::vector_size(32)]] = std::int32_t;
using F32x8 [[gnu::vector_size(32)]] = float;
using I16x8 [[gnu::vector_size(16)]] = std::int16_t;
inline constexpr std::uint32_t kLanes = 8;

inline bool HasAvx2() noexcept {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") != 0;
#else
  return false;
#endif
}

}  // namespace weir
