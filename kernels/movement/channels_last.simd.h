#pragma once

#include "kernels/simd/kernel.h"

namespace mini_infer {

// Channels of a run of pixels of one image, from NCHWc to rows of their own:
//   y[p * channels + k] = channel first + k of pixel p
// Distances are in floats.
struct ChannelRows {
  const float* x;        // the run's first pixel in channel block 0
  std::ptrdiff_t plane;  // from a block of c channels to the next
  int first, channels;
  std::ptrdiff_t pixels;
  float* y;
};

// And back, for all channels of an image: channel k of pixel p = x[p * channels + k].
struct RowsOfChannels {
  const float* x;        // of the run's first pixel
  float* y;              // that pixel in channel block 0
  std::ptrdiff_t plane;  // from a block of c channels to the next
  int channels;
  std::ptrdiff_t pixels;
};

namespace simd {
MINI_SIMD_KERNEL(channel_rows_f32, void(const ChannelRows& rows))
MINI_SIMD_KERNEL(rows_of_channels_f32, void(const RowsOfChannels& rows))
}  // namespace simd
}  // namespace mini_infer
