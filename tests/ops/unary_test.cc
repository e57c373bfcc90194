#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "tests/support/op_test.h"

namespace mini_infer {
namespace {

struct Case {
  const char* type;
  double (*f)(double);
  Attributes attributes = {};
  float low = -6.f, high = 6.f;
  std::string domain = {};
  int opset = 24;
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double softplus(double x) { return std::log1p(std::exp(x)); }
double gelu_tanh(double x) {
  return x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x))) / 2;
}

const std::vector<Case> kCases = {
    {"Abs", [](double x) { return std::abs(x); }},
    {"Neg", [](double x) { return -x; }},
    {"Sign", [](double x) { return x > 0   ? 1.0
                                   : x < 0 ? -1.0
                                           : x; }},
    {"Ceil", [](double x) { return std::ceil(x); }},
    {"Floor", [](double x) { return std::floor(x); }},
    {"Round", [](double x) { return std::nearbyint(x); }},
    {"Sqrt", [](double x) { return std::sqrt(x); }, {}, 0, 100},
    {"Reciprocal", [](double x) { return 1 / x; }, {}, 0.1f, 10},
    {"Exp", [](double x) { return std::exp(x); }},
    {"Log", [](double x) { return std::log(x); }, {}, 0.1f, 10},
    {"Erf", [](double x) { return std::erf(x); }},
    {"Sin", [](double x) { return std::sin(x); }},
    {"Cos", [](double x) { return std::cos(x); }},
    {"Tan", [](double x) { return std::tan(x); }, {}, -1, 1},
    {"Asin", [](double x) { return std::asin(x); }, {}, -1, 1},
    {"Acos", [](double x) { return std::acos(x); }, {}, -1, 1},
    {"Atan", [](double x) { return std::atan(x); }},
    {"Sinh", [](double x) { return std::sinh(x); }},
    {"Cosh", [](double x) { return std::cosh(x); }},
    {"Tanh", [](double x) { return std::tanh(x); }},
    {"Asinh", [](double x) { return std::asinh(x); }},
    {"Acosh", [](double x) { return std::acosh(x); }, {}, 1, 10},
    {"Atanh", [](double x) { return std::atanh(x); }, {}, -0.9f, 0.9f},
    {"Relu", [](double x) { return x < 0 ? 0 : x; }},
    {"LeakyRelu", [](double x) { return x < 0 ? 0.25 * x : x; }, {{"alpha", 0.25f}}},
    {"ThresholdedRelu", [](double x) { return x <= 2 ? 0 : x; }, {{"alpha", 2.f}}},
    {"Elu", [](double x) { return x < 0 ? 2 * std::expm1(x) : x; }, {{"alpha", 2.f}}},
    {"Celu", [](double x) { return x < 0 ? 2 * std::expm1(x / 2) : x; }, {{"alpha", 2.f}}},
    {"Selu",
     [](double x) { return 3 * (x < 0 ? 2 * std::expm1(x) : x); },
     {{"alpha", 2.f}, {"gamma", 3.f}}},
    {"Sigmoid", sigmoid},
    {"HardSigmoid",
     [](double x) { return std::clamp(0.25 * x + 0.75, 0.0, 1.0); },
     {{"alpha", 0.25f}, {"beta", 0.75f}}},
    {"HardSwish", [](double x) { return x * std::clamp(x / 6 + 0.5, 0.0, 1.0); }},
    {"Softplus", softplus},
    {"Softsign", [](double x) { return x / (1 + std::abs(x)); }},
    {"Mish", [](double x) { return x * std::tanh(softplus(x)); }},
    {"Gelu", [](double x) { return x * (1 + std::erf(x / std::numbers::sqrt2)) / 2; }},
    {"Gelu", gelu_tanh, {{"approximate", std::string("tanh")}}},
    {"Swish", [](double x) { return x * sigmoid(1.5 * x); }, {{"alpha", 1.5f}}},
    {"Shrink",
     [](double x) { return x < -1  ? x + 0.5
                           : x > 1 ? x - 0.5
                                   : 0; },
     {{"bias", 0.5f}, {"lambd", 1.f}}},
    {"Affine", [](double x) { return 2 * x + 3; }, {{"alpha", 2.f}, {"beta", 3.f}}, -6, 6, "", 1},
    {"ScaledTanh",
     [](double x) { return 2 * std::tanh(0.5 * x); },
     {{"alpha", 2.f}, {"beta", 0.5f}},
     -6,
     6,
     "",
     1},
    {"SiLU", [](double x) { return x * sigmoid(x); }, {}, -6, 6, "mini_infer"},
    {"QuickGelu", [](double x) { return x * sigmoid(1.702 * x); }, {}, -6, 6, "com.microsoft"},
};

OpCase op_case(const Case& c, const Tensor& x) {
  return {.type = c.type,
          .inputs = {x},
          .attributes = c.attributes,
          .opset = c.domain.empty() ? c.opset : 1,
          .domain = c.domain};
}

std::vector<double> expected_of(const Case& c, const Tensor& x) {
  std::vector<double> values = doubles(x);
  for (double& v : values) v = c.f(v);
  return values;
}

TEST(Unary, AgreesWithDoublePrecision) {
  for (const Case& c : kCases) {
    for (const Shape& shape : {Shape{}, Shape{1}, Shape{15}, Shape{17}, Shape{3, 1, 101}}) {
      const Tensor x = random_floats(shape, c.low, c.high);
      expect_op(op_case(c, x), shape, expected_of(c, x), {.absolute = 5e-7, .relative = 1e-6});
    }
  }
}

TEST(Unary, RunsInTheBlockedLayout) {
  for (const Case& c : kCases) {
    const Tensor x = random_floats({2, 19, 3, 5}, c.low, c.high);
    OpCase op = op_case(c, x);
    op.blocked = {0};
    const auto run = run_op(op);
    ASSERT_TRUE(run.ok()) << run.status().message();
    EXPECT_EQ(run->layouts[0], Layout::kBlocked);
    EXPECT_TRUE(close(run->outputs[0], expected_of(c, x), {5e-7, 1e-6})) << c.type;
  }
}

TEST(Unary, TakesDoubleAndHalf) {
  for (const Case& c : kCases) {
    if (c.low > -6.f) continue;
    const Tensor x = Tensor::from<double>({4}, {-1.5, 0, 0.25, 2});
    const auto expected = expected_of(c, x);
    expect_op(op_case(c, x), {4}, expected, {1e-6, 1e-6});
    std::vector<Float16> half;
    for (const double v : doubles(x)) half.push_back(to_float16(static_cast<float>(v)));
    expect_op(op_case(c, Tensor::from<Float16>({4}, half)), {4}, expected, {1e-3, 1e-3});
  }
}

TEST(Unary, TakesIntegers) {
  const Tensor x = int64s({3}, {-3, 0, 5});
  const auto ints = [&](const char* type) {
    const std::vector<Tensor> y = outputs_of({.type = type, .inputs = {x}});
    return Ints(y[0].values<std::int64_t>().begin(), y[0].values<std::int64_t>().end());
  };
  EXPECT_EQ(ints("Abs"), (Ints{3, 0, 5}));
  EXPECT_EQ(ints("Neg"), (Ints{3, 0, -5}));
  EXPECT_EQ(ints("Sign"), (Ints{-1, 0, 1}));
  EXPECT_EQ(ints("Relu"), (Ints{0, 0, 5}));
  EXPECT_THAT(error_of({.type = "Exp", .inputs = {x}}), testing::HasSubstr("dtype int64"));
}

TEST(Unary, KeepsNaN) {
  for (const Case& c : kCases) {
    const Tensor x = floats({2}, {NAN, NAN});
    expect_op(op_case(c, x), {2},
              std::string(c.type) == "Shrink" ? std::vector<double>{0, 0}
                                              : std::vector<double>{NAN, NAN});
  }
}

TEST(Unary, TakesEmptyTensors) {
  for (const Case& c : kCases) expect_op(op_case(c, Tensor(DType::kFloat32, {0, 3})), {0, 3}, {});
}

}  // namespace
}  // namespace mini_infer
