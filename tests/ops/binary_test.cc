#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "tests/support/op_test.h"

namespace mini_infer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr Tolerance kTolerance{.absolute = 1e-6, .relative = 1e-6};

struct Function {
  const char* type;
  double (*f)(double, double);
};
const std::vector<Function> kArithmetic = {
    {"Add", [](double a, double b) { return a + b; }},
    {"Sub", [](double a, double b) { return a - b; }},
    {"Mul", [](double a, double b) { return a * b; }},
    {"Div", [](double a, double b) { return a / b; }},
    {"Min", [](double a, double b) { return std::min(a, b); }},
    {"Max", [](double a, double b) { return std::max(a, b); }},
    {"Sum", [](double a, double b) { return a + b; }},
    {"Mean", [](double a, double b) { return (a + b) / 2; }},
};
const std::vector<Function> kPredicates = {
    {"Less", [](double a, double b) { return a < b ? 1.0 : 0.0; }},
    {"Greater", [](double a, double b) { return a > b ? 1.0 : 0.0; }},
    {"LessOrEqual", [](double a, double b) { return a <= b ? 1.0 : 0.0; }},
    {"GreaterOrEqual", [](double a, double b) { return a >= b ? 1.0 : 0.0; }},
    {"Equal", [](double a, double b) { return a == b ? 1.0 : 0.0; }},
};

std::vector<double> expected_of(const Function& function, const Tensor& a, const Tensor& b,
                                const Shape& out) {
  const auto x = broadcast_values(doubles(a), a.shape(), out);
  const auto y = broadcast_values(doubles(b), b.shape(), out);
  std::vector<double> expected;
  for (std::size_t i = 0; i < x.size(); ++i) expected.push_back(function.f(x[i], y[i]));
  return expected;
}

template <class T>
std::vector<T> values_of(const OpCase& op) {
  const std::vector<Tensor> outputs = outputs_of(op);
  return outputs.empty()
             ? std::vector<T>{}
             : std::vector<T>(outputs[0].data<T>(), outputs[0].data<T>() + outputs[0].elements());
}

struct Shapes {
  Shape a, b, out;
};
const std::vector<Shapes> kShapes = {
    {{}, {}, {}},
    {{1}, {}, {1}},
    {{17}, {17}, {17}},
    {{2, 3, 5, 7}, {2, 3, 5, 7}, {2, 3, 5, 7}},
    {{2, 3, 5, 7}, {}, {2, 3, 5, 7}},
    {{}, {101}, {101}},
    {{2, 3, 5, 7}, {3, 1, 1}, {2, 3, 5, 7}},
    {{2, 3, 5, 7}, {7}, {2, 3, 5, 7}},
    {{2, 3, 1, 7}, {2, 1, 5, 1}, {2, 3, 5, 7}},
    {{1, 33}, {31, 1}, {31, 33}},
    {{4, 16}, {16}, {4, 16}},
    {{5, 1, 3}, {1, 4, 3}, {5, 4, 3}},
    {{0, 3}, {3}, {0, 3}},
    {{211, 203}, {211, 203}, {211, 203}},
    {{211, 203}, {211, 1}, {211, 203}},
};

TEST(Binary, BroadcastsAsNumpy) {
  for (const Shapes& s : kShapes) {
    const Tensor a = random_floats(s.a, -4, 4, 1), b = random_floats(s.b, 0.5, 4, 2);
    for (const Function& f : kArithmetic) {
      expect_op({.type = f.type, .inputs = {a, b}}, s.out, expected_of(f, a, b, s.out), kTolerance);
    }
    for (const Function& f : kPredicates) {
      expect_op({.type = f.type, .inputs = {a, b}}, s.out, expected_of(f, a, b, s.out));
    }
  }
}

TEST(Binary, TakesEveryNumericType) {
  const auto check = []<class T>() {
    const Tensor a = Tensor::from<T>({2, 2}, std::vector<T>{7, 1, 0, 12});
    const Tensor b = Tensor::from<T>({2}, std::vector<T>{2, 5});
    EXPECT_THAT(values_of<T>({.type = "Add", .inputs = {a, b}}), ElementsAre(9, 6, 2, 17));
    EXPECT_THAT(values_of<T>({.type = "Mul", .inputs = {a, b}}), ElementsAre(14, 5, 0, 60));
    EXPECT_THAT(values_of<T>({.type = "Max", .inputs = {a, b}}), ElementsAre(7, 5, 2, 12));
    expect_op({.type = "Greater", .inputs = {a, b}}, {2, 2}, {1, 0, 0, 1});
  };
  check.operator()<double>();
  check.operator()<std::int8_t>();
  check.operator()<std::int16_t>();
  check.operator()<std::int32_t>();
  check.operator()<std::int64_t>();
  check.operator()<std::uint8_t>();
  check.operator()<std::uint16_t>();
  check.operator()<std::uint32_t>();
  check.operator()<std::uint64_t>();
}

TEST(Binary, DividesIntegersWithoutTraps) {
  constexpr auto kLowest = std::numeric_limits<std::int64_t>::min();
  const Tensor a = int64s({4}, {7, -7, kLowest, 9});
  const Tensor b = int64s({4}, {2, 2, -1, 3});
  EXPECT_EQ(values_of<std::int64_t>({.type = "Div", .inputs = {a, b}}), (Ints{3, -3, kLowest, 3}));
  EXPECT_EQ(values_of<std::int64_t>({.type = "Mod", .inputs = {a, b}}), (Ints{1, 1, 0, 0}));
  EXPECT_THAT(error_of({.type = "Div", .inputs = {a, int64s({}, {0})}}), HasSubstr("zero"));
  EXPECT_THAT(error_of({.type = "Mod", .inputs = {a, int64s({}, {0})}}), HasSubstr("zero"));
}

// x is [2,19,3,5] and blocked; b comes second, or first when `swap`.
void check_blocked(const Shape& shape, bool constant, bool swap) {
  const Shape full{2, 19, 3, 5};
  const Tensor x = random_floats(full, 0.5, 4, 1), b = random_floats(shape, 0.5, 4, 2);
  OpCase op{.inputs = swap ? std::vector{b, x} : std::vector{x, b},
            .blocked = {swap ? std::size_t{1} : 0}};
  if (constant) op.constants = {swap ? std::size_t{0} : 1};
  for (const Function& f : kArithmetic) {
    op.type = f.type;
    expect_op(op, full, expected_of(f, op.inputs[0], op.inputs[1], full), kTolerance);
    const auto run = run_op(op);
    ASSERT_TRUE(run.ok());
    EXPECT_EQ(run->layouts[0], Layout::kBlocked) << f.type << shape.str();
  }
}

TEST(Binary, RunsInTheBlockedLayout) {
  for (const bool swap : {false, true}) {
    for (const Shape& shape : {Shape{1, 19, 1, 1}, Shape{19, 1, 1}, Shape{1}, Shape{3, 5}}) {
      check_blocked(shape, true, swap);
    }
    for (const Shape& shape :
         {Shape{2, 19, 3, 5}, Shape{2, 19, 1, 1}, Shape{2, 1, 3, 5}, Shape{}, Shape{1, 19, 1, 1}}) {
      check_blocked(shape, false, swap);
    }
  }
}

TEST(Binary, FollowsTheAxisOfOldOpsets) {
  const Tensor a = random_floats({2, 3, 4}), b = random_floats({3}, 0.5, 4, 2);
  expect_op({.type = "Add",
             .inputs = {a, b},
             .attributes = {{"broadcast", std::int64_t{1}}, {"axis", std::int64_t{1}}},
             .opset = 6},
            {2, 3, 4}, expected_of(kArithmetic[0], a, b.reshaped({3, 1}), {2, 3, 4}), kTolerance);
}

TEST(Binary, AppliesAlongAList) {
  const Tensor a = floats({3}, {1, 8, 3}), b = floats({1}, {2}), c = floats({2, 1}, {5, 0});
  expect_op({.type = "Max", .inputs = {a, b, c}}, {2, 3}, {5, 8, 5, 2, 8, 3});
  expect_op({.type = "Sum", .inputs = {a, b, c}}, {2, 3}, {8, 15, 10, 3, 10, 5});
  expect_op({.type = "Mean", .inputs = {a, b, c}}, {2, 3}, {8 / 3., 5, 10 / 3., 1, 10 / 3., 5 / 3.},
            kTolerance);
  expect_op({.type = "Min", .inputs = {a}}, {3}, {1, 8, 3});
}

TEST(Binary, MinAndMaxGiveNaN) {
  const Tensor a = floats({4}, {NAN, 1, NAN, 2}), b = floats({4}, {1, NAN, NAN, 3});
  expect_op({.type = "Max", .inputs = {a, b}}, {4}, {NAN, NAN, NAN, 3});
  expect_op({.type = "Min", .inputs = {a, b}}, {4}, {NAN, NAN, NAN, 2});
}

TEST(Binary, RefusesWhatDoesNotBroadcast) {
  EXPECT_EQ(error_of({.type = "Add", .inputs = {random_floats({2, 3}), random_floats({4})}}),
            "node 'Add_0' (Add, opset 18): input 1 has shape [4], what comes before has [2,3]: "
            "extents must be equal or 1, counted from the last dimension");
}

const Function kPRelu{"PRelu", [](double a, double b) { return a < 0 ? a * b : a; }};

TEST(PRelu, ReadsEverySpellingOfTheSlope) {
  const Tensor x = random_floats({2, 5, 3, 7}, -4, 4);
  for (const Shape& shape : {Shape{5, 1, 1}, Shape{1, 5, 1, 1}, Shape{1}, Shape{5, 3, 7},
                             Shape{1, 1, 1}, Shape{}, Shape{7}}) {
    const Tensor slope = random_floats(shape, -1, 1, 2);
    OpCase op{.type = "PRelu", .inputs = {x, slope}, .constants = {1}};
    expect_op(op, x.shape(), expected_of(kPRelu, x, slope, x.shape()), kTolerance);
    op.blocked = {0};
    expect_op(op, x.shape(), expected_of(kPRelu, x, slope, x.shape()), kTolerance);
  }
}

TEST(PRelu, RepairsTheSlopeOfMXNet) {
  const Tensor x = random_floats({2, 5, 3, 7}, -4, 4), slope = random_floats({5}, -1, 1, 2);
  OpCase op{.type = "PRelu", .inputs = {x, slope}, .constants = {1}};
  for (int blocked = 0; blocked < 2; ++blocked) {
    if (blocked != 0) op.blocked = {0};
    expect_op(op, x.shape(), expected_of(kPRelu, x, slope.reshaped({5, 1, 1}), x.shape()),
              kTolerance);
    const auto run = run_op(op);
    ASSERT_TRUE(run.ok());
    EXPECT_THAT(run->warnings, ElementsAre(HasSubstr("[5] read as [5,1,1]")));
  }
}

TEST(PRelu, RefusesWhatItCannotRead) {
  EXPECT_EQ(error_of({.type = "PRelu",
                      .inputs = {random_floats({1, 56, 4, 4}), random_floats({64})},
                      .opset = 9}),
            "node 'PRelu_0' (PRelu, opset 9): slope has shape [64], x has [1,56,4,4]: slope must "
            "broadcast to x by trailing dimensions, or hold one value per channel");
}

}  // namespace
}  // namespace mini_infer
