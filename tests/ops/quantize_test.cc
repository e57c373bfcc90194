#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "tests/support/op_test.h"

namespace mini_infer {
namespace {

using Values = std::vector<double>;

double quantized(double x, double scale, double zero, double low, double high) {
  return std::clamp(std::nearbyint(x / scale) + zero, low, high);
}

Tensor bytes(const Shape& shape, unsigned seed) {
  Tensor x = random_floats(shape, 0, 255, seed), out(DType::kUInt8, shape);
  for (std::int64_t i = 0; i < x.elements(); ++i) {
    out.mutable_data<std::uint8_t>()[i] = static_cast<std::uint8_t>(x.data<float>()[i]);
  }
  return out;
}

Tensor byte(std::uint8_t value) { return Tensor::scalar<std::uint8_t>(value); }

TEST(QuantizeLinear, RoundsToEvenAndSaturates) {
  const Tensor x = floats({7}, {-1000, -1.25f, 0.25f, 0.75f, 1.25f, 1000, NAN});
  expect_op({.type = "QuantizeLinear", .inputs = {x, floats({}, {0.5f}), byte(128)}}, {7},
            {0, 126, 128, 130, 130, 255, 0});
  expect_op(
      {.type = "QuantizeLinear", .inputs = {x, floats({}, {0.5f}), Tensor::scalar<std::int8_t>(1)}},
      {7}, {-128, -1, 1, 3, 3, 127, -128});
  expect_op({.type = "QuantizeLinear",
             .inputs = {x, floats({}, {0.5f}), Tensor::scalar<std::uint16_t>(40000)}},
            {7}, {38000, 39998, 40000, 40002, 40002, 42000, 0});
}

TEST(QuantizeLinear, TakesAScaleForEachChannel) {
  const Tensor x = random_floats({2, 3, 37}, -40, 40), scale = floats({3}, {0.5f, 0.25f, 2});
  const Tensor zero = Tensor::from<std::uint8_t>({3}, {0, 128, 7});
  const auto s = broadcast_values(doubles(scale), {3, 1}, x.shape());
  const auto z = broadcast_values(doubles(zero), {3, 1}, x.shape());
  Values expected;
  for (std::size_t i = 0; i < s.size(); ++i) {
    expected.push_back(quantized(doubles(x)[i], s[i], z[i], 0, 255));
  }
  expect_op({.type = "QuantizeLinear", .inputs = {x, scale, zero}}, x.shape(), expected);
  EXPECT_THAT(error_of({.type = "QuantizeLinear",
                        .inputs = {x, scale, zero},
                        .attributes = {{"axis", std::int64_t{2}}}}),
              testing::HasSubstr("one scale for each of the 37"));
}

TEST(QuantizeLinear, TakesAScaleForEachBlock) {
  const Tensor x = floats({2, 3}, {2, 4, 6, 8, 10, 12}), scale = floats({2, 2}, {1, 2, 4, 0.5f});
  expect_op({.type = "QuantizeLinear",
             .inputs = {x, scale},
             .attributes = {{"block_size", std::int64_t{2}}},
             .opset = 21},
            {2, 3}, {2, 4, 3, 2, 2, 24});
}

TEST(DequantizeLinear, IsTheInverse) {
  for (const Shape& shape : {Shape{1}, Shape{17}, Shape{3, 5, 31}}) {
    const Tensor x = bytes(shape, 3);
    Values expected = doubles(x);
    for (double& v : expected) v = (v - 100) * 0.25;
    expect_op({.type = "DequantizeLinear", .inputs = {x, floats({}, {0.25f}), byte(100)}}, shape,
              expected);
  }
  const Tensor x = Tensor::from<std::int8_t>({2, 2}, {-128, 127, 5, -7});
  const Tensor zero = Tensor::from<std::int8_t>({2}, {1, -1});
  expect_op({.type = "DequantizeLinear", .inputs = {x, floats({2}, {2, 0.5f}), zero}}, {2, 2},
            {-258, 64, 8, -3});
  expect_op({.type = "DequantizeLinear",
             .inputs = {x, floats({2}, {2, 0.5f}), zero},
             .attributes = {{"axis", std::int64_t{0}}}},
            {2, 2}, {-258, 252, 3, -3});
  expect_op({.type = "DequantizeLinear",
             .inputs = {Tensor::from<std::int32_t>({2}, {100000, -3}), floats({}, {0.5f})}},
            {2}, {50000, -1.5});
}

TEST(DynamicQuantizeLinear, UsesTheWholeRange) {
  const Tensor x = random_floats({3, 17, 1000}, -2, 3);
  const OpCase op{.type = "DynamicQuantizeLinear", .inputs = {x}, .outputs = 3};
  for (const OpSetting& setting : op_settings()) {
    const auto y = outputs_of(op, setting);
    const double scale = doubles(y[1])[0], zero = doubles(y[2])[0];
    EXPECT_NEAR(scale, 5.0 / 255, 1e-4);
    EXPECT_NEAR(zero, 102, 1);
    Values expected = doubles(x);
    for (double& v : expected) v = quantized(v, scale, zero, 0, 255);
    EXPECT_TRUE(close(y[0], expected, {.absolute = 1})) << setting;
  }
  const auto zeros =
      outputs_of({.type = "DynamicQuantizeLinear", .inputs = {floats({2}, {0, 0})}, .outputs = 3});
  EXPECT_THAT(doubles(zeros[0]), testing::ElementsAre(0, 0));
}

OpCase qlinear(const char* type, std::vector<Tensor> inputs, Attributes attributes = {}) {
  return {.type = type,
          .inputs = std::move(inputs),
          .attributes = std::move(attributes),
          .opset = 1,
          .domain = "com.microsoft"};
}

TEST(QLinear, AddsAndMultiplies) {
  const Tensor a = bytes({2, 3, 17}, 1), b = bytes({3, 1}, 2);
  const Tensor sa = floats({}, {0.5f}), sb = floats({}, {0.25f}), sy = floats({}, {0.75f});
  const auto y = broadcast_values(doubles(b), b.shape(), a.shape());
  Values sum, product;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double u = (doubles(a)[i] - 10) * 0.5, v = (y[i] - 128) * 0.25;
    sum.push_back(quantized(u + v, 0.75, 3, 0, 255));
    product.push_back(quantized(u * v, 0.75, 3, 0, 255));
  }
  const std::vector<Tensor> inputs = {a, sa, byte(10), b, sb, byte(128), sy, byte(3)};
  expect_op(qlinear("QLinearAdd", inputs), a.shape(), sum);
  expect_op(qlinear("QLinearMul", inputs), a.shape(), product);
}

TEST(QLinear, LooksUnaryFunctionsUp) {
  const Tensor x = bytes({5, 19}, 1), scale = floats({}, {0.05f}), out = floats({}, {0.125f});
  Values leaky, sigmoid;
  for (const double b : doubles(x)) {
    const double v = (b - 100) * static_cast<double>(0.05f);
    leaky.push_back(quantized(v < 0 ? 0.25 * v : v, 0.125, 30, 0, 255));
    sigmoid.push_back(quantized(1 / (1 + std::exp(-v)), 0.125, 30, 0, 255));
  }
  const std::vector<Tensor> inputs = {x, scale, byte(100), out, byte(30)};
  expect_op(qlinear("QLinearLeakyRelu", inputs, {{"alpha", 0.25f}}), x.shape(), leaky,
            {.absolute = 1});
  expect_op(qlinear("QLinearSigmoid", inputs), x.shape(), sigmoid, {.absolute = 1});
}

TEST(QLinear, ConcatenatesWithNewScales) {
  const Tensor a = Tensor::from<std::uint8_t>({2, 1}, {10, 20});
  const Tensor b = Tensor::from<std::uint8_t>({2, 2}, {1, 2, 3, 4});
  const Tensor one = floats({}, {1}), half = floats({}, {0.5f});
  expect_op(qlinear("QLinearConcat", {one, byte(5), a, half, byte(0), b, one, byte(1)},
                    {{"axis", std::int64_t{1}}}),
            {2, 3}, {10, 5, 6, 15, 7, 8});
}

TEST(QLinear, PoolsGlobally) {
  const Tensor x = Tensor::from<std::uint8_t>({1, 2, 2, 2}, {1, 2, 3, 4, 10, 20, 30, 40});
  const std::vector<Tensor> inputs = {x, floats({}, {1}), byte(1), floats({}, {0.5f}), byte(7)};
  expect_op(qlinear("QLinearGlobalAveragePool", inputs), {1, 2, 1, 1}, {10, 55});
  expect_op(qlinear("QLinearGlobalAveragePool", inputs, {{"channels_last", std::int64_t{1}}}),
            {1, 1, 1, 2}, {27, 38});
}

}  // namespace
}  // namespace mini_infer
