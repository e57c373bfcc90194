// A plain NCHW input as the matrix [depth, pixels] of a convolution's GEMM, unrolled block by
// block.
#pragma once

#include "kernels/conv/geometry.h"
#include "kernels/gemm/gemm.h"

namespace mini_infer {

// What the unrolling of one image and group needs.
struct Columns {
  const ConvGeometry* g;
  const float* x;  // of the group's first channel
};

// A GemmPackFn whose context is Columns: pixels part.first to part.first + part.count, depth
// part.k0 to part.k0 + part.kc.
void unroll_columns(const void* context, const GemmPanels& part, float* out);

// Whether the matrix is the input as it lies.
bool is_pointwise(const ConvGeometry& g);

}  // namespace mini_infer
