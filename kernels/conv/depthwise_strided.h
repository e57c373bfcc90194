// Depthwise 3x3 kernels with stride 2. A strip of some columns of output is gone down row by row:
// the filter stays in registers, a row of input that two rows of output read is loaded once, and a
// row is ended while the next is multiplied. Included by *.simd.cc only.
#pragma once

#include "kernels/conv/depthwise_strip.h"

namespace mini_infer::simd::MINI_ISA {

struct DepthwiseStrided {
  static constexpr int kTaps = 3, kMostOut = 4;
  // With 16 registers it does not (AVX2: 10 % slower); on NEON it was not measured.
#if defined(__AVX512F__)
  static constexpr bool kPays = true;
#else
  static constexpr bool kPays = false;
#endif

  // A row of input, of which only the first and the last column may lie outside of the image.
  template <int kOut>
  struct Columns {
    static constexpr int kCount = 2 * kOut + 1;
    const float *first, *middle, *last;
    std::ptrdiff_t first_step, step, last_step;

    MINI_INLINE Columns(const DepthwiseRows& r, const DepthwiseStrip& s) {
      alignas(64) static constexpr float kZeros[kLanes] = {};
      step = std::ptrdiff_t{r.iw} * kLanes;
      const bool first_inside = s.ix >= 0, last_inside = s.ix + kCount <= r.iw;
      middle = s.input;
      first = first_inside ? s.input : kZeros;
      first_step = first_inside ? step : 0;
      last = last_inside ? s.input + (kCount - 1) * kLanes : kZeros;
      last_step = last_inside ? step : 0;
    }
    MINI_INLINE void read(Vec (&x)[kCount]) const {
      x[0] = load(first);
      MINI_UNROLL
      for (int i = 1; i < kCount - 1; ++i) x[i] = load(middle + i * kLanes);
      x[kCount - 1] = load(last);
    }
    MINI_INLINE void next() {
      first += first_step;
      middle += step;
      last += last_step;
    }
  };

  // sums += the products of a row of input and a row of the filter.
  template <int kOut>
  static MINI_INLINE void add(const Vec (&x)[2 * kOut + 1], const Vec (&w)[kTaps],
                              Vec (&sums)[kOut]) {
    MINI_UNROLL
    for (int kx = 0; kx < kTaps; ++kx) {
      MINI_UNROLL
      for (int i = 0; i < kOut; ++i) sums[i] = fma(x[2 * i + kx], w[kx], sums[i]);
    }
  }

  template <int kOut>
  [[gnu::noinline]] static void run_strip(const DepthwiseRows& r, const DepthwiseStrip& s) {
    Vec w[kTaps][kTaps];
    MINI_UNROLL
    for (int k = 0; k < kTaps * kTaps; ++k) w[k / kTaps][k % kTaps] = load(r.weights + k * kLanes);
    Columns<kOut> columns(r, s);
    const auto inside = [&](int i) {
      return static_cast<unsigned>(s.iy + i) < static_cast<unsigned>(r.ih);
    };
    const auto start = [&](Vec(&sums)[kOut]) __attribute__((always_inline)) {
      MINI_UNROLL
      for (int i = 0; i < kOut; ++i) sums[i] = s.bias;
    };
    Vec x[2 * kOut + 1], sums[kOut], next[kOut];
    start(next);
    if (inside(0)) {
      columns.read(x);
      add(x, w[0], next);
    }
    columns.next();
    std::ptrdiff_t offset = 0;
    for (int row = 0; row < s.rows; ++row, offset += std::ptrdiff_t{r.ow} * kLanes) {
      MINI_UNROLL
      for (int i = 0; i < kOut; ++i) sums[i] = next[i];
      if (inside(2 * row + 1)) {
        columns.read(x);
        add(x, w[1], sums);
      }
      columns.next();
      start(next);
      if (inside(2 * row + 2)) {
        columns.read(x);
        add(x, w[2], sums);
        add(x, w[0], next);
      }
      columns.next();
      finish(r.epilogue, s.slope, sums, s.residual == nullptr ? nullptr : s.residual + offset,
             s.output + offset);
    }
  }

  // Whether padding leaves at most a column outside on each side.
  static bool takes(const DepthwiseRows& r) {
    const int behind = (r.ow - 1) * 2 - r.pad_left + kTaps - r.iw;
    return r.kw == kTaps && r.kh == kTaps && r.stride_w == 2 && r.stride_h == 2 &&
           r.dilation_w == 1 && r.dilation_h == 1 && r.pad_left <= 1 && behind <= 1 && r.iw > 1;
  }

  static void run(const DepthwiseRows& r) {
    using StripFn = void(const DepthwiseRows&, const DepthwiseStrip&);
    static constexpr StripFn* kStrips[kMostOut + 1] = {nullptr, &run_strip<1>, &run_strip<2>,
                                                       &run_strip<3>, &run_strip<4>};
    constexpr int kBandRows = 16;
    for_each_strip(r, kBandRows, kMostOut,
                   [&](const DepthwiseStrip& s, int columns) { kStrips[columns](r, s); });
  }
};

}  // namespace mini_infer::simd::MINI_ISA
