// Pooling against windows walked one tap at a time, in both layouts.
#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "tests/support/op_test.h"

namespace mini_infer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr Tolerance kTolerance{.absolute = 1e-5, .relative = 1e-5};

struct PoolCase {
  const char* name;
  Shape x;
  std::vector<std::int64_t> kernel, stride = {}, dilation = {}, pads = {};
  std::int64_t ceil_mode = 0, include_pad = 0;
  Shape y = {};  // set by hand where ceil_mode makes it interesting
};
std::ostream& operator<<(std::ostream& out, const PoolCase& c) { return out << c.name; }

const std::vector<PoolCase> kCases = {
    {"one number", {1, 1, 1, 1}, {1, 1}},
    {"2x2", {2, 19, 6, 8}, {2, 2}, {2, 2}},
    {"3x3 stride 2", {1, 32, 13, 14}, {3, 3}, {2, 2}, {}, {1, 1, 1, 1}},
    {"3x3 stride 1", {1, 5, 17, 19}, {3, 3}, {}, {}, {1, 1, 1, 1}},
    {"5x5 same size", {1, 16, 9, 7}, {5, 5}, {}, {}, {2, 2, 2, 2}},
    {"13x13 larger than half", {1, 3, 10, 10}, {13, 13}, {}, {}, {6, 6, 6, 6}},
    {"9x9 same size", {2, 33, 11, 20}, {9, 9}, {}, {}, {4, 4, 4, 4}},
    {"7x5 dilated, stride 2", {1, 18, 23, 19}, {7, 5}, {2, 2}, {2, 1}, {5, 2, 5, 2}},
    {"odd pads", {1, 17, 8, 9}, {3, 2}, {2, 3}, {}, {0, 1, 1, 0}},
    {"dilated", {1, 18, 12, 13}, {3, 3}, {1, 2}, {2, 3}, {2, 1, 2, 1}},
    {"dilated, wide", {1, 3, 9, 67}, {5, 5}, {}, {2, 2}, {4, 4, 4, 4}},
    {"narrower than the window", {1, 16, 9, 3}, {3, 5}, {1, 1}, {}, {1, 2, 1, 2}},
    {"ceil", {1, 4, 4, 4}, {3, 3}, {2, 2}, {}, {}, 1, 0, {1, 4, 2, 2}},
    {"ceil, pads", {1, 20, 6, 6}, {3, 3}, {2, 2}, {}, {1, 1, 1, 1}, 1, 0, {1, 20, 4, 4}},
    {"ceil, last window in the pads", {1, 1, 2, 2}, {1, 1}, {2, 2}, {}, {}, 1, 0, {1, 1, 1, 1}},
    {"with pads", {1, 16, 7, 7}, {3, 3}, {2, 2}, {}, {1, 1, 1, 1}, 0, 1},
    {"with pads, ceil", {1, 16, 6, 6}, {3, 3}, {2, 2}, {}, {1, 1, 1, 1}, 1, 1},
    {"one axis", {2, 5, 33}, {4}, {3}, {}, {1, 2}},
    {"three axes", {1, 3, 5, 6, 7}, {2, 3, 2}, {1, 2, 2}, {}, {1, 0, 1, 0, 1, 0}},
};

std::vector<std::int64_t> or_ones(const std::vector<std::int64_t>& values, std::size_t size) {
  return values.empty() ? std::vector<std::int64_t>(size, 1) : values;
}

// Calls visit(values in the window, elements of the padded input in it) for each output in order.
template <class Visit>
void for_each_window(const PoolCase& c, const Shape& y, Visit&& visit) {
  const std::size_t rank = c.kernel.size();
  const auto stride = or_ones(c.stride, rank), dilation = or_ones(c.dilation, rank);
  const Tensor x = random_floats(c.x);
  const float* data = x.data<float>();
  const std::int64_t in_plane = c.x.elements(2, rank + 2), out_plane = y.elements(2, rank + 2);
  std::int64_t taps = 1;
  for (const std::int64_t k : c.kernel) taps *= k;
  for (std::int64_t out = 0; out < y.elements(); ++out) {
    std::vector<double> values;
    std::int64_t padded = 0;
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      std::int64_t o = out % out_plane, k = tap, at = 0, step = 1;
      bool inside = true, in_pads = true;
      for (std::size_t axis = rank; axis-- > 0;) {
        const std::int64_t begin = c.pads.empty() ? 0 : c.pads[axis];
        const std::int64_t end = c.pads.empty() ? 0 : c.pads[rank + axis];
        const std::int64_t place =
            o % y[axis + 2] * stride[axis] + k % c.kernel[axis] * dilation[axis] - begin;
        o /= y[axis + 2];
        k /= c.kernel[axis];
        inside &= place >= 0 && place < c.x[axis + 2];
        in_pads &= place < c.x[axis + 2] + end;
        at += place * step;
        step *= c.x[axis + 2];
      }
      if (inside) values.push_back(static_cast<double>(data[out / out_plane * in_plane + at]));
      if (in_pads) ++padded;
    }
    visit(values, padded);
  }
}

Shape output_shape(const PoolCase& c) {
  if (c.y.rank() > 0) return c.y;
  const std::size_t rank = c.kernel.size();
  const auto stride = or_ones(c.stride, rank), dilation = or_ones(c.dilation, rank);
  Shape y{c.x[0], c.x[1]};
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t pads = c.pads.empty() ? 0 : c.pads[i] + c.pads[rank + i];
    const std::int64_t room = c.x[i + 2] + pads - (c.kernel[i] - 1) * dilation[i] - 1;
    y.push_back((c.ceil_mode != 0 ? (room + stride[i] - 1) / stride[i] : room / stride[i]) + 1);
  }
  return y;
}

OpCase op_of(const char* type, const PoolCase& c, bool blocked) {
  OpCase op{.type = type,
            .inputs = {random_floats(c.x)},
            .attributes = {{"kernel_shape", c.kernel}, {"ceil_mode", c.ceil_mode}},
            .opset = 19};
  if (!c.stride.empty()) op.attributes["strides"] = c.stride;
  if (!c.dilation.empty()) op.attributes["dilations"] = c.dilation;
  if (!c.pads.empty()) op.attributes["pads"] = c.pads;
  if (blocked) op.blocked = {0};
  return op;
}

class Pooling : public testing::TestWithParam<PoolCase> {};

TEST_P(Pooling, takes_the_largest) {
  const Shape y = output_shape(GetParam());
  std::vector<double> expected;
  for_each_window(GetParam(), y, [&](const std::vector<double>& values, std::int64_t) {
    double most = -std::numeric_limits<double>::infinity();
    for (const double value : values) most = std::max(most, value);
    expected.push_back(most);
  });
  expect_op(op_of("MaxPool", GetParam(), false), y, expected);
  expect_op(op_of("MaxPool", GetParam(), true), y, expected);
}

TEST_P(Pooling, takes_the_mean) {
  const Shape y = output_shape(GetParam());
  std::vector<double> expected;
  for_each_window(GetParam(), y, [&](const std::vector<double>& values, std::int64_t padded) {
    double sum = 0;
    for (const double value : values) sum += value;
    const std::int64_t count =
        GetParam().include_pad != 0 ? padded : static_cast<std::int64_t>(values.size());
    expected.push_back(sum / static_cast<double>(count));
  });
  for (const bool blocked : {false, true}) {
    OpCase op = op_of("AveragePool", GetParam(), blocked);
    op.attributes["count_include_pad"] = GetParam().include_pad;
    expect_op(op, y, expected, kTolerance);
  }
}

TEST_P(Pooling, takes_the_norm) {
  const Shape y = output_shape(GetParam());
  std::vector<double> expected;
  for_each_window(GetParam(), y, [&](const std::vector<double>& values, std::int64_t) {
    double sum = 0;
    for (const double value : values) sum += std::pow(std::abs(value), 3);
    expected.push_back(std::cbrt(sum));
  });
  OpCase op = op_of("LpPool", GetParam(), false);
  op.attributes["p"] = std::int64_t{3};
  expect_op(op, y, expected, kTolerance);
}

INSTANTIATE_TEST_SUITE_P(Cases, Pooling, testing::ValuesIn(kCases));

TEST(GlobalPool, of_both_layouts) {
  for (const Shape& shape :
       {Shape{1, 1, 1, 1}, Shape{2, 19, 5, 7}, Shape{1, 33, 67}, Shape{1, 16, 40, 40}}) {
    const Tensor x = random_floats(shape);
    const std::int64_t plane = shape.elements(2, shape.rank());
    std::vector<double> means, largest;
    for (std::int64_t p = 0; p < shape[0] * shape[1]; ++p) {
      double sum = 0, most = -2;
      for (std::int64_t i = 0; i < plane; ++i) {
        const double value = static_cast<double>(x.data<float>()[p * plane + i]);
        sum += value;
        most = std::max(most, value);
      }
      means.push_back(sum / static_cast<double>(plane));
      largest.push_back(most);
    }
    Shape y = shape;
    for (std::size_t axis = 2; axis < y.rank(); ++axis) y[axis] = 1;
    for (const std::vector<std::size_t>& blocked : {std::vector<std::size_t>{}, {0}}) {
      expect_op({.type = "GlobalAveragePool", .inputs = {x}, .blocked = blocked}, y, means,
                kTolerance);
      expect_op({.type = "GlobalMaxPool", .inputs = {x}, .blocked = blocked}, y, largest);
    }
  }
}

TEST(MaxPool, leaves_nan_out) {
  const float nan = std::nanf("");
  const OpCase op{.type = "MaxPool",
                  .inputs = {floats({1, 1, 1, 4}, {nan, 1.f, -2.f, nan})},
                  .attributes = {{"kernel_shape", Ints{1, 2}}}};
  expect_op(op, {1, 1, 1, 3}, {1, 1, -2});
}

TEST(GlobalMaxPool, keeps_nan) {
  const float nan = std::nanf("");
  for (const std::vector<std::size_t>& blocked : {std::vector<std::size_t>{}, {0}}) {
    expect_op({.type = "GlobalMaxPool",
               .inputs = {floats({1, 2, 3}, {1.f, nan, 2.f, 3.f, 5.f, 4.f})},
               .blocked = blocked},
              {1, 2, 1}, {std::nan(""), 5});
  }
}

TEST(MaxPool, tells_where_the_largest_lies) {
  OpCase op{.type = "MaxPool",
            .inputs = {floats({1, 2, 2, 2}, {1, 4, 3, 2, 5, 6, 8, 7})},
            .attributes = {{"kernel_shape", Ints{2, 2}}},
            .outputs = 2};
  auto outputs = outputs_of(op);
  ASSERT_EQ(outputs.size(), 2u);
  EXPECT_THAT(outputs[1].values<std::int64_t>(), ElementsAre(1, 6));
  op.attributes["storage_order"] = std::int64_t{1};
  outputs = outputs_of(op);
  ASSERT_EQ(outputs.size(), 2u);
  EXPECT_THAT(outputs[1].values<std::int64_t>(), ElementsAre(2, 5));
}

TEST(MaxUnpool, puts_elements_back) {
  const OpCase op{.type = "MaxUnpool",
                  .inputs = {floats({1, 1, 1, 2}, {7, 9}), int64s({1, 1, 1, 2}, {2, 7})},
                  .attributes = {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}}};
  expect_op(op, {1, 1, 2, 4}, {0, 0, 7, 0, 0, 0, 0, 9});
  OpCase outside = op;
  outside.inputs[1] = int64s({1, 1, 1, 2}, {2, 8});
  EXPECT_THAT(error_of(outside), HasSubstr("index 8 is outside of the 8 elements"));
}

TEST(Pool, refuses_what_it_cannot_read) {
  const Tensor x = random_floats({1, 1, 4, 4});
  EXPECT_THAT(error_of({.type = "MaxPool", .inputs = {x}}), HasSubstr("kernel_shape is missing"));
  EXPECT_THAT(
      error_of({.type = "MaxPool", .inputs = {x}, .attributes = {{"kernel_shape", Ints{5, 5}}}}),
      HasSubstr("the window needs 5"));
  EXPECT_THAT(error_of({.type = "AveragePool",
                        .inputs = {x},
                        .attributes = {{"kernel_shape", Ints{2, 2}}, {"pads", Ints{0, -1, 0, 0}}}}),
              HasSubstr("every entry must be at least 0"));
  EXPECT_THAT(
      error_of({.type = "AveragePool",
                .inputs = {x},
                .attributes = {{"kernel_shape", Ints{2, 2}}, {"auto_pad", std::string("SAME")}}}),
      HasSubstr("auto_pad is 'SAME'"));
}

}  // namespace
}  // namespace mini_infer
