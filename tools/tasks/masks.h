// Masks of objects as YOLACT introduced them (arXiv 1904.02689): the network gives prototypes, and
// for each object what share each of them has in its mask.
#pragma once

#include "tools/tasks/boxes.h"

namespace mini_infer::tools {

// The number of prototypes when `output` is [1,P,H/4,W/4] of the input's HxW; else 0.
std::int64_t prototype_count(const ValueInfo& output, const Network& network);

// Gives every object (in pixels of the input; `row` says which of `rows`) its mask, in pixels of
// the picture: where the sigmoid of the sum of prototypes, weighted by the columns from `first` on,
// is above one half, inside the object's box. Masks of more than 256 million pixels in all are not
// made.
Status add_masks(std::vector<Object>& objects, const Rows& rows, std::size_t first,
                 const Tensor& prototypes, const Decoding& decoding);

}  // namespace mini_infer::tools
