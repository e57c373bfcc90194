#include "kernels/layout/reorder.simd.h"

#include "kernels/simd/vec.h"

namespace mini_infer::simd::MINI_ISA {

void block_channels_f32(const float* x, std::ptrdiff_t plane, int channels, std::ptrdiff_t pixels,
                        float* y) {
  Vec rows[kLanes];
  for (std::ptrdiff_t p = 0; p < pixels; p += kLanes) {
    const std::ptrdiff_t count = pixels - p;
    if (count >= kLanes) {
      if (channels == kLanes) {
#pragma GCC unroll 16
        for (int c = 0; c < kLanes; ++c) rows[c] = load(x + c * plane + p);
      } else {
        for (int c = 0; c < kLanes; ++c) rows[c] = c < channels ? load(x + c * plane + p) : zero();
      }
      transpose(rows);
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) store(y + (p + i) * kLanes, rows[i]);
    } else {
      const int n = static_cast<int>(count);
      for (int c = 0; c < kLanes; ++c) {
        rows[c] = c < channels ? load(x + c * plane + p, n) : zero();
      }
      transpose(rows);
      for (int i = 0; i < n; ++i) store(y + (p + i) * kLanes, rows[i]);
    }
  }
}

void unblock_channels_f32(const float* x, int channels, std::ptrdiff_t pixels, float* y,
                          std::ptrdiff_t plane) {
  Vec rows[kLanes];
  for (std::ptrdiff_t p = 0; p < pixels; p += kLanes) {
    const std::ptrdiff_t count = pixels - p;
    if (count >= kLanes) {
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) rows[i] = load(x + (p + i) * kLanes);
      transpose(rows);
      if (channels == kLanes) {
#pragma GCC unroll 16
        for (int c = 0; c < kLanes; ++c) store(y + c * plane + p, rows[c]);
      } else {
        for (int c = 0; c < channels; ++c) store(y + c * plane + p, rows[c]);
      }
    } else {
      const int n = static_cast<int>(count);
      for (int i = 0; i < kLanes; ++i) rows[i] = i < n ? load(x + (p + i) * kLanes) : zero();
      transpose(rows);
      for (int c = 0; c < channels; ++c) store(y + c * plane + p, rows[c], n);
    }
  }
}

}  // namespace mini_infer::simd::MINI_ISA
