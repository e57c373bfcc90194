// What the operators share that compute a convolution and the depthwise one after it together, a
// part of the map between them at a time: inputs 0 to 4 are those of the depthwise convolution,
// whose input is the first one's; 5 to 7 are weights, bias and slopes of the first.
#pragma once

#include "kernels/conv/conv_driver.h"
#include "kernels/conv/conv_node.h"
#include "kernels/conv/depthwise.h"

namespace mini_infer {

enum FirstConvInput : int { kFirstW = 5, kFirstBias, kFirstSlopes };

// Rows of the map that are there: `count` from `top` on, planes of channel blocks `plane` floats
// apart.
struct MapRows {
  const float* data;
  std::int64_t top, count, plane;
};

struct FusedDepthwise {
  ConvShape shape;
  DepthwiseMethod method{};
  ConvEnd end;
  std::shared_ptr<const PackedBuffer> weights;

  // Rows of the map that output rows `rows` read.
  Span reads(Span rows) const;
  // At most, for `rows` rows of output.
  std::int64_t reach(std::int64_t rows) const;
  // Output rows `rows` of the channel blocks `blocks` of an image.
  void run(const KernelContext& k, const ConvArgs& end_args, std::int64_t image, Span rows,
           Span blocks, const MapRows& map) const;
};

// Of a map of that shape. An internal error where it is not a float32 depthwise convolution with
// constant weights.
Result<FusedDepthwise> prepare_fused_depthwise(const PrepareContext& c, const Shape& map);

// What make_epilogue() reads. One slope for all channels is spread over slopes[channels].
ConvArgs end_of(const KernelContext& k, const ConvEnd& end, std::int64_t channels, float* slopes);

// The weights in input `input` as an algorithm packs them.
std::shared_ptr<const PackedBuffer> packed_weights(const PrepareContext& c, std::size_t input,
                                                   const ConvAlgorithm& algorithm);

}  // namespace mini_infer
