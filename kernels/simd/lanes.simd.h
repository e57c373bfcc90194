#pragma once

#include "kernels/simd/kernel.h"

namespace mini_infer::simd {

// floats in a vector of this instruction set.
MINI_SIMD_KERNEL(float_lanes, int())

}  // namespace mini_infer::simd
