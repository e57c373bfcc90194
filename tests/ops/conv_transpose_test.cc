// ConvTranspose on both layouts, against its definition in double.
#include <gmock/gmock.h>

#include "kernels/conv/reference.h"
#include "kernels/fused_activation.h"
#include "tests/support/op_test.h"

namespace mini_infer {
namespace {

using testing::HasSubstr;

constexpr Tolerance kTolerance{.absolute = 2e-5, .relative = 1e-5};

struct TransposedCase {
  const char* name;
  std::int64_t n, ic, oc, groups;
  std::vector<std::int64_t> in, kernel, stride = {}, dilation = {}, pads = {}, output_padding = {};
  const char* activation = "";
};
std::ostream& operator<<(std::ostream& out, const TransposedCase& c) { return out << c.name; }

std::int64_t entry(const std::vector<std::int64_t>& values, std::size_t i, std::int64_t fallback) {
  return values.empty() ? fallback : values[i];
}

ConvGeometry geometry_of(const TransposedCase& c) {
  ConvGeometry g;
  g.n = c.n;
  g.ic = c.ic;
  g.oc = c.oc;
  g.groups = c.groups;
  const std::size_t rank = c.in.size();
  for (std::size_t i = 0; i < rank; ++i) {
    const std::size_t to = 3 - rank + i;
    g.in[to] = c.in[i];
    g.kernel[to] = c.kernel[i];
    g.stride[to] = entry(c.stride, i, 1);
    g.dilation[to] = entry(c.dilation, i, 1);
    g.pad_begin[to] = entry(c.pads, i, 0);
    g.pad_end[to] = entry(c.pads, rank + i, 0);
    g.out[to] = (g.in[to] - 1) * g.stride[to] + (g.kernel[to] - 1) * g.dilation[to] + 1 +
                entry(c.output_padding, i, 0) - g.pad_begin[to] - g.pad_end[to];
  }
  return g;
}

Shape shape_of(std::int64_t n, std::int64_t channels, const std::array<std::int64_t, 3>& extents,
               std::size_t rank) {
  Shape shape{n, channels};
  for (std::size_t i = 3 - rank; i < 3; ++i) shape.push_back(extents[i]);
  return shape;
}

const std::vector<TransposedCase> kCases = {
    {"one number", 1, 1, 1, 1, {1, 1}, {1, 1}},
    {"2x2 stride 2", 1, 32, 19, 1, {6, 7}, {2, 2}, {2, 2}},
    {"4x4 stride 2", 2, 17, 33, 1, {5, 7}, {4, 4}, {2, 2}, {}, {1, 1, 1, 1}},
    {"3x3 stride 2, one more", 1, 16, 16, 1, {6, 5}, {3, 3}, {2, 2}, {}, {1, 1, 1, 1}, {1, 1}},
    {"3x3 stride 1", 1, 8, 8, 1, {9, 9}, {3, 3}, {}, {}, {1, 1, 1, 1}},
    {"odd pads, dilated", 1, 5, 6, 1, {7, 6}, {3, 2}, {3, 1}, {2, 3}, {2, 0, 1, 3}},
    {"groups", 1, 32, 64, 2, {5, 4}, {3, 3}, {2, 2}},
    {"narrow groups", 1, 12, 20, 4, {5, 4}, {3, 3}, {2, 2}, {}, {1, 1, 1, 1}, {1, 0}},
    {"depthwise", 2, 21, 21, 21, {5, 6}, {4, 4}, {2, 2}, {}, {1, 1, 1, 1}},
    {"one axis", 1, 16, 5, 1, {33}, {16}, {8}, {}, {4, 4}},
    {"three axes", 1, 3, 4, 1, {3, 4, 5}, {2, 3, 2}, {2, 1, 2}, {}, {0, 1, 0, 1, 0, 1}},
    {"SiLU", 1, 16, 17, 1, {6, 5}, {2, 2}, {2, 2}, {}, {}, {}, "SiLU"},
    {"Relu of groups", 1, 12, 20, 4, {5, 4}, {3, 3}, {2, 2}, {}, {}, {}, "Relu"},
};

struct Expectation {
  OpCase op;
  Shape shape;
  std::vector<double> values;
};

Expectation expectation_of(const TransposedCase& c) {
  const ConvGeometry g = geometry_of(c);
  const std::size_t rank = c.in.size();
  Expectation e;
  e.shape = shape_of(g.n, g.oc, g.out, rank);
  const Tensor x = random_floats(shape_of(g.n, g.ic, g.in, rank), -1, 1, 1);
  const Tensor w = random_floats(shape_of(g.ic, g.group_oc(), g.kernel, rank), -1, 1, 2);
  const Tensor bias = random_floats({g.oc}, -1, 1, 3);
  const bool fused = c.activation[0] != 0;
  e.op = {.type = fused ? "FusedConvTranspose" : "ConvTranspose",
          .inputs = {x, w, bias},
          .attributes = {{"group", g.groups}},
          .domain = fused ? std::string(kInternalDomain) : ""};
  if (!c.stride.empty()) e.op.attributes["strides"] = c.stride;
  if (!c.dilation.empty()) e.op.attributes["dilations"] = c.dilation;
  if (!c.pads.empty()) e.op.attributes["pads"] = c.pads;
  if (!c.output_padding.empty()) e.op.attributes["output_padding"] = c.output_padding;
  if (fused) e.op.attributes["activation"] = std::string(c.activation);
  ActivationParams activation;
  if (std::string(c.activation) == "SiLU") activation.kind = Activation::kSilu;
  if (std::string(c.activation) == "Relu") activation.kind = Activation::kRelu;

  const auto xs = doubles(x), ws = doubles(w), bs = doubles(bias);
  e.values.resize(static_cast<std::size_t>(e.shape.elements()));
  reference::conv_transpose<double>(
      g, {0, g.n * g.oc}, [&](std::int64_t i) { return xs[static_cast<std::size_t>(i)]; },
      [&](std::int64_t i, std::int64_t) { return ws[static_cast<std::size_t>(i)]; },
      [&](std::int64_t i, std::int64_t oc, double sum) {
        e.values[static_cast<std::size_t>(i)] =
            activate(activation, sum + bs[static_cast<std::size_t>(oc)]);
      });
  return e;
}

class TransposedConvolution : public testing::TestWithParam<TransposedCase> {};

TEST_P(TransposedConvolution, of_plain_tensors) {
  const Expectation e = expectation_of(GetParam());
  expect_op(e.op, e.shape, e.values, kTolerance);
}

TEST_P(TransposedConvolution, in_its_own_layout) {
  Expectation e = expectation_of(GetParam());
  e.op.constants = {1, 2};
  e.op.blocked = {0};
  expect_op(e.op, e.shape, e.values, kTolerance);
}

INSTANTIATE_TEST_SUITE_P(Cases, TransposedConvolution, testing::ValuesIn(kCases));

TEST(ConvTranspose, takes_an_output_shape) {
  const Tensor x = random_floats({1, 1, 3, 3}), w = random_floats({1, 2, 3, 3});
  const OpCase op{.type = "ConvTranspose",
                  .inputs = {x, w},
                  .attributes = {{"strides", Ints{3, 2}}, {"output_shape", Ints{10, 8}}}};
  const auto outputs = outputs_of(op);
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_EQ(outputs[0].shape(), (Shape{1, 2, 10, 8}));
}

TEST(ConvTranspose, refuses_what_it_cannot_read) {
  const Tensor x = random_floats({1, 4, 5, 5});
  EXPECT_THAT(error_of({.type = "ConvTranspose", .inputs = {x, random_floats({3, 2, 3, 3})}}),
              HasSubstr("weights [3,2,3,3] with group 1"));
  EXPECT_THAT(error_of({.type = "ConvTranspose",
                        .inputs = {x, random_floats({4, 2, 3, 3})},
                        .attributes = {{"output_padding", Ints{1}}}}),
              HasSubstr("output_padding [1] must have 2 entries"));
  EXPECT_THAT(error_of({.type = "ConvTranspose",
                        .inputs = {x, random_floats({4, 2, 1, 1})},
                        .attributes = {{"pads", Ints{3, 3, 3, 3}}}}),
              HasSubstr("the output would be -1 long"));
}

}  // namespace
}  // namespace mini_infer
