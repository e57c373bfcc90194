#include "kernels/simd/lanes.simd.h"

#include "kernels/simd/vec.h"

namespace mini_infer::simd::MINI_ISA {

int float_lanes() { return kLanes; }

}  // namespace mini_infer::simd::MINI_ISA
