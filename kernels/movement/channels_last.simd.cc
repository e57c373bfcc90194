#include "kernels/movement/channels_last.simd.h"

#include <cstring>

#include "kernels/simd/vec.h"

namespace mini_infer::simd::MINI_ISA {
namespace {

// One pixel, neither reading nor writing beyond it.
void copy_exactly(const ChannelRows& r, const float* x, float* y) {
  for (int done = 0; done < r.channels;) {
    const int channel = r.first + done, lane = channel % kLanes;
    const int left = r.channels - done, count = kLanes - lane < left ? kLanes - lane : left;
    std::memcpy(y + done, x + channel / kLanes * r.plane + lane,
                static_cast<std::size_t>(count) * sizeof(float));
    done += count;
  }
}

}  // namespace

// Whole vectors, which reach beyond a pixel's rows: what they write there is written again by the
// pixels that follow, so the last ones are copied exactly.
void channel_rows_f32(const ChannelRows& r) {
  const int lane = r.first % kLanes;
  const float* x = r.x + r.first / kLanes * r.plane;
  float* y = r.y;
  std::ptrdiff_t p = 0;
  for (const std::ptrdiff_t whole = r.pixels - 1 - kLanes / r.channels; p < whole; ++p) {
    store(y, load(x + lane));
    const float* block = x;
    for (int done = kLanes - lane; done < r.channels; done += kLanes)
      store(y + done, load(block += r.plane));
    x += kLanes;
    y += r.channels;
  }
  for (; p < r.pixels; ++p) copy_exactly(r, r.x + p * kLanes, r.y + p * r.channels);
}

// Lanes past the last channel may hold anything: vectors reach into the next pixel's row, where
// there is one.
void rows_of_channels_f32(const RowsOfChannels& r) {
  float* block = r.y;
  for (int first = 0; first < r.channels; first += kLanes, block += r.plane) {
    const int left = r.channels - first;
    const std::ptrdiff_t last = r.pixels - 1;
    const float* x = r.x + first;
    // Rows behind this one have room for a vector.
    const std::ptrdiff_t whole = left >= kLanes ? r.pixels : last - kLanes / r.channels;
    std::ptrdiff_t p = 0;
    for (; p < whole; ++p) store(block + p * kLanes, load(x + p * r.channels));
    for (; p < r.pixels; ++p) store(block + p * kLanes, load(x + p * r.channels, left));
  }
}

}  // namespace mini_infer::simd::MINI_ISA
