// Sequences of tensors. They exist inside a graph only: as inputs and outputs of a model they are
// refused.
//
// A sequence is a Tensor of this dtype and shape [n] whose data() is an array of n Tensors, which
// own their bytes.
#pragma once

#include <mini_infer/tensor.h>

namespace mini_infer {

inline constexpr DType kSequence = static_cast<DType>(100);

// Whether elements are objects: strings and sequences of tensors.
inline bool has_objects(DType dtype) { return dtype == DType::kString || dtype == kSequence; }

}  // namespace mini_infer
