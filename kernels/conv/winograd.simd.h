// Winograd convolution F(m x m, r x r) of NCHWc, F(4,3), F(2,3) or F(2,5): y = A' [sum over ic of
// (G w G') * (B' x B)] A on tiles of m x m outputs. Kernels of one row or column: F(4,3) along the
// other axis, tiles of 1 x m or m x 1.
//
// With stride 2 (of 3x3 kernels), on each axis taps 0 and 2 meet even inputs, which is F(m, 2), and
// tap 1 meets odd ones, which are taken as they are: m + 1 and m elements, the last m of them with
// the same filter.
#pragma once

#include "kernels/conv/border.h"
#include "kernels/conv/epilogue.h"
#include "kernels/simd/kernel.h"

namespace mini_infer {

// A kernel with dilation d meets inputs of one class modulo d only, on each axis: outputs of a tile
// are d apart. Tiles are numbered [image][slice of y][class of y][tiles_y][class of x][tiles_x]. e
// is an element of a transformed tile, on each axis one of m + r - 1, with stride 2 of 2 * m + 1. f
// is one of a transformed filter, on each axis one of m + r - 1.
struct WinogradMap {
  int ih, iw, oh, ow, pad_top, pad_left;
  int dilation_h, dilation_w;
  int tiles_y, tiles_x;  // of one class
  int slices;            // of the output's depth, 1 for 2-D
  Border border;
};

// v[e][block][tile][c] = B' x B for `tiles` tiles from first_tile on. Distances in floats.
struct WinogradInput {
  WinogradMap map;
  const float* input;  // first block of image 0
  std::ptrdiff_t image_stride;
  // The output's slice z meets slice first_slice + z * slice_step, zeros where there is none.
  int slices, first_slice, slice_step;
  int blocks;  // of input channels, slices * ih * iw * c apart
  std::ptrdiff_t first_tile;
  int tiles;
  float* v;
  std::ptrdiff_t v_element, v_block;
};

// Outputs of `tiles` tiles and some panels of 2 * c output channels from v.
struct WinogradOutput {
  WinogradMap map;
  const float* v;
  std::ptrdiff_t v_element, v_block;
  int channels, parts;  // input channels that exist, and how often their blocks are in v
  bool far;  // an element of all tiles is more than the L2 cache keeps for the next panel
  std::ptrdiff_t first_tile;
  int tiles;
  const float*
      weights;  // [panels][f][part][ic][2 * c]; the last panel is c wide when the blocks are odd
  int out_channels;  // that exist, from a panel on
  int panels_at_once;
  float* products;  // [e][panels_at_once][2][tiles][c]
  std::ptrdiff_t products_element;
  const float* residual;  // null, or like output
  float* output;          // first block here of image 0; blocks are slices * oh * ow * c apart
  std::ptrdiff_t output_image;
  ConvEpilogue epilogue;  // bias and slopes of the first output channel here
};

// Transformed filters of one input channel: packed[f * element + o] = (G w_o G')[f], in double.
inline constexpr int kWinogradFilters = 32;  // output channels of a panel, at most
inline constexpr int kWinogradTaps = 5;      // of one axis, at most
struct WinogradFilters {
  struct Axis {
    const double* transform;  // G, [rows][size]
    int rows, size;           // m + r - 1, and r
  };
  Axis y, x;
  double taps[kWinogradTaps * kWinogradTaps][kWinogradFilters];  // of each output channel's filter
  float* packed;
  std::ptrdiff_t element;
  int width;  // output channels that are written
};

namespace simd {
MINI_SIMD_KERNEL(winograd_filters_f64, void(const WinogradFilters& filters))
MINI_SIMD_KERNEL(winograd4_input_f32, void(const WinogradInput& in))
MINI_SIMD_KERNEL(winograd4_output_f32, void(const WinogradOutput& out))
MINI_SIMD_KERNEL(winograd4_row_input_f32, void(const WinogradInput& in))
MINI_SIMD_KERNEL(winograd4_row_output_f32, void(const WinogradOutput& out))
MINI_SIMD_KERNEL(winograd4_column_input_f32, void(const WinogradInput& in))
MINI_SIMD_KERNEL(winograd4_column_output_f32, void(const WinogradOutput& out))
MINI_SIMD_KERNEL(winograd2_input_f32, void(const WinogradInput& in))
MINI_SIMD_KERNEL(winograd2_output_f32, void(const WinogradOutput& out))
MINI_SIMD_KERNEL(winograd5_input_f32, void(const WinogradInput& in))
MINI_SIMD_KERNEL(winograd5_output_f32, void(const WinogradOutput& out))
MINI_SIMD_KERNEL(strided4_input_f32, void(const WinogradInput& in))
MINI_SIMD_KERNEL(strided4_output_f32, void(const WinogradOutput& out))
MINI_SIMD_KERNEL(strided4_row_input_f32, void(const WinogradInput& in))
MINI_SIMD_KERNEL(strided4_row_output_f32, void(const WinogradOutput& out))
MINI_SIMD_KERNEL(strided4_column_input_f32, void(const WinogradInput& in))
MINI_SIMD_KERNEL(strided4_column_output_f32, void(const WinogradOutput& out))
MINI_SIMD_KERNEL(strided2_input_f32, void(const WinogradInput& in))
MINI_SIMD_KERNEL(strided2_output_f32, void(const WinogradOutput& out))
}  // namespace simd
}  // namespace mini_infer
