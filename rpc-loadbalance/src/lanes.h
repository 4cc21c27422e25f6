// Eight numbers side by side, in the compiler's own vector type: on x86-64 a pair of SSE2
// registers, or one of AVX2 where a function asks for that.
//
// What is to run at the processor's best is written once as an always-inline function over these
// types and called from two: one as the baseline compiles it, one with [[gnu::target(...)]]. Both
// give the same answers.
#pragma once

#include <cstdint>

namespace weir {

using U32x8 [[gnu::vector_size(32)]] = std::uint32_t;
using I32x8 [[gnu::vector_size(32)]] = std::int32_t;
using F32x8 [[gnu::vector_size(32)]] = float;
using I16x8 [[gnu::vector_size(16)]] = std::int16_t;
inline constexpr std::uint32_t kLanes = 8;

// What the processor can do. (A program's constructors may come before these are known; then they
// are false, which only costs time.)
#if defined(__x86_64__)
inline const bool kHasAvx2 = __builtin_cpu_supports("avx2") != 0;
// AVX2, and a pdep that is an instruction and not a loop in microcode.
inline const bool kHasAvx2AndBits = kHasAvx2 && __builtin_cpu_supports("bmi2") != 0 &&
                                    __builtin_cpu_supports("popcnt") != 0 &&
                                    !__builtin_cpu_is("znver1") && !__builtin_cpu_is("znver2");
#endif

}  // namespace weir
