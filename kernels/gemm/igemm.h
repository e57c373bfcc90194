// Products of 8-bit integer matrices, summed in int32, by the float GEMM: the operands are integers
// as floats.
//
// It is exact. An 8-bit number less its zero point lies within [-255, 255]; 256 products of such
// numbers add up to less than 2^24, below which every integer is a float. So k is cut into steps of
// 256, and the products of the steps are added as integers.
#pragma once

#include <cstdint>

#include "kernels/gemm/gemm.h"

namespace mini_infer {

// sums[i][m, n] = A B for i < plan.shape.batch, with the A and B of operands_of(i); c and epilogue
// are not looked at. `products` holds as many floats as `sums` holds integers, batch * m * n; both
// lie densely. Sums beyond 32 bits wrap.
void igemm_batch(const GemmPlan& plan, FunctionRef<GemmOperands(std::int64_t)> operands_of,
                 float* scratch, float* products, std::int32_t* sums) noexcept;

// out[i] = x[i] - zero for i < count.
template <class T>
void subtract_zero(const T* x, std::int32_t zero, std::int64_t count, float* out) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(x[i] - zero);
}

}  // namespace mini_infer
