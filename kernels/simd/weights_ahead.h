// Prefetching of packed weights. Included by *.simd.cc only.
#pragma once

#include "kernels/simd/vec.h"

namespace mini_infer::simd::MINI_ISA {

// Fetches the weights of the next panel into the L2 cache while the tiles of this one are computed,
// evenly: the first tile alone would wait for what comes from memory, and the others leave it idle.
struct WeightsAhead {
  const float* at;
  std::ptrdiff_t step;  // for each step

  // The share of tile `index` of `tiles`, which take `depth` steps each, of depth * kFloats floats.
  template <int kFloats>
  static MINI_INLINE WeightsAhead of_tile(const float* next, std::ptrdiff_t depth, int tiles,
                                          int index) {
    const std::ptrdiff_t step = tiles < kFloats ? (kFloats + tiles - 1) / tiles : 1;
    const std::ptrdiff_t first = index * step;
    if (first >= kFloats) return {next, 0};
    return {next + first * depth, step};
  }

  template <int kFloats>
  MINI_INLINE void fetch() {
    constexpr int kLine = 16;
#pragma GCC unroll 4
    for (int i = 0; i < kFloats; i += kLine) __builtin_prefetch(at + i, 0, 2);
    at += step;
  }
};

}  // namespace mini_infer::simd::MINI_ISA
