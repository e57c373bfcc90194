#pragma once

#include "kernels/elementwise/tile.h"
#include "kernels/simd/kernel.h"

namespace mini_infer {

// Functions of two floats that have a vector kernel.
enum class BinaryKind : std::uint8_t {
  kNone,
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMin,  // NaN where either is NaN
  kMax,
  kPRelu,  // a >= 0 ? a : a b
};

}  // namespace mini_infer

namespace mini_infer::simd {

// y = kind(a, b) on the tile; y may be a or b.
MINI_SIMD_KERNEL(binary_f32,
                 void(BinaryKind kind, const Tile& tile, const float* a, const float* b, float* y))

}  // namespace mini_infer::simd
