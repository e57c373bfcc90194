// StridedCopy: the loop nest behind Transpose, Slice, Expand, Tile, Concat, Split, Pad,
// DepthToSpace and other operators that only move elements.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/kernel_context.h"

namespace mini_infer {

// out[out_offset + sum i_k * out_k] = in[in_offset + sum i_k * in_k] for all 0 <= i_k < extent_k.
// Strides and offsets count elements; strides may be zero (input) or negative.
class StridedCopy {
 public:
  struct Axis {
    std::int64_t extent, in, out;
  };

  StridedCopy() = default;
  // The author of `axes` answers for all places being inside both tensors. No two elements are
  // written to one place.
  explicit StridedCopy(std::vector<Axis> axes, std::int64_t in_offset = 0,
                       std::int64_t out_offset = 0);

  // Nothing happens where `in` and `out` already are the same memory and the copy would be one run.
  void run(const KernelContext& k, DType dtype, const void* in, void* out) const;

  // The copy is one contiguous run of elements: the output may be a view of the input.
  bool one_run() const;
  std::int64_t in_offset() const { return in_offset_; }
  std::int64_t elements() const { return elements_; }
  // How it runs, for the kernel's name: "run", "rows", "tiles", "fill" or "strided".
  std::string kind() const;

 private:
  template <class T>
  void run_as(const KernelContext& k, const T* in, T* out) const;
  template <class T>
  void run_items(Range items, const T* in, T* out) const;

  std::vector<Axis> outer_;  // without extents of 1, neighbours merged
  Axis row_{1, 0, 0};        // the inner two loops; in tiles row_.in == 1 and col_.out == 1
  Axis col_{1, 0, 0};
  std::int64_t item_rows_ = 1;
  std::int64_t in_offset_ = 0;
  std::int64_t out_offset_ = 0;
  std::int64_t elements_ = 0;
};

// Row-major strides in elements.
std::vector<std::int64_t> strides_of(const Shape& shape);
// The axes of a whole tensor of `shape`, both sides row-major.
std::vector<StridedCopy::Axis> dense_axes(const Shape& shape);

}  // namespace mini_infer
