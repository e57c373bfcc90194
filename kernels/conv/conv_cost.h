// Which of the algorithms that can compute a convolution is likely to be the fastest: estimates
// from its extents alone.
#pragma once

#include "kernels/conv/conv_shape.h"
#include "kernels/conv/geometry.h"
#include "kernels/simd/isa.h"

namespace mini_infer {

// Time on one thread, counted in multiply-adds of full register tiles: comparable between
// algorithms, on one instruction set.
double depthwise_conv_cost(const ConvShape& shape, Isa isa);
double depthwise_winograd_conv_cost(const ConvShape& shape, Isa isa);
double direct_conv_cost(const ConvShape& shape, Isa isa);
double strassen_conv_cost(const ConvShape& shape, Isa isa);
// F(tile x tile, taps x taps): F(4,3), F(2,3) or F(2,5).
double winograd_conv_cost(const ConvShape& shape, int tile, int taps, Isa isa);
double stem_winograd_conv_cost(const ConvShape& shape, Isa isa);
// On plain layouts.
double row_conv_cost(const ConvGeometry& geometry);
double im2col_conv_cost(const ConvGeometry& geometry);

}  // namespace mini_infer
