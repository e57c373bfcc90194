#include "kernels/movement/transpose.simd.h"

#include "kernels/simd/vec.h"

namespace mini_infer::simd::MINI_ISA {
namespace {

// Four 32-bit elements, and pairs of them.
using Quad = std::uint32_t __attribute__((vector_size(16)));

// By memcpy: clang 14 does not let a type have less alignment than a vector's own.
MINI_INLINE Quad quad(const std::uint32_t* p) {
  Quad v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}
MINI_INLINE void put(std::uint32_t* p, Quad v) { __builtin_memcpy(p, &v, sizeof(v)); }

// in[r + c * in_stride] -> out[r * out_stride + c] for r, c < 4.
MINI_INLINE void transpose_4x4(const std::uint32_t* in, std::int64_t in_stride, std::uint32_t* out,
                               std::int64_t out_stride) {
  const Quad a = quad(in), b = quad(in + in_stride);
  const Quad c = quad(in + 2 * in_stride), d = quad(in + 3 * in_stride);
  const Quad ab0 = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  const Quad ab1 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Quad cd0 = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const Quad cd1 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  put(out, __builtin_shufflevector(ab0, cd0, 0, 1, 4, 5));
  put(out + out_stride, __builtin_shufflevector(ab0, cd0, 2, 3, 6, 7));
  put(out + 2 * out_stride, __builtin_shufflevector(ab1, cd1, 0, 1, 4, 5));
  put(out + 3 * out_stride, __builtin_shufflevector(ab1, cd1, 2, 3, 6, 7));
}

// Columns [c0, c1) of one row.
MINI_INLINE void copy_row(const std::uint32_t* in, std::int64_t in_stride, std::uint32_t* out,
                          std::int64_t c0, std::int64_t c1) {
  for (std::int64_t c = c0; c < c1; ++c) out[c] = in[c * in_stride];
}

}  // namespace

// 16 columns at a time: a cache line of the output.
void transpose_32(const std::uint32_t* in, std::int64_t in_stride, std::uint32_t* out,
                  std::int64_t out_stride, std::int64_t rows, std::int64_t cols) {
  constexpr std::int64_t kColumns = 16;
  for (std::int64_t c0 = 0; c0 < cols; c0 += kColumns) {
    const std::int64_t c1 = c0 + kColumns < cols ? c0 + kColumns : cols;
    const std::int64_t whole = c0 + (c1 - c0) / 4 * 4;
    std::int64_t r = 0;
    for (; r + 4 <= rows; r += 4) {
      for (std::int64_t c = c0; c < whole; c += 4) {
        transpose_4x4(in + r + c * in_stride, in_stride, out + r * out_stride + c, out_stride);
      }
      for (std::int64_t i = 0; i < 4; ++i) {
        copy_row(in + r + i, in_stride, out + (r + i) * out_stride, whole, c1);
      }
    }
    for (; r < rows; ++r) copy_row(in + r, in_stride, out + r * out_stride, c0, c1);
  }
}

}  // namespace mini_infer::simd::MINI_ISA
