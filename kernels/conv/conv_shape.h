// What a convolution is, free of the graph: the extents that algorithms are chosen and packed by.
#pragma once

#include <cstdint>

#include "kernels/conv/border.h"

namespace mini_infer {

// A third axis, outside of rows. What it has more than one of, slices, are images to 2-D
// algorithms.
struct ConvDepth {
  std::int64_t in = 1, out = 1, kernel = 1, stride = 1, dilation = 1, pad_front = 0;
  constexpr bool flat() const { return in == 1 && out == 1 && kernel == 1; }
};

// x: [n][ic][id][ih][iw], w: [oc][ic/groups][kd][kh][kw], y: [n][oc][od][oh][ow]. Algorithms that
// do not say that they take depth have none.
struct ConvShape {
  std::int64_t n = 1;
  std::int64_t ic = 1, ih = 1, iw = 1;
  std::int64_t oc = 1, oh = 1, ow = 1;
  std::int64_t kh = 1, kw = 1;
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t dilation_h = 1, dilation_w = 1;
  std::int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  std::int64_t groups = 1;
  Border border = Border::kZero;
  ConvDepth depth;
  bool scaled = false;  // the input's channels have factors; of direct 1x1 with one group only
};

// Sets oh and ow from everything else: floor((in + pads - extent of the kernel) / stride) + 1.
constexpr void set_output_extents(ConvShape& s) {
  s.oh = (s.ih + s.pad_top + s.pad_bottom - (s.kh - 1) * s.dilation_h - 1) / s.stride_h + 1;
  s.ow = (s.iw + s.pad_left + s.pad_right - (s.kw - 1) * s.dilation_w - 1) / s.stride_w + 1;
}

// Multiply-adds of the whole convolution.
constexpr double conv_macs(const ConvShape& s) {
  return static_cast<double>(s.n) * static_cast<double>(s.oc) * static_cast<double>(s.oh * s.ow) *
         static_cast<double>(s.ic / s.groups) * static_cast<double>(s.kh * s.kw) *
         static_cast<double>(s.depth.out * s.depth.kernel);
}

// Its work as parallel_for() counts it: multiply-adds on registers are quicker than elements
// touched.
constexpr double conv_work(const ConvShape& s) { return conv_macs(s) / 4; }

}  // namespace mini_infer
