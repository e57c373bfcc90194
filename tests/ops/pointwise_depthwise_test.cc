// PointwiseDepthwise against the two convolutions that it stands for, bit by bit where both have
// the same kernels, on every instruction set and with several threads.
#include <gmock/gmock.h>

#include "tests/support/op_test.h"

namespace mini_infer {
namespace {

struct FusedCase {
  std::string name;
  std::int64_t n, ic, channels, height, width;
  std::int64_t kernel = 3, stride = 1, dilation = 1, pad = 1;
  std::string pointwise = {}, depthwise = {};  // activations
  bool bias = true;
  bool same_kernels = true;  // else the map alone is too large for a Winograd kernel
};
std::ostream& operator<<(std::ostream& out, const FusedCase& c) { return out << c.name; }

const std::vector<FusedCase> kCases = {
    {"odd channels", 2, 19, 37, 9, 14},
    {"half a panel", 1, 8, 16, 11, 13, 3, 2},
    {"many runs of rows", 1, 17, 40, 45, 300, 3, 1, 1, 1, "Relu", "Clip", true, false},
    {"many runs, 5x5", 1, 17, 40, 45, 300, 5, 1, 1, 2, "Relu", "Clip"},
    {"many runs, stride 2", 1, 16, 24, 61, 260, 5, 2, 1, 2, "Clip", ""},
    {"one row", 1, 16, 33, 1, 40},
    {"one column", 1, 16, 33, 40, 1, 3, 1, 1, 1, "HardSwish", "HardSwish"},
    {"no border", 1, 24, 48, 13, 15, 3, 1, 1, 0, "SiLU", "SiLU"},
    {"wide border", 1, 24, 48, 7, 9, 3, 1, 1, 5, "", "", false},
    {"stride beyond the kernel", 1, 16, 20, 23, 19, 2, 3, 1, 0},
    {"dilated", 1, 16, 20, 23, 19, 3, 1, 4, 4, "LeakyRelu", "Relu"},
    {"PRelu", 1, 16, 50, 12, 12, 3, 2, 1, 1, "PRelu", "PRelu"},
};

Attributes window_of(const FusedCase& c) {
  return {{"group", c.channels},
          {"strides", Ints{c.stride, c.stride}},
          {"dilations", Ints{c.dilation, c.dilation}},
          {"pads", Ints(4, c.pad)}};
}

void set_activation(Attributes& attributes, const std::string& prefix, const std::string& name) {
  attributes[prefix + "activation"] = name;
  if (name == "Clip") attributes[prefix + "activation_params"] = Floats{-0.25f, 0.5f};
}

class PointwiseDepthwise : public testing::TestWithParam<FusedCase> {};

TEST_P(PointwiseDepthwise, gives_what_both_give) {
  const FusedCase& c = GetParam();
  const Tensor x = random_floats({c.n, c.ic, c.height, c.width}, -1, 1, 1);
  const Tensor w1 = random_floats({c.channels, c.ic, 1, 1}, -1, 1, 2);
  const Tensor w2 = random_floats({c.channels, 1, c.kernel, c.kernel}, -1, 1, 3);
  const auto vector = [&](unsigned seed) { return random_floats({c.channels}, -1, 1, seed); };
  const Tensor b1 = c.bias ? vector(4) : Tensor(), b2 = c.bias ? vector(5) : Tensor();
  const Tensor slopes1 = c.pointwise == "PRelu" ? vector(6) : Tensor();
  const Tensor slopes2 = c.depthwise == "PRelu" ? random_floats({1}, 0, 1, 7) : Tensor();
  const std::string domain(kInternalDomain);

  OpCase first{.type = "FusedConv",
               .inputs = {x, w1, b1, {}, slopes1},
               .domain = domain,
               .constants = {1, 2},
               .blocked = {0}};
  set_activation(first.attributes, "", c.pointwise);
  OpCase second{.type = "FusedConv",
                .inputs = {x, w2, b2, {}, slopes2},
                .attributes = window_of(c),
                .domain = domain,
                .constants = {1, 2},
                .blocked = {0}};
  set_activation(second.attributes, "", c.depthwise);
  OpCase fused = second;
  fused.type = "PointwiseDepthwise";
  fused.inputs.insert(fused.inputs.end(), {w1, b1, slopes1});
  fused.constants = {1, 2, 5, 6};
  set_activation(fused.attributes, "pointwise_", c.pointwise);

  for (const OpSetting& setting : op_settings()) {
    const auto map = outputs_of(first, setting);
    ASSERT_EQ(map.size(), 1u);
    second.inputs[0] = map[0];
    const auto expected = outputs_of(second, setting);
    ASSERT_EQ(expected.size(), 1u);
    const Result<OpRun> run = run_op(fused, setting);
    ASSERT_TRUE(run.ok()) << run.status().message();
    EXPECT_THAT(run->kernel, testing::HasSubstr("pointwise_depthwise"));
    ASSERT_EQ(run->outputs[0].shape(), expected[0].shape());
    if (c.same_kernels) {
      EXPECT_EQ(doubles(run->outputs[0]), doubles(expected[0])) << setting;
    } else {
      EXPECT_TRUE(close(run->outputs[0], doubles(expected[0]), {.absolute = 1e-5})) << setting;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, PointwiseDepthwise, testing::ValuesIn(kCases));

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

}  // namespace
}  // namespace mini_infer
