// Kernels that compute convolutions of any floating dtype by their definition, on plain layouts.
#pragma once

#include "kernels/conv/conv_node.h"

namespace mini_infer {

// Inputs 0 and 1 are x and w. Sums are in double.
PreparedKernel reference_conv(const PrepareContext& c, const ConvGeometry& g, const ConvEnd& end);
PreparedKernel reference_conv_transpose(const PrepareContext& c, const ConvGeometry& g,
                                        const ConvEnd& end);

}  // namespace mini_infer
