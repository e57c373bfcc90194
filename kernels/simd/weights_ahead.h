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

  // One line each time: asking for a line again costs as much as asking for it first. Where one
  // tile has to fetch two lines a step, the cache brings the second as the other of a pair.
  MINI_INLINE void fetch() {
    __builtin_prefetch(at, 0, 2);
    at += step;
  }
};

}  // namespace mini_infer::simd::MINI_ISA
