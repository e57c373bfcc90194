// Rows of a convolution that reads plain NCHW and writes NCHWc, for those who run it.
#pragma once

#include <vector>

#include "kernels/conv/conv_driver.h"
#include "kernels/conv/direct.simd.h"
#include "kernels/conv/source_window.h"

namespace mini_infer {

class StemRows {
 public:
  // For at most `rows` rows of output at a time.
  StemRows(const ConvShape& shape, std::int64_t rows, Isa isa);

  std::int64_t tap_count() const { return static_cast<std::int64_t>(taps_.size()); }
  std::int64_t window_floats() const { return s_.ic * window_.plane(); }
  // Copies what rows of the output read of an image.
  void copy(const float* image, Span rows, float* window) const {
    window_.copy(image, s_.ic, rows.first, rows.count(), window);
  }
  // `rows` rows of output from a window; weights, output and epilogue are left to the caller.
  DirectBlock block(const float* window, std::int64_t rows) const;
  void run(const DirectBlock& block) const { kernel_(block); }

 private:
  ConvShape s_;
  simd::direct_conv_plain_f32_fn* kernel_;
  int lanes_;
  std::int64_t step_;  // floats between the inputs of neighbouring outputs
  SourceWindow window_;
  std::vector<std::ptrdiff_t> taps_;
};

}  // namespace mini_infer
