// Convolutions with narrow groups on blocked layouts.
#pragma once

#include <memory>

#include "kernels/conv/conv_algorithm.h"

namespace mini_infer {

// Neighbouring groups merged until each holds whole channel blocks, their weights set into a block
// diagonal of zeros: more multiplications, but whole vectors of them.
const char* expanded_conv_declines(const ConvShape& shape, Isa isa);
// The direct convolution that computes it, but that its last group may have fewer channels.
ConvShape expanded_shape(const ConvShape& shape, Isa isa);
std::unique_ptr<ConvAlgorithm> make_expanded_conv(const ConvShape& shape, Isa isa);

ConvShape merge_groups(ConvShape shape, std::int64_t merged);
// A direct convolution of `merged` groups at a time, all of whole channel blocks but the last; its
// weights are [oc][merged * ic / groups][kh][kw].
std::unique_ptr<ConvAlgorithm> make_merged_conv(const ConvShape& shape, std::int64_t merged,
                                                Isa isa);

}  // namespace mini_infer
