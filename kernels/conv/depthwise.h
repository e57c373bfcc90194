// What computes a depthwise convolution by rows of one channel block, for those who run it.
#pragma once

#include <memory>

#include "kernels/conv/conv_algorithm.h"
#include "kernels/conv/depthwise.simd.h"

namespace mini_infer {

struct DepthwiseMethod {
  const char* name;  // of the algorithm: "conv/depthwise"
  Isa isa;
  std::int64_t filter;  // floats of a packed filter of one channel block
  simd::depthwise_conv_f32_fn* kernel;
  // Packs the filter of one channel: w [kh][kw] to every c-th float.
  void (*pack)(const ConvShape& shape, const float* w, float* packed, int lanes);
};

DepthwiseMethod depthwise_direct(const ConvShape& shape, Isa isa);
DepthwiseMethod depthwise_winograd(const ConvShape& shape, Isa isa);
// The one that conv_cost.h expects to be the faster of those that take the shape.
DepthwiseMethod depthwise_method(const ConvShape& shape, Isa isa);

std::unique_ptr<ConvAlgorithm> make_depthwise_with(const DepthwiseMethod& method,
                                                   const ConvShape& shape, Isa isa);

// All that holds for the whole layer but its epilogue.
DepthwiseRows depthwise_rows(const ConvShape& shape);

}  // namespace mini_infer
