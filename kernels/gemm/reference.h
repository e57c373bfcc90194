// The plain definition of a matrix product: oracle of the tests, and what other element types use.
#pragma once

#include <cstdint>
#include <type_traits>

namespace mini_infer {

// Element (row, column) at data[row * row_stride + column * column_stride].
template <class T>
struct MatrixView {
  T* data;
  std::int64_t row_stride;
  std::int64_t column_stride = 1;

  T& operator()(std::int64_t row, std::int64_t column) const {
    return data[row * row_stride + column * column_stride];
  }
};

// c[m, n] = epilogue(sum over k of a b, row, column). Floats are summed in double, integers with
// wrap-around, as hardware does.
template <class T, class Epilogue>
void reference_gemm(std::int64_t m, std::int64_t n, std::int64_t k, MatrixView<const T> a,
                    MatrixView<const T> b, MatrixView<T> c, Epilogue&& epilogue) {
  using Sum = std::conditional_t<std::is_integral_v<T>, std::uint64_t, double>;
  for (std::int64_t row = 0; row < m; ++row) {
    for (std::int64_t column = 0; column < n; ++column) {
      Sum sum = 0;
      for (std::int64_t i = 0; i < k; ++i) {
        sum += static_cast<Sum>(a(row, i)) * static_cast<Sum>(b(i, column));
      }
      c(row, column) = epilogue(
          static_cast<std::conditional_t<std::is_integral_v<T>, T, double>>(sum), row, column);
    }
  }
}
template <class T>
void reference_gemm(std::int64_t m, std::int64_t n, std::int64_t k, MatrixView<const T> a,
                    MatrixView<const T> b, MatrixView<T> c) {
  reference_gemm<T>(m, n, k, a, b, c,
                    [](auto sum, std::int64_t, std::int64_t) { return static_cast<T>(sum); });
}

}  // namespace mini_infer
