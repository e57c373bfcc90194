#include "kernels/conv/depthwise.simd.h"

#include <utility>

#include "kernels/conv/tile.h"

namespace mini_infer::simd::MINI_ISA {
namespace {

// Enough accumulators to hide the latency of FMA; fewer where products need registers too.
#if defined(__SSE2__) && !defined(__FMA__)
constexpr int kMostPixels = 5;
#else
constexpr int kMostPixels = 8;
#endif

// A run of neighbouring outputs of one row, and the kernel rows that fall into the image.
struct Run {
  const float* input;    // the row that kernel row 0 reads; may lie outside of the image
  const float* weights;  // of kernel row first_ky
  int first_ky, last_ky;
  int ix;  // column that the first output's first tap reads
  Vec bias, slope;
  const float* residual;
  float* output;
};

// Column ix + x of a row, zero outside of the image.
template <bool kEdge>
MINI_INLINE Vec load_column(const DepthwiseRows& r, const float* row, int ix, int x) {
  if constexpr (kEdge) {
    if (static_cast<unsigned>(ix + x) >= static_cast<unsigned>(r.iw)) return zero();
  }
  return load(row + x * kLanes);
}

// Kernels of kWidth columns without dilation: every input column is loaded once for each kernel
// row.
template <int kWidth, int kStride>
struct Columns {
  template <int kPixels, bool kEdge>
  static MINI_INLINE void accumulate(const DepthwiseRows& r, const float* row, int ix,
                                     const float* weights, Vec (&acc)[kPixels]) {
    Vec w[kWidth];
#pragma GCC unroll 8
    for (int kx = 0; kx < kWidth; ++kx) w[kx] = load(weights + kx * kLanes);
#pragma GCC unroll 32
    for (int x = 0; x < (kPixels - 1) * kStride + kWidth; ++x) {
      const Vec v = load_column<kEdge>(r, row, ix, x);
#pragma GCC unroll 8
      for (int kx = 0; kx < kWidth; ++kx) {
        const int at = x - kx;
        if (at >= 0 && at % kStride == 0 && at / kStride < kPixels) {
          acc[at / kStride] = fma(v, w[kx], acc[at / kStride]);
        }
      }
    }
  }
};

// Any kernel, stride and dilation: a load for each tap and pixel.
struct AnyColumns {
  template <int kPixels, bool kEdge>
  static MINI_INLINE void accumulate(const DepthwiseRows& r, const float* row, int ix,
                                     const float* weights, Vec (&acc)[kPixels]) {
    for (int kx = 0; kx < r.kw; ++kx) {
      const Vec w = load(weights + kx * kLanes);
#pragma GCC unroll 8
      for (int i = 0; i < kPixels; ++i) {
        acc[i] = fma(load_column<kEdge>(r, row, ix, kx * r.dilation_w + i * r.stride_w), w, acc[i]);
      }
    }
  }
};

using RunFn = void(const DepthwiseRows&, const Run&);

template <class Taps, int kPixels, bool kEdge>
[[gnu::noinline]] void run_tile(const DepthwiseRows& r, const Run& at) {
  Vec acc[kPixels];
#pragma GCC unroll 8
  for (int i = 0; i < kPixels; ++i) acc[i] = at.bias;
  const float* weights = at.weights;
  for (int ky = at.first_ky; ky < at.last_ky; ++ky, weights += r.kw * kLanes) {
    const std::ptrdiff_t row = std::ptrdiff_t{ky} * r.dilation_h * r.iw * kLanes;
    Taps::template accumulate<kPixels, kEdge>(r, at.input + row, at.ix, weights, acc);
  }
  finish(r.epilogue, at.slope, acc, at.residual, at.output);
}

template <class Taps, bool kEdge>
struct RunTable {
  RunFn* fn[kMostPixels + 1] = {};
  template <int... kPixels>
  constexpr explicit RunTable(std::integer_sequence<int, kPixels...>)
      : fn{nullptr, &run_tile<Taps, kPixels + 1, kEdge>...} {}
  constexpr RunTable() : RunTable(std::make_integer_sequence<int, kMostPixels>()) {}
};

// Kernel rows that fall into the image when the first one reads row iy: those with 0 <= iy + ky *
// dilation < ih.
MINI_INLINE void valid_kernel_rows(const DepthwiseRows& r, int iy, int& first, int& last) {
  first = iy >= 0 ? 0 : (-iy + r.dilation_h - 1) / r.dilation_h;
  last = iy >= r.ih ? 0 : (r.ih - iy + r.dilation_h - 1) / r.dilation_h;
  if (last > r.kh) last = r.kh;
  if (first > last) first = last;
}

template <class Taps>
void run_rows(const DepthwiseRows& r) {
  constexpr RunTable<Taps, false> kInside;
  constexpr RunTable<Taps, true> kBorder;
  ChannelConstants constants;
  gather_constants(r.epilogue, 0, r.channels, constants);
  Run at{};
  at.bias = load(constants.bias);
  at.slope = load(constants.slopes);
  const int extent = (r.kw - 1) * r.dilation_w + 1;
  for (int oy = r.first_row; oy < r.first_row + r.rows; ++oy) {
    const int iy = oy * r.stride_h - r.pad_top;
    valid_kernel_rows(r, iy, at.first_ky, at.last_ky);
    at.weights = r.weights + at.first_ky * r.kw * kLanes;
    const std::ptrdiff_t out_row = std::ptrdiff_t{oy} * r.ow * kLanes;
    for_each_run(r.ow, kMostPixels, [&](int ox, int count) {
      at.ix = ox * r.stride_w - r.pad_left;
      at.input = r.input + (std::ptrdiff_t{iy} * r.iw + at.ix) * kLanes;
      at.output = r.output + out_row + ox * kLanes;
      at.residual = r.residual == nullptr ? nullptr : r.residual + out_row + ox * kLanes;
      const bool edge = at.ix < 0 || at.ix + (count - 1) * r.stride_w + extent > r.iw;
      (edge ? kBorder.fn : kInside.fn)[count](r, at);
    });
    if (r.epilogue.kind == EpilogueKind::kOther) {
      finish_stored(r.epilogue, r.residual == nullptr ? nullptr : r.residual + out_row,
                    r.output + out_row, r.ow);
    }
  }
}

template <int kStride>
bool run_known_width(const DepthwiseRows& r) {
  switch (r.kw) {
    case 3:
      run_rows<Columns<3, kStride>>(r);
      return true;
    case 5:
      run_rows<Columns<5, kStride>>(r);
      return true;
    case 7:
      run_rows<Columns<7, kStride>>(r);
      return true;
    default:
      return false;
  }
}

}  // namespace

void depthwise_conv_f32(const DepthwiseRows& rows) {
  if (rows.dilation_w == 1 && rows.stride_w == 1 && run_known_width<1>(rows)) return;
  if (rows.dilation_w == 1 && rows.stride_w == 2 && run_known_width<2>(rows)) return;
  run_rows<AnyColumns>(rows);
}

}  // namespace mini_infer::simd::MINI_ISA
