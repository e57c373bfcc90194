// Filters of a 1x1 convolution, multiplied by one number for each input channel.
#pragma once

#include <cstdint>

#include "kernels/simd/kernel.h"

namespace mini_infer {

struct FilterScaling {
  const float* filters;  // [channels][width]: a panel as pack_panels() writes it
  const float* scales;   // [channels]
  float* scaled;         // like filters
  std::int64_t channels;
  std::int64_t width;  // a multiple of c
};

namespace simd {
MINI_SIMD_KERNEL(scale_filters_f32, void(const FilterScaling& panel))
}  // namespace simd
}  // namespace mini_infer
