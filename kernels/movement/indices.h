// Checks of indices before they are used.
#pragma once

#include "kernels/movement/params.h"

namespace mini_infer {

// All `count` indices are in [-extent, extent-1]; the error names the first that is not.
inline Status check_indices(const void* indices, DType dtype, std::int64_t count,
                            std::int64_t extent, std::size_t axis) {
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t index = index_at(indices, dtype, i);
    if (index >= -extent && index < extent) continue;
    return error(Code::kInvalidArgument, "index ", index, " at position ", i, " is outside [",
                 -extent, ",", extent - 1, "] of axis ", axis);
  }
  return ok();
}

}  // namespace mini_infer
