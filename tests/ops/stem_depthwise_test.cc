// StemDepthwise against the two convolutions that it stands for, bit by bit where both have the
// same kernels, on every instruction set and with several threads.
#include <gmock/gmock.h>

#include "tests/support/op_test.h"

namespace mini_infer {
namespace {

struct StemCase {
  std::string name;
  std::int64_t n, ic, channels, height, width;
  std::int64_t stem_kernel, stem_stride, stem_pad;
  std::int64_t kernel = 3, stride = 1, pad = 1, dilation = 1;
  std::string stem = {}, depthwise = {};  // activations
  bool bias = true;
  bool same_kernels = true;  // else the map alone is too large for a Winograd kernel
};
std::ostream& operator<<(std::ostream& out, const StemCase& c) { return out << c.name; }

const std::vector<StemCase> kCases = {
    {"odd channels", 2, 3, 37, 19, 23, 3, 2, 1},
    {"one channel", 1, 1, 16, 13, 17, 5, 1, 2, 3, 2, 1},
    {"many rows at a time", 1, 3, 24, 161, 190, 3, 1, 1, 5, 1, 2, 1, "Relu", "Clip"},
    {"stride 2", 1, 3, 40, 150, 131, 3, 1, 1, 3, 2, 1, 1, "Clip", "HardSwish"},
    {"stride beyond the kernel", 1, 3, 20, 140, 70, 3, 1, 1, 2, 3, 0, 1, "SiLU", ""},
    {"large map", 1, 3, 32, 160, 200, 3, 1, 1, 3, 1, 1, 1, "Clip", "Clip", true, false},
    {"dilated", 1, 4, 20, 90, 66, 3, 2, 1, 3, 1, 4, 4, "LeakyRelu", "Relu"},
    {"patches", 1, 3, 33, 64, 48, 4, 4, 0, 3, 1, 1, 1, "", "SiLU", false},
    {"wide border", 1, 2, 18, 9, 11, 3, 1, 4, 3, 1, 5},
    {"PRelu", 1, 3, 50, 24, 24, 7, 2, 3, 3, 2, 1, 1, "PRelu", "PRelu"},
};

void set_activation(Attributes& attributes, const std::string& prefix, const std::string& name) {
  attributes[prefix + "activation"] = name;
  if (name == "Clip") attributes[prefix + "activation_params"] = Floats{-0.25f, 0.5f};
}

class StemDepthwise : public testing::TestWithParam<StemCase> {};

TEST_P(StemDepthwise, gives_what_both_give) {
  const StemCase& c = GetParam();
  const Tensor x = random_floats({c.n, c.ic, c.height, c.width}, -1, 1, 1);
  const Tensor w1 = random_floats({c.channels, c.ic, c.stem_kernel, c.stem_kernel}, -1, 1, 2);
  const Tensor w2 = random_floats({c.channels, 1, c.kernel, c.kernel}, -1, 1, 3);
  const auto vector = [&](unsigned seed) { return random_floats({c.channels}, -1, 1, seed); };
  const Tensor b1 = c.bias ? vector(4) : Tensor(), b2 = c.bias ? vector(5) : Tensor();
  const Tensor slopes1 = c.stem == "PRelu" ? vector(6) : Tensor();
  const Tensor slopes2 = c.depthwise == "PRelu" ? random_floats({1}, 0, 1, 7) : Tensor();
  const std::string domain(kInternalDomain);
  const Ints strides(2, c.stem_stride), dilations(2, 1), pads(4, c.stem_pad);

  OpCase first{.type = "FusedConv",
               .inputs = {x, w1, b1, {}, slopes1},
               .attributes = {{"strides", strides}, {"pads", pads}},
               .domain = domain,
               .constants = {1, 2},
               .blocked = {0}};  // where asked, it takes the plain layout
  set_activation(first.attributes, "", c.stem);
  OpCase second{.type = "FusedConv",
                .inputs = {x, w2, b2, {}, slopes2},
                .attributes = {{"group", c.channels},
                               {"strides", Ints{c.stride, c.stride}},
                               {"dilations", Ints{c.dilation, c.dilation}},
                               {"pads", Ints(4, c.pad)}},
                .domain = domain,
                .constants = {1, 2},
                .blocked = {0}};
  set_activation(second.attributes, "", c.depthwise);
  OpCase fused = second;
  fused.type = "StemDepthwise";
  fused.inputs.insert(fused.inputs.end(), {w1, b1, slopes1});
  fused.constants = {1, 2, 5, 6};
  fused.attributes["stem_strides"] = strides;
  fused.attributes["stem_dilations"] = dilations;
  fused.attributes["stem_pads"] = pads;
  set_activation(fused.attributes, "stem_", c.stem);

  for (const OpSetting& setting : op_settings()) {
    const auto map = outputs_of(first, setting);
    ASSERT_EQ(map.size(), 1u);
    second.inputs[0] = map[0];
    const auto expected = outputs_of(second, setting);
    ASSERT_EQ(expected.size(), 1u);
    const Result<OpRun> run = run_op(fused, setting);
    ASSERT_TRUE(run.ok()) << run.status().message();
    EXPECT_THAT(run->kernel, testing::HasSubstr("stem_depthwise"));
    ASSERT_EQ(run->outputs[0].shape(), expected[0].shape());
    if (c.same_kernels) {
      EXPECT_EQ(doubles(run->outputs[0]), doubles(expected[0])) << setting;
    } else {
      EXPECT_TRUE(close(run->outputs[0], doubles(expected[0]), {.absolute = 1e-5})) << setting;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, StemDepthwise, testing::ValuesIn(kCases));

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
