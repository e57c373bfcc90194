// Between planes of one channel each and pixels of c channels.
#pragma once

#include "kernels/simd/kernel.h"

namespace mini_infer::simd {

// y[pixel][c] = x[channel * plane + pixel] for `pixels` pixels of one block with `channels` <= c
// channels; missing lanes become zero.
MINI_SIMD_KERNEL(block_channels_f32, void(const float* x, std::ptrdiff_t plane, int channels,
                                          std::ptrdiff_t pixels, float* y))
// The inverse: y[channel * plane + pixel] = x[pixel][c], for the channels that exist.
MINI_SIMD_KERNEL(unblock_channels_f32, void(const float* x, int channels, std::ptrdiff_t pixels,
                                            float* y, std::ptrdiff_t plane))

}  // namespace mini_infer::simd
