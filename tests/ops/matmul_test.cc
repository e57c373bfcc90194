// Gemm, MatMul and their fused and integer forms, against sums in double.
#include <gmock/gmock.h>

#include <cmath>

#include "kernels/fused_activation.h"
#include "tests/support/op_test.h"

namespace mini_infer {
namespace {

using testing::HasSubstr;

constexpr Tolerance kTolerance{.absolute = 2e-5, .relative = 1e-5};

struct MatMulCase {
  Shape a, b, y;
};
std::ostream& operator<<(std::ostream& out, const MatMulCase& c) {
  return out << c.a.str() << " x " << c.b.str();
}

// numpy.matmul of operands of rank 2 or more whose stacks broadcast.
std::vector<double> product(const Tensor& a, const Tensor& b, const Shape& y) {
  const Shape& as = a.shape();
  const Shape& bs = b.shape();
  const std::int64_t m = as[as.rank() - 2], k = as[as.rank() - 1], n = bs[bs.rank() - 1];
  const std::vector<double> x = doubles(a), w = doubles(b);
  // Offsets of the matrices, by broadcasting their numbers.
  const auto offsets = [&](const Shape& shape) {
    const Shape stack(std::vector<std::int64_t>(shape.begin(), shape.end() - 2));
    std::vector<double> ids;
    for (std::int64_t i = 0; i < stack.elements(); ++i) ids.push_back(static_cast<double>(i));
    return broadcast_values(ids, stack, Shape(std::vector<std::int64_t>(y.begin(), y.end() - 2)));
  };
  const auto a_at = offsets(as), b_at = offsets(bs);
  std::vector<double> result;
  for (std::size_t i = 0; i < a_at.size(); ++i) {
    for (std::int64_t row = 0; row < m; ++row) {
      for (std::int64_t column = 0; column < n; ++column) {
        double sum = 0;
        for (std::int64_t d = 0; d < k; ++d) {
          const auto ai = static_cast<std::int64_t>(a_at[i]) * m * k + row * k + d;
          const auto bi = static_cast<std::int64_t>(b_at[i]) * k * n + d * n + column;
          sum += x[static_cast<std::size_t>(ai)] * w[static_cast<std::size_t>(bi)];
        }
        result.push_back(sum);
      }
    }
  }
  return result;
}

const std::vector<MatMulCase> kCases = {
    {{1, 1}, {1, 1}, {1, 1}},
    {{1, 67}, {67, 129}, {1, 129}},
    {{7, 5}, {5, 1}, {7, 1}},
    {{13, 31}, {31, 47}, {13, 47}},
    {{64, 600}, {600, 70}, {64, 70}},
    {{3, 5, 7}, {7, 11}, {3, 5, 11}},
    {{3, 5, 7}, {3, 7, 11}, {3, 5, 11}},
    {{2, 1, 5, 7}, {3, 7, 11}, {2, 3, 5, 11}},
    {{1, 3, 17, 16}, {2, 1, 16, 9}, {2, 3, 17, 9}},
    {{0, 4}, {4, 3}, {0, 3}},
    {{2, 0}, {0, 3}, {2, 3}},
};

class MatMul : public testing::TestWithParam<MatMulCase> {};

TEST_P(MatMul, of_floats) {
  const Tensor a = random_floats(GetParam().a, -1, 1, 1), b = random_floats(GetParam().b, -1, 1, 2);
  const auto expected = product(a, b, GetParam().y);
  for (const std::vector<std::size_t>& constants : {std::vector<std::size_t>{}, {0}, {1}, {0, 1}}) {
    expect_op({.type = "MatMul", .inputs = {a, b}, .constants = constants}, GetParam().y, expected,
              kTolerance);
  }
}

template <class T>
Tensor integers_like(const Shape& shape, int low, int range, int step) {
  std::vector<T> values;
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    values.push_back(static_cast<T>(low + static_cast<int>(i) * step % range));
  }
  return Tensor::from<T>(shape, values);
}

TEST_P(MatMul, of_integers) {
  const Tensor a = integers_like<std::int32_t>(GetParam().a, -50, 101, 37);
  const Tensor b = integers_like<std::int32_t>(GetParam().b, -50, 101, 23);
  expect_op({.type = "MatMul", .inputs = {a, b}}, GetParam().y, product(a, b, GetParam().y));
}

TEST_P(MatMul, of_bytes_with_zero_points) {
  const Tensor a = integers_like<std::uint8_t>(GetParam().a, 0, 256, 37);
  const Tensor b = integers_like<std::int8_t>(GetParam().b, -128, 256, 23);
  const auto shifted = [](const Tensor& tensor, float zero) {
    std::vector<float> values;
    for (const double v : doubles(tensor)) values.push_back(static_cast<float>(v) - zero);
    return floats(tensor.shape(), values);
  };
  const auto expected = product(shifted(a, 113), shifted(b, -3), GetParam().y);
  const Tensor a_zero = Tensor::scalar<std::uint8_t>(113);
  const Tensor b_zero = Tensor::scalar<std::int8_t>(-3);
  for (const std::vector<std::size_t>& constants : {std::vector<std::size_t>{}, {1, 3}, {1}}) {
    expect_op({.type = "MatMulInteger", .inputs = {a, b, a_zero, b_zero}, .constants = constants},
              GetParam().y, expected);
  }
  std::vector<double> scaled;
  for (const double v : expected) scaled.push_back(v * 0.5 * 0.25);
  expect_op({.type = "MatMulIntegerToFloat",
             .inputs = {a, b, Tensor::scalar(0.5f), Tensor::scalar(0.25f), a_zero, b_zero},
             .opset = 1,
             .domain = "com.microsoft"},
            GetParam().y, scaled, {.relative = 1e-6});
}

INSTANTIATE_TEST_SUITE_P(Cases, MatMul, testing::ValuesIn(kCases));

TEST(MatMul, of_vectors) {
  const Tensor v = floats({3}, {1, 2, 3}), m = floats({3, 2}, {1, 4, 2, 5, 3, 6});
  expect_op({.type = "MatMul", .inputs = {v, v}}, {}, {14});
  expect_op({.type = "MatMul", .inputs = {v, m}}, {2}, {14, 32});
  expect_op({.type = "MatMul", .inputs = {floats({2, 3}, {1, 2, 3, 4, 5, 6}), v}}, {2}, {14, 32});
}

TEST(FusedMatMul, adds_a_bias_and_activates) {
  const Tensor a = random_floats({2, 9, 20}, -1, 1, 1), b = random_floats({20, 35}, -1, 1, 2);
  const Tensor bias = random_floats({35}, -1, 1, 3);
  std::vector<double> expected = product(a, b, {2, 9, 35});
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double x = expected[i] + doubles(bias)[i % 35];
    expected[i] = x * 0.5 * (1 + std::erf(x / std::sqrt(2.0)));
  }
  const OpCase op{.type = "FusedMatMul",
                  .inputs = {a, b, bias},
                  .attributes = {{"activation", std::string("Gelu")}},
                  .domain = std::string(kInternalDomain),
                  .constants = {1, 2}};
  expect_op(op, {2, 9, 35}, expected, kTolerance);
}

TEST(FusedMatMul, of_transposed_stacks) {
  // transBatchA reads [rows, stack, columns].
  const Tensor a = random_floats({4, 2, 5}, -1, 1, 1), b = random_floats({2, 6, 5}, -1, 1, 2);
  std::vector<double> expected;
  const auto x = doubles(a), w = doubles(b);
  for (std::size_t s = 0; s < 2; ++s) {
    for (std::size_t row = 0; row < 4; ++row) {
      for (std::size_t column = 0; column < 6; ++column) {
        double sum = 0;
        for (std::size_t k = 0; k < 5; ++k) {
          sum += x[(row * 2 + s) * 5 + k] * w[(s * 6 + column) * 5 + k];
        }
        expected.push_back(0.5 * sum);
      }
    }
  }
  const OpCase op{.type = "FusedMatMul",
                  .inputs = {a, b},
                  .attributes = {{"transBatchA", std::int64_t{1}},
                                 {"transB", std::int64_t{1}},
                                 {"alpha", 0.5f}},
                  .opset = 1,
                  .domain = "com.microsoft"};
  expect_op(op, {2, 4, 6}, expected, kTolerance);
}

struct GemmCase {
  Shape c;
  std::int64_t trans_a, trans_b;
};

TEST(Gemm, of_all_attributes) {
  const std::int64_t m = 9, n = 35, k = 21;
  for (const GemmCase& g : std::vector<GemmCase>{
           {{}, 0, 0}, {{1}, 0, 1}, {{n}, 1, 0}, {{1, n}, 1, 1}, {{m, 1}, 0, 1}, {{m, n}, 1, 1}}) {
    const Tensor a = random_floats(g.trans_a != 0 ? Shape{k, m} : Shape{m, k}, -1, 1, 1);
    const Tensor b = random_floats(g.trans_b != 0 ? Shape{n, k} : Shape{k, n}, -1, 1, 2);
    const Tensor c = random_floats(g.c, -1, 1, 3);
    const auto x = doubles(a), w = doubles(b), bias = broadcast_values(doubles(c), g.c, {m, n});
    std::vector<double> expected;
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        double sum = 0;
        for (std::int64_t d = 0; d < k; ++d) {
          sum += x[static_cast<std::size_t>(g.trans_a != 0 ? d * m + i : i * k + d)] *
                 w[static_cast<std::size_t>(g.trans_b != 0 ? j * k + d : d * n + j)];
        }
        expected.push_back(
            std::max(0.0, 0.5 * sum + 2 * bias[static_cast<std::size_t>(i * n + j)]));
      }
    }
    for (const std::vector<std::size_t>& constants : {std::vector<std::size_t>{}, {1, 2}}) {
      expect_op({.type = "FusedGemm",
                 .inputs = {a, b, c},
                 .attributes = {{"alpha", 0.5f},
                                {"beta", 2.f},
                                {"transA", g.trans_a},
                                {"transB", g.trans_b},
                                {"activation", std::string("Relu")}},
                 .domain = std::string(kInternalDomain),
                 .constants = constants},
                {m, n}, expected, kTolerance);
    }
  }
}

TEST(Gemm, activates_as_microsoft_says) {
  expect_op({.type = "FusedGemm",
             .inputs = {floats({1, 2}, {1, 2}), floats({2, 2}, {3, -3, 4, -4})},
             .attributes = {{"activation", std::string("LeakyRelu")}, {"activation_alpha", 0.5f}},
             .opset = 1,
             .domain = "com.microsoft"},
            {1, 2}, {11, -5.5});
}

TEST(Gemm, of_doubles) {
  const Tensor a = Tensor::from<double>({1, 2}, {1, 2}), b = Tensor::from<double>({2, 1}, {3, 4});
  expect_op({.type = "Gemm", .inputs = {a, b}}, {1, 1}, {11});
}

TEST(QLinearMatMul, rounds_half_to_even_and_saturates) {
  const auto bytes = [](const Shape& shape, const std::vector<std::uint8_t>& values) {
    return Tensor::from<std::uint8_t>(shape, values);
  };
  // sums 1, 3, 255, times 1/2
  const OpCase op{
      .type = "QLinearMatMul",
      .inputs = {bytes({1, 1}, {1}), Tensor::scalar(0.5f), Tensor::scalar<std::uint8_t>(0),
                 bytes({1, 3}, {1, 3, 255}), Tensor::scalar(1.f), Tensor::scalar<std::uint8_t>(0),
                 Tensor::scalar(1.f), Tensor::scalar<std::uint8_t>(130)}};
  expect_op(op, {1, 3}, {130, 132, 255});
}

TEST(MatMul, refuses_what_it_cannot_read) {
  const Tensor a = random_floats({2, 3});
  EXPECT_THAT(error_of({.type = "MatMul", .inputs = {a, a}}),
              HasSubstr("[2,3] and [2,3] cannot be multiplied"));
  EXPECT_THAT(
      error_of({.type = "MatMul", .inputs = {random_floats({2, 2, 3}), random_floats({3, 3, 2})}}),
      HasSubstr("cannot be multiplied"));
  EXPECT_THAT(error_of({.type = "Gemm", .inputs = {a, random_floats({1, 3, 2})}}),
              HasSubstr("input B has rank 3"));
  EXPECT_THAT(error_of({.type = "Gemm", .inputs = {a, random_floats({3, 4}), random_floats({3})}}),
              HasSubstr("must broadcast to [2,4]"));
}

}  // namespace
}  // namespace mini_infer
