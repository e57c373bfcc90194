// Convolutions with narrow groups on blocked layouts.
#pragma once

#include <memory>

#include "kernels/conv/conv_algorithm.h"

namespace mini_infer {

// Neighbouring groups merged until each holds whole channel blocks, their weights set into a block
// diagonal of zeros: more multiplications, but whole vectors of them.
const char* expanded_conv_declines(const ConvShape& shape, Isa isa);
// The direct convolution that computes it.
ConvShape expanded_shape(ConvShape shape, Isa isa);
std::unique_ptr<ConvAlgorithm> make_expanded_conv(const ConvShape& shape, Isa isa);

}  // namespace mini_infer
