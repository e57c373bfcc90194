// The part of an image that a block of output rows reads, copied with its borders to scratch.
// Columns can be sorted by their remainder modulo the stride: then every tap is a fixed distance
// and neighbouring outputs read neighbouring pixels.
//
//   window: [planes][rows][phases][pitch] pixels of `lanes` floats, where
//   input column ix = j * phases + phase - pad_left
#pragma once

#include <cstddef>
#include <vector>

#include "kernels/conv/conv_shape.h"

namespace mini_infer {

class SourceWindow {
 public:
  enum class Columns { kSorted, kInOrder };

  // Windows for at most `out_rows` rows of output; pixels have `lanes` floats.
  SourceWindow(const ConvShape& shape, std::int64_t out_rows, int lanes,
               Columns columns = Columns::kSorted);

  // Output rows whose window for `planes` planes fits in `bytes`, at least 1, chosen so that blocks
  // of the map are about equal.
  static std::int64_t rows_within(const ConvShape& shape, std::int64_t planes, int lanes,
                                  std::size_t bytes);

  // floats of one plane, and between the starts of two successive output rows.
  std::ptrdiff_t plane() const { return rows_ * row_; }
  std::ptrdiff_t output_row() const { return shape_.stride_h * row_; }
  // Distance of kernel element (ky, kx) from the first one, in floats.
  std::ptrdiff_t tap(std::int64_t ky, std::int64_t kx) const;
  // Copies what output rows [first, first + count) need of `planes` planes [ih][iw][lanes].
  void copy(const float* input, std::int64_t planes, std::int64_t first, std::int64_t count,
            float* window) const {
    copy_rows(input, planes, first * shape_.stride_h - shape_.pad_top, 1, count, window);
  }
  // The same where row r of the window is input row top + r * spacing.
  void copy_rows(const float* input, std::int64_t planes, std::int64_t top, std::int64_t spacing,
                 std::int64_t count, float* window) const;

 private:
  void copy_row(const float* input_row, float* row) const;
  // The columns of all phases from whole_first_ to whole_last_, a transposition.
  void copy_sorted(const float* input_row, float* row) const;
  // Columns [first, last) of a phase, all outside of the input; j reads input column
  // j * modulus + offset.
  void copy_border(const float* input_row, std::int64_t offset, std::int64_t first,
                   std::int64_t last, float* row) const;

  ConvShape shape_;
  int lanes_;
  std::int64_t modulus_;  // phase = column % modulus
  std::int64_t phases_, pitch_, rows_;
  std::ptrdiff_t row_;  // floats of a row of all phases
  // Where single floats are sorted: columns of a phase that are in the image in every phase.
  std::int64_t whole_first_ = 0, whole_last_ = 0;
  std::vector<unsigned char> phase_used_;  // by some kernel column
};

}  // namespace mini_infer
