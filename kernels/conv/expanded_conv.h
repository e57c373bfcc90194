// Convolutions with narrow groups on blocked layouts: neighbouring groups are merged until each
// holds whole channel blocks, their weights set into a block diagonal of zeros. More
// multiplications, but whole vectors of them.
#pragma once

#include <memory>

#include "kernels/conv/conv_algorithm.h"

namespace mini_infer {

// How many neighbouring groups make whole channel blocks on both sides, or all of them.
std::int64_t merged_groups(const ConvShape& shape, Isa isa);
// The convolution of those, but that its last group may have fewer channels.
ConvShape expanded_shape(const ConvShape& shape, Isa isa);

// Makes an algorithm for `merged` groups at a time, all of whole channel blocks but the last; its
// weights are [oc][merged * ic / groups][kh][kw].
using MakeMerged = std::unique_ptr<ConvAlgorithm>(const ConvShape& shape, std::int64_t merged,
                                                  Isa isa);
MakeMerged make_merged_direct;

// What takes the weights of `shape` as they are: `make`'s algorithm, behind the merging where
// groups are narrow. It is called `name`, or as the algorithm.
std::unique_ptr<ConvAlgorithm> expand_groups(const ConvShape& shape, Isa isa, MakeMerged* make,
                                             const char* name = nullptr);

// The direct convolution that way.
const char* expanded_conv_declines(const ConvShape& shape, Isa isa);
std::unique_ptr<ConvAlgorithm> make_expanded_conv(const ConvShape& shape, Isa isa);

}  // namespace mini_infer
