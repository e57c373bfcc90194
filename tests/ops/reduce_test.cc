#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "tests/support/op_test.h"

namespace mini_infer {
namespace {

using Values = std::vector<double>;

struct Reduction {
  const char* type;
  std::function<double(const Values&)> f;
};

double fold(const Values& v, double start, double (*f)(double, double)) {
  for (const double x : v) start = f(start, x);
  return start;
}
double sum(const Values& v) {
  return fold(v, 0, [](double a, double x) { return a + x; });
}
double squares(const Values& v) {
  return fold(v, 0, [](double a, double x) { return a + x * x; });
}
double exponentials(const Values& v) {
  return fold(v, 0, [](double a, double x) { return a + std::exp(x); });
}

const std::vector<Reduction> kReductions = {
    {"ReduceSum", sum},
    {"ReduceMean", [](const Values& v) { return sum(v) / static_cast<double>(v.size()); }},
    {"ReduceMax", [](const Values& v) { return *std::max_element(v.begin(), v.end()); }},
    {"ReduceMin", [](const Values& v) { return *std::min_element(v.begin(), v.end()); }},
    {"ReduceProd",
     [](const Values& v) { return fold(v, 1, [](double a, double x) { return a * x; }); }},
    {"ReduceL1",
     [](const Values& v) {
       return fold(v, 0, [](double a, double x) { return a + std::abs(x); });
     }},
    {"ReduceL2", [](const Values& v) { return std::sqrt(squares(v)); }},
    {"ReduceSumSquare", squares},
    {"ReduceLogSum", [](const Values& v) { return std::log(sum(v)); }},
    {"ReduceLogSumExp", [](const Values& v) { return std::log(exponentials(v)); }},
};

struct Reduced {
  Shape shape;
  std::vector<Values> groups;  // the elements that belong to each output
};

Reduced group(const Tensor& x, const std::vector<bool>& reduced, bool keep) {
  Reduced out;
  const Shape& shape = x.shape();
  for (std::size_t d = 0; d < shape.rank(); ++d) {
    if (!reduced[d] || keep) out.shape.push_back(reduced[d] ? 1 : shape[d]);
  }
  out.groups.resize(static_cast<std::size_t>(out.shape.elements()));
  const Values values = doubles(x);
  for (std::int64_t i = 0; i < x.elements(); ++i) {
    std::int64_t rest = i, index = 0, stride = 1;
    for (std::size_t d = shape.rank(); d-- > 0; rest /= shape[d]) {
      if (reduced[d]) continue;
      index += rest % shape[d] * stride;
      stride *= shape[d];
    }
    out.groups[static_cast<std::size_t>(index)].push_back(values[static_cast<std::size_t>(i)]);
  }
  return out;
}

void check(const Tensor& x, const Ints& axes, bool keep, bool blocked) {
  std::vector<bool> reduced(x.shape().rank(), axes.empty());
  for (const std::int64_t axis : axes) reduced[static_cast<std::size_t>(axis)] = true;
  const Reduced expected = group(x, reduced, keep);
  for (const Reduction& reduction : kReductions) {
    Values values;
    for (const Values& g : expected.groups) values.push_back(reduction.f(g));
    OpCase op{.type = reduction.type,
              .inputs = {x, int64s({static_cast<std::int64_t>(axes.size())}, axes)},
              .attributes = {{"keepdims", std::int64_t{keep}}},
              .constants = {1}};
    if (blocked) op.blocked = {0};
    expect_op(op, expected.shape, values, {1e-5, 1e-5});
    op.constants = {};  // the axes come at run time
    if (!blocked) expect_op(op, expected.shape, values, {1e-5, 1e-5});
  }
}

TEST(Reduce, AgreesWithDoublePrecision) {
  const Tensor x = random_floats({3, 5, 2, 17}, 0.25f, 1.5f);
  for (const Ints& axes : std::vector<Ints>{{}, {3}, {0}, {1}, {2, 3}, {0, 2}, {1, 3}, {0, 1, 2}}) {
    for (const bool keep : {true, false}) check(x, axes, keep, false);
  }
  check(random_floats({}, 1, 2), {}, true, false);
  check(random_floats({1, 300}, 0.9f, 1.1f), {1}, false, false);
}

TEST(Reduce, RunsInTheBlockedLayout) {
  const Tensor x = random_floats({2, 19, 3, 5}, 0.25f, 1.5f);
  check(x, {2, 3}, true, true);
  check(x, {1}, true, true);
  check(x, {2, 3}, false, true);
  check(random_floats({2, 32, 3, 5}, 0.25f, 1.5f), {2, 3}, false, true);
  const auto run = run_op({.type = "ReduceMean",
                           .inputs = {x},
                           .attributes = {{"axes", Ints{-1, -2}}},
                           .opset = 13,
                           .blocked = {0}});
  ASSERT_TRUE(run.ok());
  EXPECT_EQ(run->layouts[0], Layout::kBlocked);
}

TEST(Reduce, TakesIntegers) {
  const Tensor x = int64s({2, 3}, {1, -5, 3, 4, 5, -6});
  const auto on_rows = [&](const char* type, const Values& expected) {
    expect_op({.type = type, .inputs = {x, int64s({1}, {1})}, .constants = {1}}, {2, 1}, expected);
  };
  on_rows("ReduceSum", {-1, 3});
  on_rows("ReduceMax", {3, 5});
  on_rows("ReduceMin", {-5, -6});
  on_rows("ReduceProd", {-15, -120});
  on_rows("ReduceL1", {9, 15});
  on_rows("ReduceMean", {0, 1});
}

TEST(Reduce, KnowsEmptySetsAndNoAxes) {
  const Tensor none(DType::kFloat32, {2, 0});
  OpCase op{.type = "ReduceSum", .inputs = {none, int64s({1}, {1})}, .constants = {1}};
  expect_op(op, {2, 1}, {0, 0});
  expect_op({.type = "ReduceSum", .inputs = {none, int64s({1}, {0})}, .constants = {1}}, {1, 0},
            {});
  op.type = "ReduceProd";
  expect_op(op, {2, 1}, {1, 1});
  op.type = "ReduceMax";
  expect_op(op, {2, 1}, {-INFINITY, -INFINITY});
  op.type = "ReduceLogSumExp";
  expect_op(op, {2, 1}, {-INFINITY, -INFINITY});
  const Tensor x = floats({2}, {-3, 4});
  expect_op({.type = "ReduceSumSquare",
             .inputs = {x},
             .attributes = {{"noop_with_empty_axes", std::int64_t{1}}}},
            {2}, {9, 16});
  EXPECT_THAT(error_of({.type = "ReduceSum", .inputs = {x, int64s({1}, {3})}, .constants = {1}}),
              testing::HasSubstr("axis"));
}

TEST(Reduce, KeepsNaN) {
  Tensor x = random_floats({3, 37});
  x.mutable_data<float>()[37 + 30] = NAN;
  for (const char* type : {"ReduceMax", "ReduceMin", "ReduceSum"}) {
    for (const OpSetting& setting : op_settings()) {
      const auto y =
          outputs_of({.type = type, .inputs = {x, int64s({1}, {1})}, .constants = {1}}, setting);
      EXPECT_FALSE(std::isnan(doubles(y[0])[0])) << type;
      EXPECT_TRUE(std::isnan(doubles(y[0])[1])) << type;
    }
  }
}

// Softmax of every line along `axis`.
Values softmax(const Tensor& x, std::size_t axis, bool log) {
  const Shape& shape = x.shape();
  const std::int64_t inner = shape.elements(axis + 1, shape.rank()), k = shape[axis];
  Values y = doubles(x);
  const Values v = y;
  for (std::int64_t i = 0; i < x.elements(); ++i) {
    const std::int64_t first = i / (k * inner) * k * inner + i % inner;
    double total = 0;
    for (std::int64_t j = 0; j < k; ++j)
      total += std::exp(v[static_cast<std::size_t>(first + j * inner)]);
    const auto at = static_cast<std::size_t>(i);
    y[at] = log ? v[at] - std::log(total) : std::exp(v[at]) / total;
  }
  return y;
}

TEST(Softmax, GoesAlongAnyAxis) {
  for (const Shape& shape :
       {Shape{3, 5, 7}, Shape{2, 1, 33}, Shape{1, 16, 130}, Shape{70, 100}, Shape{67, 2}}) {
    const Tensor x = random_floats(shape, -8, 8);
    for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
      const Attributes attributes = {{"axis", static_cast<std::int64_t>(axis)}};
      expect_op({.type = "Softmax", .inputs = {x}, .attributes = attributes}, shape,
                softmax(x, axis, false), {1e-6, 2e-6});
      expect_op({.type = "LogSoftmax", .inputs = {x}, .attributes = attributes}, shape,
                softmax(x, axis, true), {2e-6, 2e-6});
    }
  }
}

TEST(Softmax, MakesAMatrixInOldOpsets) {
  const Tensor x = random_floats({2, 3, 5});
  expect_op({.type = "Softmax", .inputs = {x}, .opset = 11}, {2, 3, 5},
            softmax(x.reshaped({2, 15}), 1, false), {1e-6, 1e-6});
}

TEST(Softmax, TakesDouble) {
  const Tensor x = Tensor::from<double>({2, 2}, {1, 3, 2, 2});
  expect_op({.type = "Hardmax", .inputs = {x}}, {2, 2}, {0, 1, 1, 0});
  expect_op({.type = "Softmax", .inputs = {x}}, {2, 2}, softmax(x, 1, false), {1e-12, 1e-12});
}

TEST(Arg, ChoosesTheFirstOrTheLast) {
  const Tensor x = floats({2, 4}, {1, 7, 7, 0, -2, -2, 5, 5});
  expect_op({.type = "ArgMax", .inputs = {x}, .attributes = {{"axis", std::int64_t{1}}}}, {2, 1},
            {1, 2});
  expect_op({.type = "ArgMin",
             .inputs = {x},
             .attributes = {{"axis", std::int64_t{-1}},
                            {"keepdims", std::int64_t{0}},
                            {"select_last_index", std::int64_t{1}}}},
            {2}, {3, 1});
  expect_op({.type = "ArgMax", .inputs = {x}}, {1, 4}, {0, 0, 0, 1});
}

// Integers from -3 to 3, with many equal ones and now and then a NaN.
std::vector<float> coarse_numbers(std::size_t count) {
  std::vector<float> numbers;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t hash = i * 2654435761u >> 7;
    numbers.push_back(hash % 53 == 0 ? std::nanf("") : static_cast<float>(hash % 7) - 3);
  }
  return numbers;
}

// Neighbouring lines are gone through side by side: more and fewer of them than that takes.
TEST(Arg, OfManyLines) {
  for (const std::int64_t inner : {1, 2, 63, 64, 65, 150}) {
    const std::int64_t outer = 3, k = 21;
    const std::vector<float> x = coarse_numbers(static_cast<std::size_t>(outer * k * inner));
    for (const bool greatest : {true, false}) {
      for (const bool last : {true, false}) {
        Values expected;
        for (std::int64_t line = 0; line < outer * inner; ++line) {
          const auto at = [&](std::int64_t j) {
            return x[static_cast<std::size_t>((line / inner * k + j) * inner + line % inner)];
          };
          std::int64_t best = 0;
          for (std::int64_t j = 1; j < k; ++j) {
            const float a = at(j), b = at(best);
            const bool ahead = !std::isnan(b) && (std::isnan(a) || (greatest ? a > b : a < b));
            const bool equal = a == b || (std::isnan(a) && std::isnan(b));
            if (ahead || (last && equal)) best = j;
          }
          expected.push_back(static_cast<double>(best));
        }
        expect_op({.type = greatest ? "ArgMax" : "ArgMin",
                   .inputs = {floats({outer, k, inner}, x)},
                   .attributes = {{"axis", std::int64_t{1}},
                                  {"keepdims", std::int64_t{0}},
                                  {"select_last_index", std::int64_t{last}}}},
                  {outer, inner}, expected);
      }
    }
  }
}

TEST(CumSum, OfManyLines) {
  for (const std::int64_t inner : {1, 5, 64, 131}) {
    const Tensor x = random_floats({2, 9, inner});
    Values expected = doubles(x);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const auto line = static_cast<std::size_t>(inner);
      if (i / line % 9 != 0) expected[i] += expected[i - line];
    }
    expect_op({.type = "CumSum", .inputs = {x, int64s({}, {1})}}, {2, 9, inner}, expected,
              {1e-5, 1e-5});
  }
}

TEST(CumSum, GoesBothWays) {
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor axis = int64s({}, {1});
  const std::int64_t one = 1;
  expect_op({.type = "CumSum", .inputs = {x, axis}}, {2, 3}, {1, 3, 6, 4, 9, 15});
  expect_op({.type = "CumSum", .inputs = {x, axis}, .attributes = {{"exclusive", one}}}, {2, 3},
            {0, 1, 3, 0, 4, 9});
  expect_op({.type = "CumSum", .inputs = {x, axis}, .attributes = {{"reverse", one}}}, {2, 3},
            {6, 5, 3, 15, 11, 6});
  expect_op({.type = "CumSum", .inputs = {x, int64s({}, {0})}}, {2, 3}, {1, 2, 3, 5, 7, 9});
}

TEST(CumProd, Multiplies) {
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  OpCase op{.type = "CumProd", .inputs = {x, int64s({}, {-1})}, .opset = 26};
  expect_op(op, {2, 3}, {1, 2, 6, 4, 20, 120});
  op.attributes = {{"exclusive", std::int64_t{1}}, {"reverse", std::int64_t{1}}};
  expect_op(op, {2, 3}, {6, 3, 1, 30, 6, 1});
}

TEST(LpNormalization, DividesByTheNorm) {
  const Tensor x = floats({2, 2}, {3, -4, 0, 0});
  expect_op({.type = "LpNormalization", .inputs = {x}}, {2, 2}, {0.6, -0.8, 0, 0}, {1e-6, 1e-6});
  expect_op({.type = "LpNormalization", .inputs = {x}, .attributes = {{"p", std::int64_t{1}}}},
            {2, 2}, {3 / 7., -4 / 7., 0, 0}, {1e-6, 1e-6});
}

}  // namespace
}  // namespace mini_infer
