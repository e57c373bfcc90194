#include "kernels/conv/row_conv.simd.h"

#include "kernels/simd/vec.h"

namespace mini_infer::simd::MINI_ISA {
namespace {

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kAccumulators = 24;
#else
constexpr int kAccumulators = 12;
#endif

// `kVectors` vectors of outputs from x on, of which the last has `lanes` lanes.
template <int kChannels, int kVectors>
MINI_INLINE void compute_tile(const ConvRow& r, std::int64_t x, int lanes) {
  const auto load_at = [&](const float* p, int v) {
    return v + 1 < kVectors || lanes == kLanes ? load(p + v * kLanes) : load(p + v * kLanes, lanes);
  };
  Vec acc[kChannels][kVectors];
#pragma GCC unroll 4
  for (int c = 0; c < kChannels; ++c) {
    const Vec start = broadcast(r.bias != nullptr ? r.bias[c] : 0.f);
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) acc[c][v] = start;
  }
  const float* w = r.weights;
  for (std::int64_t tap = 0; tap < r.taps; ++tap, w += kChannels) {
    const float* source = r.source + x + r.offsets[tap];
    Vec in[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) in[v] = load_at(source, v);
#pragma GCC unroll 4
    for (int c = 0; c < kChannels; ++c) {
      const Vec weight = broadcast(w[c]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) acc[c][v] = fma(in[v], weight, acc[c][v]);
    }
  }
#pragma GCC unroll 4
  for (int c = 0; c < kChannels; ++c) {
    const std::ptrdiff_t at = c * r.plane + x;
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      Vec sum = acc[c][v];
      if (r.residual != nullptr) sum = sum + load_at(r.residual + at, v);
      if (v + 1 < kVectors || lanes == kLanes) {
        store(r.out + at + v * kLanes, sum);
      } else {
        store(r.out + at + v * kLanes, sum, lanes);
      }
    }
  }
}

template <int kChannels>
void compute_row(const ConvRow& r) {
  constexpr int kMost = kAccumulators / kChannels < 8 ? kAccumulators / kChannels : 8;
  std::int64_t x = 0;
  for (; x + kMost * kLanes <= r.width; x += kMost * kLanes) {
    compute_tile<kChannels, kMost>(r, x, kLanes);
  }
  for (; x + 2 * kLanes <= r.width; x += 2 * kLanes) compute_tile<kChannels, 2>(r, x, kLanes);
  for (; x < r.width; x += kLanes) {
    const std::int64_t left = r.width - x;
    compute_tile<kChannels, 1>(r, x, left < kLanes ? static_cast<int>(left) : kLanes);
  }
}

}  // namespace

void conv_row_f32(const ConvRow& row) {
  switch (row.channels) {
    case 1:
      return compute_row<1>(row);
    case 2:
      return compute_row<2>(row);
    case 3:
      return compute_row<3>(row);
    default:
      return compute_row<4>(row);
  }
}

void take_every_f32(const float* x, std::int64_t stride, float* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = x[i * stride];
}

}  // namespace mini_infer::simd::MINI_ISA
