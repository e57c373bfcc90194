// PointwiseDepthwise and StemDepthwise against the two convolutions that they stand for, bit by bit
// where both have the same kernels, on every instruction set and with several threads.
#include <gmock/gmock.h>

#include "tests/support/op_test.h"

namespace mini_infer {
namespace {

// The first convolution of a stem; a pointwise one has neither kernel nor stride.
struct Stem {
  std::int64_t kernel = 0, stride = 1, pad = 0;
};

struct FusedCase {
  std::string name;
  std::int64_t n, ic, channels, height, width;
  std::int64_t kernel = 3, stride = 1, dilation = 1, pad = 1;
  std::string first = {}, depthwise = {};  // activations
  bool bias = true;
  // Else the map alone takes another kernel on some instruction set: it is too large for
  // Winograd's, or most of the kernel is outside of it.
  bool same_kernels = true;
  Stem stem = {};

  bool pointwise() const { return stem.kernel == 0; }
};
std::ostream& operator<<(std::ostream& out, const FusedCase& c) { return out << c.name; }

const std::vector<FusedCase> kPointwise = {
    {"odd channels", 2, 19, 37, 9, 14},
    {"half a panel", 1, 8, 16, 11, 13, 3, 2},
    {"many runs of rows", 1, 17, 40, 45, 300, 3, 1, 1, 1, "Relu", "Clip", true, false},
    {"many runs, 5x5", 1, 17, 40, 45, 300, 5, 1, 1, 2, "Relu", "Clip"},
    {"many runs, stride 2", 1, 16, 24, 61, 260, 5, 2, 1, 2, "Clip", ""},
    {"one row", 1, 16, 33, 1, 40, 3, 1, 1, 1, "", "", true, false},
    {"one column", 1, 16, 33, 40, 1, 3, 1, 1, 1, "HardSwish", "HardSwish"},
    {"no border", 1, 24, 48, 13, 15, 3, 1, 1, 0, "SiLU", "SiLU"},
    {"wide border", 1, 24, 48, 7, 9, 3, 1, 1, 5, "", "", false, false},
    {"stride beyond the kernel", 1, 16, 20, 23, 19, 2, 3, 1, 0},
    {"dilated", 1, 16, 20, 23, 19, 3, 1, 4, 4, "LeakyRelu", "Relu"},
    {"PRelu", 1, 16, 50, 12, 12, 3, 2, 1, 1, "PRelu", "PRelu"},
};

std::vector<FusedCase> stems() {
  const auto stem = [](FusedCase c, Stem first) {
    c.stem = first;
    return c;
  };
  return {
      stem({"odd channels", 2, 3, 37, 19, 23}, {3, 2, 1}),
      stem({"one channel", 1, 1, 16, 13, 17, 3, 2}, {5, 1, 2}),
      stem({"many rows at a time", 1, 3, 24, 161, 190, 5, 1, 1, 2, "Relu", "Clip"}, {3, 1, 1}),
      stem({"stride 2", 1, 3, 40, 150, 131, 3, 2, 1, 1, "Clip", "HardSwish"}, {3, 1, 1}),
      stem({"stride beyond the kernel", 1, 3, 20, 140, 70, 2, 3, 1, 0, "SiLU"}, {3, 1, 1}),
      stem({"large map", 1, 3, 32, 160, 200, 3, 1, 1, 1, "Clip", "Clip", true, false}, {3, 1, 1}),
      stem({"dilated", 1, 4, 20, 90, 66, 3, 1, 4, 4, "LeakyRelu", "Relu"}, {3, 2, 1}),
      stem({"patches", 1, 3, 33, 64, 48, 3, 1, 1, 1, "", "SiLU", false}, {4, 4, 0}),
      stem({"wide border", 1, 2, 18, 9, 11, 3, 1, 1, 5}, {3, 1, 4}),
      stem({"PRelu", 1, 3, 50, 24, 24, 3, 2, 1, 1, "PRelu", "PRelu"}, {7, 2, 3}),
  };
}

void set_activation(Attributes& attributes, const std::string& prefix, const std::string& name) {
  attributes[prefix + "activation"] = name;
  if (name == "Clip") attributes[prefix + "activation_params"] = Floats{-0.25f, 0.5f};
}

void set_window(Attributes& attributes, const std::string& prefix, std::int64_t stride,
                std::int64_t dilation, std::int64_t pad) {
  attributes[prefix + "strides"] = Ints(2, stride);
  attributes[prefix + "dilations"] = Ints(2, dilation);
  attributes[prefix + "pads"] = Ints(4, pad);
}

class FusedDepthwise : public testing::TestWithParam<FusedCase> {};

TEST_P(FusedDepthwise, gives_what_both_give) {
  const FusedCase& c = GetParam();
  const std::int64_t first_kernel = c.pointwise() ? 1 : c.stem.kernel;
  const Tensor x = random_floats({c.n, c.ic, c.height, c.width}, -1, 1, 1);
  const Tensor w1 = random_floats({c.channels, c.ic, first_kernel, first_kernel}, -1, 1, 2);
  const Tensor w2 = random_floats({c.channels, 1, c.kernel, c.kernel}, -1, 1, 3);
  const auto vector = [&](unsigned seed) { return random_floats({c.channels}, -1, 1, seed); };
  const Tensor b1 = c.bias ? vector(4) : Tensor(), b2 = c.bias ? vector(5) : Tensor();
  const Tensor slopes1 = c.first == "PRelu" ? vector(6) : Tensor();
  const Tensor slopes2 = c.depthwise == "PRelu" ? random_floats({1}, 0, 1, 7) : Tensor();
  const std::string prefix = c.pointwise() ? "pointwise_" : "stem_";

  // `blocked`: in the layouts that it asks for.
  OpCase first{.type = "FusedConv",
               .inputs = {x, w1, b1, {}, slopes1},
               .domain = std::string(kInternalDomain),
               .constants = {1, 2},
               .blocked = {0}};
  set_activation(first.attributes, "", c.first);
  OpCase second = first;
  second.inputs = {x, w2, b2, {}, slopes2};
  second.attributes = {{"group", c.channels}};
  set_window(second.attributes, "", c.stride, c.dilation, c.pad);
  set_activation(second.attributes, "", c.depthwise);
  OpCase fused = second;
  fused.type = c.pointwise() ? "PointwiseDepthwise" : "StemDepthwise";
  fused.inputs.insert(fused.inputs.end(), {w1, b1, slopes1});
  fused.constants = {1, 2, 5, 6};
  set_activation(fused.attributes, prefix, c.first);
  if (!c.pointwise()) {
    set_window(first.attributes, "", c.stem.stride, 1, c.stem.pad);
    set_window(fused.attributes, prefix, c.stem.stride, 1, c.stem.pad);
  }

  for (const OpSetting& setting : op_settings()) {
    const auto map = outputs_of(first, setting);
    ASSERT_EQ(map.size(), 1u);
    second.inputs[0] = map[0];
    const auto expected = outputs_of(second, setting);
    ASSERT_EQ(expected.size(), 1u);
    const Result<OpRun> run = run_op(fused, setting);
    ASSERT_TRUE(run.ok()) << run.status().message();
    EXPECT_THAT(run->kernel, testing::HasSubstr(prefix + "depthwise"));
    ASSERT_EQ(run->outputs[0].shape(), expected[0].shape());
    if (c.same_kernels) {
      EXPECT_EQ(doubles(run->outputs[0]), doubles(expected[0])) << setting;
    } else {
      EXPECT_TRUE(close(run->outputs[0], doubles(expected[0]), {.absolute = 1e-5})) << setting;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Pointwise, FusedDepthwise, testing::ValuesIn(kPointwise));
INSTANTIATE_TEST_SUITE_P(Stem, FusedDepthwise, testing::ValuesIn(stems()));

TEST(PointwiseDepthwiseErrors, refuses_what_it_cannot_read) {
  OpCase op{.type = "PointwiseDepthwise",
            .inputs = {random_floats({1, 16, 8, 8}),
                       random_floats({32, 1, 3, 3}),
                       {},
                       {},
                       {},
                       random_floats({32, 15, 1, 1})},
            .attributes = {{"group", std::int64_t{32}}},
            .domain = std::string(kInternalDomain),
            .constants = {1, 5},
            .blocked = {0}};
  EXPECT_THAT(error_of(op), testing::HasSubstr("must be [channels, input channels, 1, 1]"));
  op.inputs[5] = random_floats({32, 16, 1, 1});
  op.inputs.push_back(random_floats({31}));
  EXPECT_THAT(error_of(op), testing::HasSubstr("it needs 32 elements"));
}

TEST(StemDepthwiseErrors, refuses_what_it_cannot_read) {
  OpCase op{.type = "StemDepthwise",
            .inputs = {random_floats({1, 3, 8, 8}),
                       random_floats({32, 1, 3, 3}),
                       {},
                       {},
                       {},
                       random_floats({32, 3, 3, 3})},
            .attributes = {{"group", std::int64_t{32}},
                           {"stem_strides", Ints{1, 1}},
                           {"stem_dilations", Ints{1, 1}}},
            .domain = std::string(kInternalDomain),
            .constants = {1, 5},
            .blocked = {0}};
  EXPECT_THAT(error_of(op), testing::HasSubstr("two dilations and four pads"));
  op.attributes["stem_pads"] = Ints{0, 0, 0, 0};
  op.inputs[5] = random_floats({32, 4, 3, 3});
  EXPECT_THAT(error_of(op), testing::HasSubstr("must be [channels, input channels, h, w]"));
  op.inputs[5] = random_floats({32, 3, 9, 9});
  EXPECT_THAT(error_of(op), testing::HasSubstr("a window of 9x9 does not fit"));
}

}  // namespace
}  // namespace mini_infer
