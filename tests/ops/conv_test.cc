// Conv, FusedConv and ConvTranspose on every layout, against their definition in double.
#include <gmock/gmock.h>

#include <cmath>

#include "kernels/conv/reference.h"
#include "kernels/fused_activation.h"
#include "tests/support/op_test.h"

namespace mini_infer {
namespace {

using testing::HasSubstr;

// Sums of up to a few thousand products of numbers below 1.
constexpr Tolerance kTolerance{.absolute = 2e-5, .relative = 1e-5};

struct ConvCase {
  std::string name;
  std::int64_t n, ic, oc, groups;
  std::vector<std::int64_t> in, kernel, stride = {}, dilation = {}, pads = {};
  const char* activation = "";
  Floats activation_params = {};
  bool bias = true, residual = false;
  Border border = Border::kZero;
  bool scaled = false;  // the channels of x have factors
};
std::ostream& operator<<(std::ostream& out, const ConvCase& c) { return out << c.name; }

std::vector<std::int64_t> or_ones(const std::vector<std::int64_t>& values, std::size_t size) {
  return values.empty() ? std::vector<std::int64_t>(size, 1) : values;
}

ConvGeometry geometry_of(const ConvCase& c) {
  ConvGeometry g;
  g.n = c.n;
  g.ic = c.ic;
  g.oc = c.oc;
  g.groups = c.groups;
  g.border = c.border;
  const std::size_t rank = c.in.size();
  const auto stride = or_ones(c.stride, rank), dilation = or_ones(c.dilation, rank);
  for (std::size_t i = 0; i < rank; ++i) {
    const std::size_t to = 3 - rank + i;
    g.in[to] = c.in[i];
    g.kernel[to] = c.kernel[i];
    g.stride[to] = stride[i];
    g.dilation[to] = dilation[i];
    g.pad_begin[to] = c.pads.empty() ? 0 : c.pads[i];
    g.pad_end[to] = c.pads.empty() ? 0 : c.pads[rank + i];
    const std::int64_t extent = (c.kernel[i] - 1) * dilation[i] + 1;
    g.out[to] = (c.in[i] + g.pad_begin[to] + g.pad_end[to] - extent) / stride[i] + 1;
  }
  return g;
}

Shape shape_of(std::int64_t n, std::int64_t channels, const std::array<std::int64_t, 3>& extents,
               std::size_t rank) {
  Shape shape{n, channels};
  for (std::size_t i = 3 - rank; i < 3; ++i) shape.push_back(extents[i]);
  return shape;
}

// The node and what it should give.
struct Expectation {
  OpCase op;
  Shape shape;
  std::vector<double> values;
};

Expectation expectation_of(const ConvCase& c) {
  const ConvGeometry g = geometry_of(c);
  const std::size_t rank = c.in.size();
  Expectation e;
  e.shape = shape_of(g.n, g.oc, g.out, rank);
  const Tensor x = random_floats(shape_of(g.n, g.ic, g.in, rank), -1, 1, 1);
  const Tensor w = random_floats(shape_of(g.oc, g.group_ic(), g.kernel, rank), -1, 1, 2);
  const Tensor bias = c.bias ? random_floats({g.oc}, -1, 1, 3) : Tensor();
  const Tensor residual = c.residual ? random_floats(e.shape, -1, 1, 4) : Tensor();
  const bool prelu = std::string(c.activation) == "PRelu";
  const Tensor slope = prelu ? random_floats({g.oc, 1, 1}, 0, 1, 5) : Tensor();
  const Tensor scales = c.scaled ? random_floats({1, g.ic, 1, 1}, -1, 1, 6) : Tensor();
  const bool bordered = c.border != Border::kZero;
  const bool fused = c.activation[0] != 0 || c.residual || bordered || c.scaled;
  e.op = {.type = fused ? "FusedConv" : "Conv",
          .inputs = {x, w, bias},
          .attributes = {{"group", g.groups}},
          .domain = fused ? std::string(kInternalDomain) : ""};
  if (c.residual || prelu || c.scaled) e.op.inputs.push_back(residual);
  if (prelu || c.scaled) e.op.inputs.push_back(slope);
  if (c.scaled) e.op.inputs.push_back(scales);
  if (!c.stride.empty()) e.op.attributes["strides"] = c.stride;
  if (!c.dilation.empty()) e.op.attributes["dilations"] = c.dilation;
  if (!c.pads.empty()) e.op.attributes["pads"] = c.pads;
  if (bordered)
    e.op.attributes["border"] = std::string(c.border == Border::kEdge ? "edge" : "reflect");
  if (fused) e.op.attributes["activation"] = std::string(c.activation);
  if (!c.activation_params.empty()) e.op.attributes["activation_params"] = c.activation_params;

  ActivationParams activation;
  if (!prelu) {
    Node node;
    node.attributes = e.op.attributes;
    activation = read_activation(AttributeReader(node)).value().params;
  }
  const auto xs = x.values<float>(), ws = w.values<float>();
  e.values.resize(static_cast<std::size_t>(e.shape.elements()));
  reference::conv<double>(
      g, {0, g.n * g.oc},
      [&](std::int64_t i) {
        const auto channel = static_cast<std::size_t>(i / x.shape().elements(2, rank + 2) % g.ic);
        const double factor = c.scaled ? double{scales.values<float>()[channel]} : 1;
        return factor * static_cast<double>(xs[static_cast<std::size_t>(i)]);
      },
      [&](std::int64_t i, std::int64_t) {
        return static_cast<double>(ws[static_cast<std::size_t>(i)]);
      },
      [&](std::int64_t i, std::int64_t oc, double sum) {
        const auto at = static_cast<std::size_t>(i), channel = static_cast<std::size_t>(oc);
        if (c.bias) sum += static_cast<double>(bias.values<float>()[channel]);
        if (c.residual) sum += static_cast<double>(residual.values<float>()[at]);
        if (prelu && sum < 0) sum *= static_cast<double>(slope.values<float>()[channel]);
        e.values[at] = prelu ? sum : activate(activation, sum);
      });
  return e;
}

const std::vector<ConvCase> kCases = {
    {"one number", 1, 1, 1, 1, {1, 1}, {1, 1}},
    {"1x1", 2, 19, 23, 1, {5, 7}, {1, 1}},
    {"1x1 stride 2", 1, 32, 48, 1, {9, 11}, {1, 1}, {2, 2}},
    {"1x1 with pads", 1, 17, 16, 1, {3, 4}, {1, 1}, {}, {}, {1, 1, 1, 1}},
    {"stem", 1, 3, 33, 1, {23, 19}, {7, 7}, {2, 2}, {}, {3, 3, 3, 3}},
    {"stem of one channel", 2, 1, 8, 1, {13, 17}, {3, 3}, {}, {}, {1, 0, 0, 1}},
    {"3x3 winograd", 1, 32, 40, 1, {13, 14}, {3, 3}, {}, {}, {1, 1, 1, 1}},
    {"3x3 winograd, stride 2", 2, 32, 40, 1, {29, 30}, {3, 3}, {2, 2}, {}, {1, 1, 1, 1}},
    {"3x3 winograd, small map", 2, 17, 31, 1, {7, 5}, {3, 3}, {}, {}, {1, 1, 1, 1}},
    {"3x3 few channels", 1, 5, 13, 1, {11, 8}, {3, 3}, {}, {}, {1, 1, 1, 1}},
    {"3x3 stride 2", 2, 24, 15, 1, {15, 12}, {3, 3}, {2, 2}, {}, {0, 1, 1, 0}},
    {"3x3 dilated", 1, 16, 16, 1, {13, 13}, {3, 3}, {}, {3, 2}, {3, 2, 3, 2}},
    {"5x3 stride 3x1", 1, 7, 9, 1, {16, 9}, {5, 3}, {3, 1}, {}, {2, 1, 2, 1}},
    {"depthwise", 2, 37, 37, 37, {9, 14}, {3, 3}, {}, {}, {1, 1, 1, 1}},
    {"depthwise 5x5 stride 2", 1, 16, 16, 16, {13, 13}, {5, 5}, {2, 2}, {}, {2, 2, 2, 2}},
    {"depthwise multiplier 2", 1, 16, 32, 16, {7, 7}, {3, 3}, {}, {}, {1, 1, 1, 1}},
    {"wide groups", 1, 32, 64, 2, {6, 7}, {3, 3}, {}, {}, {1, 1, 1, 1}},
    {"narrow groups", 1, 64, 64, 16, {6, 7}, {3, 3}, {}, {}, {1, 1, 1, 1}},
    {"many odd groups", 1, 150, 210, 30, {6, 7}, {3, 3}, {}, {}, {1, 1, 1, 1}},
    {"odd groups", 1, 15, 21, 3, {6, 7}, {3, 3}, {}, {}, {1, 1, 1, 1}},
    {"rows, stride 3", 2, 5, 3, 1, {9, 150}, {3, 5}, {2, 3}, {}, {1, 2, 0, 4}},
    {"rows, dilated",
     1,
     4,
     6,
     2,
     {9, 97},
     {3, 3},
     {1, 2},
     {2, 5},
     {2, 5, 2, 5},
     "SiLU",
     {},
     true,
     true},
    {"rows, PRelu", 1, 4, 7, 1, {9, 33}, {3, 3}, {}, {}, {1, 1, 1, 1}, "PRelu"},
    {"rows, one channel", 1, 9, 1, 1, {7, 300}, {3, 7}, {}, {}, {1, 3, 1, 3}},
    {"one column", 1, 40, 33, 1, {31, 1}, {5, 1}, {}, {}, {2, 0, 2, 0}},
    {"one column in depth", 1, 4, 5, 1, {6, 1, 7}, {3, 1, 3}},
    {"one axis", 2, 20, 18, 1, {31}, {5}, {2}, {}, {2, 1}},
    {"one axis, one channel", 1, 1, 258, 1, {640}, {256}, {128}, {}, {0, 0}},
    {"one axis, depthwise", 1, 16, 16, 16, {19}, {3}, {}, {}, {1, 1}},
    {"three axes", 1, 4, 18, 1, {5, 6, 7}, {3, 2, 3}, {1, 2, 1}, {}, {1, 0, 1, 1, 0, 1}},
    {"three axes, groups", 1, 4, 6, 2, {5, 6, 7}, {3, 3, 3}, {}, {1, 2, 1}},
    {"three axes, winograd", 2, 18, 33, 1, {5, 9, 10}, {3, 3, 3}, {}, {}, {1, 1, 1, 1, 1, 1}},
    {"three axes, stride 2",
     1,
     32,
     17,
     1,
     {6, 9, 10},
     {3, 3, 3},
     {2, 2, 2},
     {},
     {1, 1, 1, 1, 1, 1}},
    {"slices", 1, 18, 16, 1, {4, 9, 10}, {1, 3, 3}, {}, {}, {0, 1, 1, 0, 1, 1}, "SiLU"},
    {"three axes, residual",
     1,
     32,
     18,
     1,
     {3, 7, 8},
     {3, 3, 3},
     {},
     {},
     {1, 1, 1, 1, 1, 1},
     "Relu",
     {},
     true,
     true},
    {"5x5 winograd", 2, 18, 33, 1, {13, 14}, {5, 5}, {}, {}, {2, 2, 2, 2}},
    {"7x7 winograd", 1, 18, 18, 1, {15, 14}, {7, 7}, {}, {}, {3, 3, 3, 3}, "Relu"},
    {"5x3 winograd", 1, 17, 18, 1, {15, 14}, {5, 3}, {}, {}, {2, 1, 2, 1}},
    {"groups, winograd", 1, 120, 120, 5, {14, 14}, {3, 3}, {}, {}, {1, 1, 1, 1}, "SiLU"},
    {"no bias", 1, 16, 16, 1, {5, 5}, {3, 3}, {}, {}, {}, "", {}, false},
    {"Relu", 1, 16, 19, 1, {5, 5}, {3, 3}, {}, {}, {1, 1, 1, 1}, "Relu"},
    {"Clip", 1, 33, 33, 33, {6, 6}, {3, 3}, {}, {}, {1, 1, 1, 1}, "Clip", {0, 6}},
    {"LeakyRelu", 1, 3, 16, 1, {12, 12}, {3, 3}, {}, {}, {1, 1, 1, 1}, "LeakyRelu", {0.2f}},
    {"HardSwish", 1, 18, 20, 1, {6, 6}, {1, 1}, {}, {}, {}, "HardSwish"},
    {"HardSigmoid", 1, 18, 20, 1, {6, 6}, {1, 1}, {}, {}, {}, "HardSigmoid", {0.25f, 0.5f}},
    {"Sigmoid", 1, 18, 20, 1, {6, 6}, {1, 1}, {}, {}, {}, "Sigmoid"},
    {"SiLU", 1, 32, 32, 1, {12, 12}, {3, 3}, {}, {}, {1, 1, 1, 1}, "SiLU"},
    {"SiLU, depthwise", 1, 32, 32, 32, {12, 12}, {3, 3}, {}, {}, {1, 1, 1, 1}, "SiLU"},
    {"Gelu", 1, 18, 20, 1, {6, 6}, {1, 1}, {}, {}, {}, "Gelu"},
    {"GeluTanh", 1, 18, 20, 1, {6, 6}, {1, 1}, {}, {}, {}, "GeluTanh"},
    {"Mish", 1, 18, 20, 1, {6, 6}, {3, 3}, {}, {}, {}, "Mish"},
    {"Tanh", 1, 3, 20, 1, {6, 6}, {3, 3}, {}, {}, {}, "Tanh"},
    {"Elu", 1, 18, 20, 1, {6, 6}, {1, 1}, {}, {}, {}, "Elu", {1.5f}},
    {"Softplus", 1, 18, 20, 1, {6, 6}, {1, 1}, {}, {}, {}, "Softplus"},
    {"PRelu", 1, 18, 20, 1, {6, 6}, {3, 3}, {}, {}, {1, 1, 1, 1}, "PRelu"},
    {"PRelu, winograd", 1, 32, 37, 1, {12, 13}, {3, 3}, {}, {}, {1, 1, 1, 1}, "PRelu"},
    {"residual", 1, 18, 20, 1, {6, 6}, {1, 1}, {}, {}, {}, "Relu", {}, true, true},
    {"residual, winograd",
     2,
     32,
     37,
     1,
     {12, 13},
     {3, 3},
     {},
     {},
     {1, 1, 1, 1},
     "Relu",
     {},
     true,
     true},
    {"residual, SiLU", 1, 18, 20, 1, {6, 6}, {3, 3}, {}, {}, {1, 1, 1, 1}, "SiLU", {}, true, true},
    {"residual, PRelu",
     1,
     18,
     20,
     1,
     {6, 6},
     {3, 3},
     {},
     {},
     {1, 1, 1, 1},
     "PRelu",
     {},
     true,
     true},
};

// F(4,3) may be off by 2e-5 of the output's root mean square (DESIGN.md, "Numbers").
Tolerance tolerance_of(const Expectation& e) {
  const bool winograd = std::ranges::any_of(op_settings(), [&](const OpSetting& setting) {
    const Result<OpRun> run = run_op(e.op, setting);
    return run.ok() && run->kernel.find("winograd") != std::string::npos;
  });
  if (!winograd) return kTolerance;
  double squares = 0;
  for (const double y : e.values) squares += y * y;
  const double rms = std::sqrt(squares / static_cast<double>(e.values.size()));
  return {.absolute = kTolerance.absolute * std::max(1.0, rms), .relative = kTolerance.relative};
}

class Convolution : public testing::TestWithParam<ConvCase> {};

TEST_P(Convolution, of_plain_tensors) {
  Expectation e = expectation_of(GetParam());
  e.op.constants = {1, 2};
  expect_op(e.op, e.shape, e.values, kTolerance);
}

TEST_P(Convolution, of_computed_weights) {
  const Expectation e = expectation_of(GetParam());
  expect_op(e.op, e.shape, e.values, kTolerance);
}

// In the layouts that it asks for.
TEST_P(Convolution, in_its_own_layout) {
  Expectation e = expectation_of(GetParam());
  e.op.constants = {1, 2};
  e.op.blocked = {0};
  expect_op(e.op, e.shape, e.values, tolerance_of(e));
}

const std::vector<ConvCase> kScaledCases = {
    {"odd channels", 1, 19, 37, 1, {9, 7}, {1, 1}},
    {"whole panels, no bias", 1, 64, 64, 1, {8, 8}, {1, 1}, {}, {}, {}, "Relu", {}, false},
    {"stride, border", 1, 40, 24, 1, {9, 11}, {1, 1}, {2, 2}, {}, {1, 0, 0, 1}, "HardSwish"},
    {"residual", 1, 33, 17, 1, {13, 5}, {1, 1}, {}, {}, {}, "PRelu", {}, true, true},
    {"a row", 1, 24, 40, 1, {31}, {1}},
};
class ScaledConvolution : public testing::TestWithParam<ConvCase> {};

TEST_P(ScaledConvolution, scales_filters) {
  ConvCase c = GetParam();
  c.scaled = true;
  Expectation e = expectation_of(c);
  e.op.constants = {1, 2};
  e.op.blocked = {0};
  expect_op(e.op, e.shape, e.values, kTolerance);
}

INSTANTIATE_TEST_SUITE_P(Cases, ScaledConvolution, testing::ValuesIn(kScaledCases));

// The padded cases with other borders than zeros.
std::vector<ConvCase> bordered_cases() {
  std::vector<ConvCase> all;
  for (ConvCase c : kCases) {
    if (std::ranges::all_of(c.pads, [](std::int64_t pad) { return pad == 0; })) continue;
    for (const Border border : {Border::kReflect, Border::kEdge}) {
      c.border = border;
      const ConvGeometry g = geometry_of(c);
      bool reached = true;
      for (std::size_t axis = 0; axis < 3; ++axis) {
        reached = reached && std::max(g.pad_begin[axis], g.pad_end[axis]) < g.in[axis];
      }
      if (reached || border == Border::kEdge) all.push_back(c);
    }
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Cases, Convolution, testing::ValuesIn(kCases));
INSTANTIATE_TEST_SUITE_P(Borders, Convolution, testing::ValuesIn(bordered_cases()));

std::string kernel_of(const ConvCase& c) {
  Expectation e = expectation_of(c);
  e.op.constants = {1, 2};
  e.op.blocked = {0};
  const Result<OpRun> run = run_op(e.op);
  return run.ok() ? run->kernel : run.status().message();
}

TEST(Conv, chooses_its_algorithm) {
  const std::vector<std::int64_t> same = {1, 1, 1, 1};
  EXPECT_THAT(kernel_of({"", 1, 64, 64, 1, {28, 28}, {3, 3}, {}, {}, same}),
              HasSubstr("winograd4"));
  EXPECT_THAT(kernel_of({"", 1, 256, 256, 1, {7, 7}, {3, 3}, {}, {}, same}),
              HasSubstr("winograd"));  // which tile depends on the lanes
  EXPECT_THAT(kernel_of({"", 1, 64, 64, 1, {56, 56}, {3, 3}, {2, 2}, {}, same}),
              HasSubstr("winograd4"));
  EXPECT_THAT(kernel_of({"", 1, 64, 64, 1, {28, 28}, {7, 7}, {}, {}, {3, 3, 3, 3}}),
              HasSubstr("winograd4"));
  EXPECT_THAT(kernel_of({"", 1, 96, 96, 1, {14, 14}, {5, 5}, {}, {}, {2, 2, 2, 2}}),
              HasSubstr("winograd2x5"));
  EXPECT_THAT(kernel_of({"", 1, 72, 72, 3, {56, 56}, {3, 3}, {}, {}, same}),
              HasSubstr("winograd4"));
  EXPECT_THAT(kernel_of({"", 1, 32, 32, 1, {8, 28, 28}, {3, 3, 3}, {}, {}, {1, 1, 1, 1, 1, 1}}),
              HasSubstr("winograd4"));
  EXPECT_THAT(kernel_of({"", 1, 64, 64, 1, {1, 1}, {3, 3}, {}, {}, same}), HasSubstr("direct"));
  EXPECT_THAT(kernel_of({"", 1, 64, 64, 1, {14, 14}, {1, 1}}), HasSubstr("1x1"));
  EXPECT_THAT(kernel_of({"", 1, 256, 256, 1, {14, 14}, {1, 1}}), HasSubstr("strassen"));
  EXPECT_THAT(kernel_of({"", 1, 64, 64, 1, {14, 14}, {3, 3}, {2, 2}, {}, same}),
              HasSubstr("direct"));
  EXPECT_THAT(kernel_of({"", 1, 3, 64, 1, {14, 14}, {3, 3}, {2, 2}, {}, same}), HasSubstr("stem"));
  EXPECT_THAT(kernel_of({"", 1, 64, 64, 64, {14, 14}, {3, 3}, {}, {}, same}),
              HasSubstr("depthwise"));
  // Mirrored borders of groups are on the plain layout, whatever the lanes.
  EXPECT_THAT(
      kernel_of(
          {"", 1, 8, 8, 8, {28, 28}, {3, 3}, {}, {}, same, "", {}, true, false, Border::kReflect}),
      HasSubstr("rows"));
}

TEST(Conv, takes_its_kernel_from_the_weights) {
  const OpCase op{.type = "Conv",
                  .inputs = {random_floats({1, 2, 5, 5}), random_floats({3, 2, 3, 2})},
                  .attributes = {{"auto_pad", std::string("SAME_UPPER")}, {"strides", Ints{2, 2}}}};
  const auto outputs = outputs_of(op);
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_EQ(outputs[0].shape(), (Shape{1, 3, 3, 3}));
}

TEST(Conv, refuses_what_it_cannot_read) {
  const Tensor x = random_floats({1, 4, 5, 5});
  EXPECT_THAT(error_of({.type = "Conv", .inputs = {x, random_floats({3, 3, 3, 3})}}),
              HasSubstr("weights [3,3,3,3] with group 1"));
  EXPECT_THAT(error_of({.type = "Conv", .inputs = {x, random_floats({3, 4, 3})}}),
              HasSubstr("needs rank 3"));
  EXPECT_THAT(error_of({.type = "Conv", .inputs = {x, random_floats({3, 4, 7, 7})}}),
              HasSubstr("the window needs 7"));
  EXPECT_THAT(
      error_of({.type = "Conv", .inputs = {x, random_floats({3, 4, 3, 3}), random_floats({2})}}),
      HasSubstr("it needs 3 elements"));
  EXPECT_THAT(error_of({.type = "Conv",
                        .inputs = {x, random_floats({3, 4, 3, 3})},
                        .attributes = {{"strides", Ints{0, 1}}}}),
              HasSubstr("strides [0,1]"));
  OpCase bordered{.type = "FusedConv",
                  .inputs = {x, random_floats({3, 4, 3, 3})},
                  .attributes = {{"pads", Ints{5, 0, 0, 0}}, {"border", std::string("reflect")}},
                  .domain = std::string(kInternalDomain)};
  EXPECT_THAT(error_of(bordered), HasSubstr("mode reflect pads by 5 an axis of 5 elements"));
  bordered.attributes["border"] = std::string("wrap");
  EXPECT_THAT(error_of(bordered), HasSubstr("border 'wrap' is none of"));
  OpCase scaled{.type = "FusedConv",
                .inputs = {x, random_floats({8, 4, 1, 1}), {}, {}, {}, random_floats({1, 3, 1, 1})},
                .domain = std::string(kInternalDomain)};
  EXPECT_THAT(error_of(scaled), HasSubstr("the factors have shape [1,3,1,1]; there must be 4"));
  scaled.inputs[5] = random_floats({1, 4, 1, 1});
  EXPECT_THAT(error_of(scaled), HasSubstr("constant float32 weights"));
}

}  // namespace
}  // namespace mini_infer
