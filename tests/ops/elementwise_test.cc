// Clip, Where, Pow, Cast, predicates.
#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "graph/ir/op_def.h"
#include "kernels/op_registry.h"
#include "tests/support/op_test.h"

namespace mini_infer {
namespace {

using testing::HasSubstr;

TEST(Clip, TakesBoundsAsAttributesOrInputs) {
  const Tensor x = floats({5}, {-3, 0, NAN, 2, 9});
  const std::vector<double> expected = {-1, 0, NAN, 2, 6};
  expect_op(
      {.type = "Clip", .inputs = {x}, .attributes = {{"min", -1.f}, {"max", 6.f}}, .opset = 6}, {5},
      expected);
  expect_op({.type = "Clip", .inputs = {x, floats({}, {-1}), floats({}, {6})}}, {5}, expected);
  expect_op({.type = "Clip", .inputs = {x, {}, floats({}, {6})}}, {5}, {-3, 0, NAN, 2, 6});
  expect_op({.type = "Clip", .inputs = {x, floats({}, {4}), floats({}, {3})}}, {5},
            {3, 3, NAN, 3, 3});
  expect_op({.type = "Clip",
             .inputs = {random_floats({2, 19, 3, 5}, 2, 3), floats({}, {4})},
             .constants = {1},
             .blocked = {0}},
            {2, 19, 3, 5}, std::vector<double>(570, 4));
  expect_op(
      {.type = "Clip", .inputs = {int64s({3}, {-3, 0, 9}), int64s({}, {-1}), int64s({}, {6})}}, {3},
      {-1, 0, 6});
  EXPECT_THAT(error_of({.type = "Clip", .inputs = {x, floats({2}, {1, 2})}}), HasSubstr("[2]"));
}

TEST(Where, Broadcasts) {
  const Tensor condition = Tensor::from<bool>({2, 1}, {true, false});
  expect_op({.type = "Where", .inputs = {condition, floats({3}, {1, 2, 3}), floats({}, {9})}},
            {2, 3}, {1, 2, 3, 9, 9, 9});
  expect_op({.type = "Where", .inputs = {condition, int64s({1}, {7}), int64s({3}, {1, 2, 3})}},
            {2, 3}, {7, 7, 7, 1, 2, 3});
  const auto strings = outputs_of(
      {.type = "Where",
       .inputs = {condition, Tensor::scalar<std::string>("a"), Tensor::scalar<std::string>("b")}});
  EXPECT_THAT(strings[0].values<std::string>(), testing::ElementsAre("a", "b"));
}

TEST(Where, TakesRowsAndNumbers) {
  constexpr std::int64_t kSize = 37;
  Tensor condition(DType::kBool, {3, kSize});
  for (std::int64_t i = 0; i < 3 * kSize; ++i)
    condition.mutable_data<bool>()[i] = i * 2654435761u % 11 < 5;
  const Shape rows{3, kSize}, column{3, 1}, row{kSize}, number{};
  for (const Shape& a_shape : {rows, column, row, number}) {
    for (const Shape& b_shape : {rows, column, row, number}) {
      const Tensor a = random_floats(a_shape, -1, 1, 2), b = random_floats(b_shape, -1, 1, 3);
      const auto at = [&](const Tensor& x, std::int64_t i) {
        const std::int64_t r = i / kSize, j = i % kSize, count = x.elements();
        return doubles(x)[static_cast<std::size_t>(count == 1       ? 0
                                                   : count == 3     ? r
                                                   : count == kSize ? j
                                                                    : i)];
      };
      std::vector<double> expected;
      for (std::int64_t i = 0; i < 3 * kSize; ++i)
        expected.push_back(at(condition.data<bool>()[i] ? a : b, i));
      expect_op({.type = "Where", .inputs = {condition, a, b}}, rows, expected);
    }
  }
}

TEST(Pow, HasKernelsForCommonExponents) {
  const Tensor x = random_floats({2, 19, 3}, 0.5, 3);
  for (const float exponent : {2.f, 0.5f, -1.f, 1.f, 3.f, 2.5f}) {
    std::vector<double> expected = doubles(x);
    for (double& v : expected) v = std::pow(v, exponent);
    OpCase op{.type = "Pow", .inputs = {x, floats({}, {exponent})}, .constants = {1}};
    expect_op(op, x.shape(), expected, {1e-6, 1e-6});
    op.blocked = {0};
    expect_op(op, x.shape(), expected, {1e-6, 1e-6});
    op.constants = {};
    expect_op(op, x.shape(), expected, {1e-6, 1e-6});
  }
}

TEST(Pow, MixesTypes) {
  expect_op({.type = "Pow", .inputs = {int64s({3}, {-2, 3, 5}), floats({}, {3})}}, {3},
            {-8, 27, 125});
  expect_op({.type = "Pow", .inputs = {floats({2}, {2, 3}), int64s({2, 1}, {1, 2})}}, {2, 2},
            {2, 3, 4, 9}, {1e-6, 1e-6});
}

OpCase cast(const Tensor& x, DType to) {
  return {.type = "Cast", .inputs = {x}, .attributes = {{"to", static_cast<std::int64_t>(to)}}};
}

TEST(Cast, CutsFractionsAndWraps) {
  const Tensor x = floats({6}, {-1.9f, 1.9f, 0, 300, -129, 2.5f});
  expect_op(cast(x, DType::kInt64), {6}, {-1, 1, 0, 300, -129, 2});
  expect_op(cast(x, DType::kUInt8), {6}, {255, 1, 0, 44, 127, 2});
  expect_op(cast(x, DType::kBool), {6}, {1, 1, 0, 1, 1, 1});
  expect_op(cast(x, DType::kFloat64), {6}, doubles(x));
  expect_op(cast(x, DType::kFloat16), {6}, doubles(x), {.relative = 1e-3});
  expect_op(cast(x, DType::kBFloat16), {6}, doubles(x), {.relative = 1e-2});
  expect_op(cast(floats({1}, {NAN}), DType::kInt64), {1},
            {static_cast<double>(std::numeric_limits<std::int64_t>::min())});
}

TEST(Cast, ConvertsEveryHalf) {
  std::vector<Float16> halves;
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    halves.push_back({static_cast<std::uint16_t>(bits)});
  }
  const Tensor half = Tensor::from<Float16>({0x10000}, halves);
  expect_op(cast(half, DType::kFloat32), {0x10000}, doubles(half));
  std::vector<float> between;  // halves, and what lies between them
  std::vector<double> expected;
  for (const Float16 h : halves) {
    for (const float factor : {1.f, 1.0001f, 1.00048828125f, 1.0007f}) {
      between.push_back(to_float(h) * factor);
      expected.push_back(static_cast<double>(to_float(to_float16(between.back()))));
    }
  }
  expect_op(cast(floats({0x40000}, between), DType::kFloat16), {0x40000}, expected);
}

TEST(Cast, ReadsAndWritesStrings) {
  const auto text = outputs_of(cast(floats({4}, {1.5f, -2, NAN, -INFINITY}), DType::kString));
  EXPECT_THAT(text[0].values<std::string>(), testing::ElementsAre("1.5", "-2", "NaN", "-INF"));
  const Tensor strings = Tensor::from<std::string>({4}, {"3.14", " 1e3", "-INF", "NaN"});
  expect_op(cast(strings, DType::kFloat32), {4}, {3.14, 1000, -INFINITY, NAN}, {1e-6, 1e-6});
  expect_op(cast(Tensor::from<std::string>({2}, {"7", "-3.0"}), DType::kInt32), {2}, {7, -3});
  EXPECT_THAT(error_of(cast(Tensor::scalar<std::string>("seven"), DType::kInt32)),
              HasSubstr("'seven', which is no number"));
}

TEST(Cast, RefusesUnknownTypes) {
  EXPECT_THAT(error_of(cast(floats({}, {1}), static_cast<DType>(17))), HasSubstr("is 17"));
}

TEST(BitCast, KeepsTheBits) {
  OpCase op{.type = "BitCast",
            .inputs = {floats({2}, {1, -2})},
            .attributes = {{"to", static_cast<std::int64_t>(DType::kInt32)}},
            .opset = 26};
  expect_op(op, {2}, {0x3f800000, -0x40000000});
  op.attributes = {{"to", static_cast<std::int64_t>(DType::kInt64)}};
  EXPECT_THAT(error_of(op), HasSubstr("as many bytes"));
}

TEST(Predicates, LookAtBits) {
  const Tensor x = floats({4}, {1, NAN, INFINITY, -INFINITY});
  expect_op({.type = "IsNaN", .inputs = {x}}, {4}, {0, 1, 0, 0});
  expect_op({.type = "IsInf", .inputs = {x}, .opset = 20}, {4}, {0, 0, 1, 1});
  expect_op({.type = "IsInf",
             .inputs = {x},
             .attributes = {{"detect_negative", std::int64_t{0}}},
             .opset = 20},
            {4}, {0, 0, 1, 0});
  expect_op({.type = "Not", .inputs = {Tensor::from<bool>({2}, {true, false})}}, {2}, {0, 1});
  expect_op({.type = "BitwiseNot", .inputs = {int64s({2}, {5, -1})}}, {2}, {-6, 0});
}

TEST(FastGelu, AddsTheBias) {
  const Tensor x = random_floats({3, 17}, -3, 3), bias = random_floats({17}, -1, 1, 2);
  std::vector<double> tanh_form, erf_form;
  const auto b = broadcast_values(doubles(bias), bias.shape(), x.shape());
  for (std::size_t i = 0; i < b.size(); ++i) {
    const double v = doubles(x)[i] + b[i];
    tanh_form.push_back(v * (1 + std::tanh(0.7978845608 * (v + 0.044715 * v * v * v))) / 2);
    erf_form.push_back(v * (1 + std::erf(v / std::sqrt(2.0))) / 2);
  }
  OpCase op{.type = "FastGelu", .inputs = {x, bias}, .opset = 1, .domain = "com.microsoft"};
  expect_op(op, {3, 17}, tanh_form, {1e-6, 1e-6});
  op.type = "BiasGelu";
  expect_op(op, {3, 17}, erf_form, {1e-6, 1e-6});
}

// The contents that infer() finds for one operator on shape tensors.
std::string contents_of(const char* type, std::vector<std::vector<Dim>> inputs,
                        Attributes attributes = {}) {
  Node node{.name = "n", .op_type = type, .attributes = std::move(attributes), .outputs = {0}};
  node.opset = 18;
  std::vector<InferInput> in;
  for (const auto& contents : inputs) {
    in.push_back({.present = true,
                  .dtype = DType::kInt64,
                  .shape = SymShape{static_cast<std::int64_t>(contents.size())},
                  .contents = &contents});
  }
  InferContext c(node, in, op_registry());
  EXPECT_TRUE(op_registry().find("", type, 18)->infer(c).ok());
  return c.outputs()[0].contents ? SymShape(*c.outputs()[0].contents).str() : "unknown";
}

TEST(Contents, ExtentsKeepTheirNames) {
  const Dim n("N");
  EXPECT_EQ(contents_of("Add", {{n, 3}, {1}}), "[(N+1),4]");
  EXPECT_EQ(contents_of("Mul", {{n, 3}, {2, 2}}), "[(N*2),6]");
  EXPECT_EQ(contents_of("Sub", {{n}, {n}}), "[0]");
  EXPECT_EQ(contents_of("Div", {{n, 7}, {2}}), "[floor(N/2),3]");
  EXPECT_EQ(contents_of("Equal", {{n, -1, 3}, {-1}}), "[0,1,0]");
  EXPECT_EQ(contents_of("Where", {{1, 0}, {n, n}, {5, 6}}), "[N,6]");
  EXPECT_EQ(contents_of("Cast", {{n, 7}}, {{"to", std::int64_t{1}}}), "[N,7]");
  EXPECT_EQ(contents_of("Less", {{n}, {5}}), "unknown");
  EXPECT_EQ(contents_of("Min", {{9, 2}, {5}}), "[5,2]");
  EXPECT_EQ(contents_of("Neg", {{4}}), "[-4]");
}

}  // namespace
}  // namespace mini_infer
