#include "kernels/gemm/igemm.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <random>
#include <vector>

namespace mini_infer {
namespace {

template <class T>
std::vector<T> random_integers(std::int64_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_int_distribution<int> uniform(std::numeric_limits<T>::min(),
                                             std::numeric_limits<T>::max());
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T& v : values) v = static_cast<T>(uniform(generator));
  return values;
}

template <class A, class B>
void check(std::int64_t m, std::int64_t n, std::int64_t k, bool transpose_a, bool transpose_b,
           std::int64_t zero_step) {
  const auto a_data = random_integers<A>(m * k, 1), a_zero = random_integers<A>(m, 3);
  const auto b_data = random_integers<B>(k * n, 2), b_zero = random_integers<B>(n, 4);
  IntegerMatrix<A> a{a_data.data(), k, 1, a_zero.data(), zero_step};
  IntegerMatrix<B> b{b_data.data(), n, 1, b_zero.data(), zero_step};
  if (transpose_a) a.row_stride = 1, a.column_stride = m;
  if (transpose_b) b.row_stride = 1, b.column_stride = k;
  for (const int threads : {1, 3}) {
    std::vector<std::int32_t> c(static_cast<std::size_t>(m * (n + 1)), -5);
    igemm(m, n, k, a, b, c.data(), n + 1, threads);
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        std::int64_t want = 0;
        for (std::int64_t l = 0; l < k; ++l) {
          want += (a.data[i * a.row_stride + l * a.column_stride] - a_zero[i * zero_step]) *
                  (b.data[l * b.row_stride + j * b.column_stride] - b_zero[j * zero_step]);
        }
        ASSERT_EQ(want, c[i * (n + 1) + j])
            << m << 'x' << n << 'x' << k << " at " << i << ", " << j;
      }
      ASSERT_EQ(-5, c[i * (n + 1) + n]);
    }
  }
}

template <class A, class B>
void check_shapes() {
  for (const auto& [m, n, k] : {std::array<int, 3>{1, 1, 1},
                                {1, 129, 77},
                                {7, 5, 3},
                                {31, 47, 64},
                                {3, 17, 0},
                                {65, 33, 301}}) {
    for (const bool transpose_a : {false, true}) {
      for (const bool transpose_b : {false, true}) {
        for (const int zero_step : {0, 1})
          check<A, B>(m, n, k, transpose_a, transpose_b, zero_step);
      }
    }
  }
}

TEST(Igemm, u8_u8) { check_shapes<std::uint8_t, std::uint8_t>(); }
TEST(Igemm, u8_s8) { check_shapes<std::uint8_t, std::int8_t>(); }
TEST(Igemm, s8_u8) { check_shapes<std::int8_t, std::uint8_t>(); }
TEST(Igemm, s8_s8) { check_shapes<std::int8_t, std::int8_t>(); }

TEST(Igemm, no_zero_point) {
  const std::uint8_t a[] = {255, 255};
  const std::int8_t b[] = {-128, -128};
  std::int32_t c[1];
  igemm<std::uint8_t, std::int8_t>(1, 1, 2, {a, 2}, {b, 1}, c, 1, 1);
  EXPECT_EQ(c[0], -65280);
}

}  // namespace
}  // namespace mini_infer
