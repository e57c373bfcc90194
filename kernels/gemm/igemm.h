// C = (A - zero of A) (B - zero of B) in 32-bit integers, for MatMulInteger, ConvInteger and the
// QLinear operators.
#pragma once

#include <cstdint>

#include "kernels/kernel_context.h"

namespace mini_infer {

// An int8 or uint8 matrix: element (row, column) at data[row * row_stride + column *
// column_stride], minus a zero point: none where `zero` is null, the same for all where zero_step
// is 0, one for each row (of A) or column (of B) where it is 1.
template <class T>
struct IntegerMatrix {
  const T* data = nullptr;
  std::int64_t row_stride = 0;
  std::int64_t column_stride = 1;
  const T* zero = nullptr;
  std::int64_t zero_step = 0;

  std::int32_t zero_of(std::int64_t i) const { return zero == nullptr ? 0 : zero[i * zero_step]; }
};

// c[m, n], rows c_stride apart. Exact while sums fit into 32 bits, else they wrap. Splits the rows
// over `threads` threads, or the columns where there are few rows.
template <class A, class B>
void igemm(std::int64_t m, std::int64_t n, std::int64_t k, const IntegerMatrix<A>& a,
           const IntegerMatrix<B>& b, std::int32_t* c, std::int64_t c_stride, int threads) {
  const auto compute_row = [&](std::int64_t row, Range columns) {
    std::int32_t* const out = c + row * c_stride;
    for (std::int64_t j = columns.begin; j < columns.end; ++j) out[j] = 0;
    for (std::int64_t i = 0; i < k; ++i) {
      const std::int32_t a_value =
          a.data[row * a.row_stride + i * a.column_stride] - a.zero_of(row);
      if (a_value == 0) continue;
      const B* const b_row = b.data + i * b.row_stride;
      if (b.column_stride == 1 && b.zero_step == 0) {
        const std::int32_t zero = b.zero_of(0);
        for (std::int64_t j = columns.begin; j < columns.end; ++j) {
          out[j] =
              static_cast<std::int32_t>(static_cast<std::uint32_t>(out[j]) +
                                        static_cast<std::uint32_t>(a_value * (b_row[j] - zero)));
        }
      } else {
        for (std::int64_t j = columns.begin; j < columns.end; ++j) {
          const std::int32_t b_value = b_row[j * b.column_stride] - b.zero_of(j);
          out[j] = static_cast<std::int32_t>(static_cast<std::uint32_t>(out[j]) +
                                             static_cast<std::uint32_t>(a_value * b_value));
        }
      }
    }
  };
  const double depth = static_cast<double>(k);
  if (m >= 2 * threads) {
    parallel_for(threads, m, depth * static_cast<double>(n), [&](Range rows, int) {
      for (std::int64_t row = rows.begin; row < rows.end; ++row) compute_row(row, {0, n});
    });
  } else {
    parallel_for(threads, n, depth * static_cast<double>(m), [&](Range columns, int) {
      for (std::int64_t row = 0; row < m; ++row) compute_row(row, columns);
    });
  }
}

}  // namespace mini_infer
