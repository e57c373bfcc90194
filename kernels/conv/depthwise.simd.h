// Depthwise convolution of rows of one channel block.
#pragma once

#include "kernels/conv/epilogue.h"
#include "kernels/simd/kernel.h"

namespace mini_infer {

struct DepthwiseRows {
  const float* input;     // [ih][iw][c]: one channel block of one image
  const float* weights;   // [kh][kw][c]; for Winograd [kh][kDepthwiseWinogradProducts][c]
  const float* residual;  // null, or like output
  float* output;          // [oh][ow][c]
  int first_channel;      // of this block
  int channels;           // that exist in this block
  int first_row, rows;    // output rows to compute
  int ih, iw, ow, kh, kw;
  int stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
  bool inwards;           // see piece_order.h
  ConvEpilogue epilogue;  // bias and slopes of all channels
};

// Products of a row of three taps for two outputs, by F(2, 3).
inline constexpr int kDepthwiseWinogradProducts = 4;

namespace simd {
MINI_SIMD_KERNEL(depthwise_conv_f32, void(const DepthwiseRows& rows))
// 3x3, stride 1, no dilation.
MINI_SIMD_KERNEL(depthwise_winograd_f32, void(const DepthwiseRows& rows))
}  // namespace simd
}  // namespace mini_infer
