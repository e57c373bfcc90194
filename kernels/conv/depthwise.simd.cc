#include "kernels/conv/depthwise.simd.h"

#include <utility>

#include "kernels/conv/depthwise_strided.h"
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
  const float* input;     // the row that kernel row 0 reads; may lie outside of the image
  int first_ky, last_ky;  // of the input rows counted from there, those in the image
  int ix;                 // column that the first output's first tap reads
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
// row, and each row of input serves kRows rows of output.
template <int kWidth, int kStride>
struct Columns {
  // weights: of the kernel row that this input row is for output row 0; null where it is none.
  // Output row 1 takes the kernel row before. Padding is less than kWidth (see run_known_width), so
  // that all columns but the first and the last few are inside.
  template <int kRows, int kFirst, int kLast, int kPixels, bool kEdge>
  static MINI_INLINE void accumulate(const DepthwiseRows& r, const float* row, int ix,
                                     const float* weights, Vec (&acc)[kRows][kPixels]) {
    Vec w[kRows][kWidth];
#pragma GCC unroll 2
    for (int j = kFirst; j < kLast; ++j) {
#pragma GCC unroll 8
      for (int kx = 0; kx < kWidth; ++kx) w[j][kx] = load(weights + (kx - j * kWidth) * kLanes);
    }
    // With stride 2 the odd columns, which meet every other tap, and then the even ones: a sum is
    // not added to twice in a row, which waits for the latency of multiply-adds (5x5: 12 % faster).
#pragma GCC unroll 2
    for (int phase = kStride - 1; phase >= 0; --phase) {
#pragma GCC unroll 32
      for (int x = phase; x < (kPixels - 1) * kStride + kWidth; x += kStride) {
        const bool inside = x >= kWidth - 1 && x <= (kPixels - 1) * kStride;
        const Vec v = inside ? load(row + x * kLanes) : load_column<kEdge>(r, row, ix, x);
#pragma GCC unroll 2
        for (int j = kFirst; j < kLast; ++j) {
#pragma GCC unroll 8
          for (int kx = phase; kx < kWidth; kx += kStride) {
            const int at = (x - kx) / kStride;
            if (x >= kx && at < kPixels) acc[j][at] = fma(v, w[j][kx], acc[j][at]);
          }
        }
      }
    }
  }
};

// Any kernel, stride and dilation: a load for each tap and pixel.
struct AnyColumns {
  template <int kRows, int kFirst, int kLast, int kPixels, bool kEdge>
  static MINI_INLINE void accumulate(const DepthwiseRows& r, const float* row, int ix,
                                     const float* weights, Vec (&acc)[kRows][kPixels]) {
    static_assert(kRows == 1);
    for (int kx = 0; kx < r.kw; ++kx) {
      const Vec w = load(weights + kx * kLanes);
#pragma GCC unroll 8
      for (int i = 0; i < kPixels; ++i) {
        acc[0][i] =
            fma(load_column<kEdge>(r, row, ix, kx * r.dilation_w + i * r.stride_w), w, acc[0][i]);
      }
    }
  }
};

using RunFn = void(const DepthwiseRows&, const Run&);

template <class Taps, int kRows, int kPixels, bool kEdge>
[[gnu::noinline]] void run_tile(const DepthwiseRows& r, const Run& at) {
  Vec acc[kRows][kPixels];
#pragma GCC unroll 2
  for (int j = 0; j < kRows; ++j) {
#pragma GCC unroll 8
    for (int i = 0; i < kPixels; ++i) acc[j][i] = at.bias;
  }
  const std::ptrdiff_t weights_row = std::ptrdiff_t{r.kw} * kLanes;
  const std::ptrdiff_t row = std::ptrdiff_t{r.dilation_h} * r.iw * kLanes;
  const float* weights = r.weights + at.first_ky * weights_row;
  const float* input = at.input + at.first_ky * row;
  if constexpr (kRows == 1) {
    for (int ky = at.first_ky; ky < at.last_ky; ++ky, weights += weights_row, input += row) {
      Taps::template accumulate<1, 0, 1, kPixels, kEdge>(r, input, at.ix, weights, acc);
    }
  } else {
    // Input rows 0 .. kh: the first is of output row 0 only, the last of output row 1 only.
    int ky = at.first_ky;
    if (ky == 0) {
      Taps::template accumulate<2, 0, 1, kPixels, kEdge>(r, input, at.ix, weights, acc);
      ++ky, weights += weights_row, input += row;
    }
    const int both = at.last_ky < r.kh ? at.last_ky : r.kh;
    for (; ky < both; ++ky, weights += weights_row, input += row) {
      Taps::template accumulate<2, 0, 2, kPixels, kEdge>(r, input, at.ix, weights, acc);
    }
    if (at.last_ky > r.kh) {
      Taps::template accumulate<2, 1, 2, kPixels, kEdge>(r, input, at.ix, weights, acc);
    }
  }
#pragma GCC unroll 2
  for (int j = 0; j < kRows; ++j) {
    const std::ptrdiff_t offset = j * std::ptrdiff_t{r.ow} * kLanes;
    finish(r.epilogue, at.slope, acc[j], at.residual == nullptr ? nullptr : at.residual + offset,
           at.output + offset);
  }
}

template <class Taps, int kRows, bool kEdge>
struct RunTable {
  RunFn* fn[kMostPixels + 1] = {};
  template <int... kPixels>
  constexpr explicit RunTable(std::integer_sequence<int, kPixels...>)
      : fn{nullptr, &run_tile<Taps, kRows, kPixels + 1, kEdge>...} {}
  constexpr RunTable() : RunTable(std::make_integer_sequence<int, kMostPixels>()) {}
};

// Of `rows` input rows, dilation_h apart from iy on, those that are in the image.
MINI_INLINE void valid_rows(const DepthwiseRows& r, int iy, int rows, int& first, int& last) {
  if (r.dilation_h == 1) {
    first = iy >= 0 ? 0 : -iy;
    last = iy >= r.ih ? 0 : r.ih - iy;
  } else {
    first = iy >= 0 ? 0 : (-iy + r.dilation_h - 1) / r.dilation_h;
    last = iy >= r.ih ? 0 : (r.ih - iy + r.dilation_h - 1) / r.dilation_h;
  }
  if (last > rows) last = rows;
  if (first > last) first = last;
}

// Output rows oy .. oy + kRows - 1.
template <class Taps, int kRows>
MINI_INLINE void run_row(const DepthwiseRows& r, const Runs& runs, int oy, Run& at) {
  constexpr RunTable<Taps, kRows, false> kInside;
  constexpr RunTable<Taps, kRows, true> kBorder;
  const int extent = (r.kw - 1) * r.dilation_w + 1;
  const int iy = oy * r.stride_h - r.pad_top;
  valid_rows(r, iy, r.kh + kRows - 1, at.first_ky, at.last_ky);
  const std::ptrdiff_t out_row = std::ptrdiff_t{oy} * r.ow * kLanes;
  runs.for_each([&](int ox, int count) {
    at.ix = ox * r.stride_w - r.pad_left;
    at.input = r.input + (std::ptrdiff_t{iy} * r.iw + at.ix) * kLanes;
    at.output = r.output + out_row + ox * kLanes;
    at.residual = r.residual == nullptr ? nullptr : r.residual + out_row + ox * kLanes;
    const bool edge = at.ix < 0 || at.ix + (count - 1) * r.stride_w + extent > r.iw;
    (edge ? kBorder.fn : kInside.fn)[count](r, at);
  });
  if (r.epilogue.kind == EpilogueKind::kOther) {
    finish_stored(r.epilogue, r.residual == nullptr ? nullptr : r.residual + out_row,
                  r.output + out_row, 1, kRows * r.ow, 0);
  }
}

// kRows rows at a time where they share input rows.
template <class Taps, int kRows>
void run_rows(const DepthwiseRows& r) {
  Run at{};
  at.bias = bias_of(r.epilogue, r.first_channel, r.channels);
  at.slope = slopes_of(r.epilogue, r.first_channel, r.channels);
  const Runs runs(r.ow, kMostPixels);
  const int pieces = (r.rows + kRows - 1) / kRows;
  for (int step = 0; step < pieces; ++step) {
    const int row = piece_at(step, pieces, r.inwards) * kRows;
    if (kRows == 1 || row + kRows <= r.rows) {
      run_row<Taps, kRows>(r, runs, r.first_row + row, at);
    } else {
      run_row<Taps, 1>(r, runs, r.first_row + row, at);
    }
  }
}

// Two rows need twice the accumulators and weights.
template <int kWidth, int kStride>
void run_columns(const DepthwiseRows& r) {
  if (kStride == 1 && kRegisters == 32 && r.stride_h == 1 && r.dilation_h == 1) {
    run_rows<Columns<kWidth, kStride>, kRegisters == 32 ? 2 : 1>(r);
  } else {
    run_rows<Columns<kWidth, kStride>, 1>(r);
  }
}

template <int kStride>
bool run_known_width(const DepthwiseRows& r) {
  const bool first_outputs_reach_in = r.pad_left < r.kw;
  const bool last_outputs_reach_in = (r.ow - 1) * kStride - r.pad_left < r.iw;
  if (!first_outputs_reach_in || !last_outputs_reach_in) return false;
  switch (r.kw) {
    case 3:
      run_columns<3, kStride>(r);
      return true;
    case 5:
      run_columns<5, kStride>(r);
      return true;
    case 7:
      run_columns<7, kStride>(r);
      return true;
    default:
      return false;
  }
}

}  // namespace

void depthwise_conv_f32(const DepthwiseRows& rows) {
  if constexpr (DepthwiseStrided::kPays) {
    if (DepthwiseStrided::takes(rows)) return DepthwiseStrided::run(rows);
  }
  if (rows.dilation_w == 1 && rows.stride_w == 1 && run_known_width<1>(rows)) return;
  if (rows.dilation_w == 1 && rows.stride_w == 2 && run_known_width<2>(rows)) return;
  run_rows<AnyColumns, 1>(rows);
}

}  // namespace mini_infer::simd::MINI_ISA
