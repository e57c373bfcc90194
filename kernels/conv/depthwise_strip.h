// Strips of some columns of output of a depthwise convolution, which are gone down row by row with
// the filter in registers. Included by *.simd.cc only.
#pragma once

#include "kernels/conv/depthwise.simd.h"
#include "kernels/conv/tile.h"

namespace mini_infer::simd::MINI_ISA {

// Columns of a band of rows.
struct DepthwiseStrip {
  const float* input;  // what output row 0 reads with its first taps; may lie outside of the image
  int ix, iy;          // column and row there
  int rows;            // of output
  const float* residual;
  float* output;
  Vec bias, slope;
};

// body(strip, columns of output), for bands of at most `rows` rows of strips of at most `columns`;
// what a strip stores is finished here where registers are not enough for it.
template <class Body>
MINI_INLINE void for_each_strip(const DepthwiseRows& r, int rows, int columns, Body&& body) {
  DepthwiseStrip s{};
  s.bias = bias_of(r.epilogue, r.first_channel, r.channels);
  s.slope = slopes_of(r.epilogue, r.first_channel, r.channels);
  const auto band = [&](int row, int count) {
    const int oy = r.first_row + row;
    s.rows = count;
    s.iy = oy * r.stride_h - r.pad_top;
    const std::ptrdiff_t first = std::ptrdiff_t{oy} * r.ow * kLanes;
    const auto strip = [&](int ox, int width) {
      s.ix = ox * r.stride_w - r.pad_left;
      s.input = r.input + (std::ptrdiff_t{s.iy} * r.iw + s.ix) * kLanes;
      s.output = r.output + first + ox * kLanes;
      s.residual = r.residual == nullptr ? nullptr : r.residual + first + ox * kLanes;
      body(s, width);
    };
    Runs(r.ow, columns).for_each(strip, r.inwards);
    if (r.epilogue.kind == EpilogueKind::kOther) {
      finish_stored(r.epilogue, r.residual == nullptr ? nullptr : r.residual + first,
                    r.output + first, 1, count * r.ow, 0);
    }
  };
  Runs(r.rows, rows).for_each(band, r.inwards);
}

}  // namespace mini_infer::simd::MINI_ISA
