#include <cmath>
#include <limits>

#include "graph/passes/match.h"
#include "tests/passes/pass_test.h"

namespace mini_infer {
namespace {

// A graph with one input [N,4,6,6] around which a pattern is built.
class FusePatterns : public ::testing::Test {
 protected:
  explicit FusePatterns(int opset = 13) : b(opset) { x = b.input(kShape); }

  ValueId op(std::string_view type, std::vector<ValueId> inputs, Attributes attributes = {}) {
    return b.node(type, std::move(inputs), std::move(attributes), kShape);
  }
  ValueId c(double number) { return b.scalar(static_cast<float>(number)); }

  // Runs the pass, expects this graph, and equal results.
  void expect(PassFn pass, const std::string& ops, ValueId result) {
    b.output(result);
    const Graph before = b.graph();
    run_pass(b.graph(), pass);
    EXPECT_EQ(ops_of(b.graph()), ops);
    expect_same_results(before, b.graph(), {{2, 4, 6, 6}}, 2e-4);
  }
  void expect_unchanged(PassFn pass) { EXPECT_EQ(run_pass(b.graph(), pass), 0); }

  static inline const SymShape kShape = {Dim("N"), 4, 6, 6};
  GraphBuilder b;
  ValueId x;
};

// --- SiLU

TEST_F(FusePatterns, SiLU) { expect(fuse_silu, "*SiLU", op("Mul", {op("Sigmoid", {x}), x})); }
TEST_F(FusePatterns, SiLUNeedsTheSameOperand) {
  b.output(op("Mul", {op("Sigmoid", {x}), op("Relu", {x})}));
  const ValueId shared = op("Sigmoid", {x});
  b.output(op("Mul", {shared, x}));
  b.output(shared);
  expect_unchanged(fuse_silu);
}

// --- HardSwish

TEST_F(FusePatterns, HardSwishFromClip) {
  const ValueId gate = op("Clip", {op("Add", {x, c(3)}), c(0), c(6)});
  expect(fuse_hard_swish, "*HardSwish", op("Div", {op("Mul", {x, gate}), c(6)}));
}
TEST_F(FusePatterns, HardSwishDividedFirst) {
  const ValueId gate = op("Clip", {op("Add", {c(3), x}), c(0), c(6)});
  expect(fuse_hard_swish, "*HardSwish", op("Mul", {op("Mul", {gate, c(1 / 6.0)}), x}));
}
TEST_F(FusePatterns, HardSwishFromHardSigmoid) {
  const ValueId gate = op("HardSigmoid", {x}, {{"alpha", 1.f / 6}, {"beta", 0.5f}});
  expect(fuse_hard_swish, "*HardSwish", op("Mul", {x, gate}));
}
TEST_F(FusePatterns, HardSigmoidFromClip) {
  const ValueId gate = op("Clip", {op("Add", {x, c(3)}), c(0), c(6)});
  expect(fuse_hard_swish, "HardSigmoid", op("Div", {gate, c(6)}));
}
TEST_F(FusePatterns, HardSigmoidFromClipToOne) {
  const ValueId scaled = op("Add", {op("Mul", {x, c(0.2)}), c(0.5)});
  expect(fuse_hard_swish, "HardSigmoid", op("Clip", {scaled, c(0), c(1)}));
}
TEST_F(FusePatterns, HardSwishFromClipToOne) {
  const ValueId gate = op("Clip", {op("Div", {op("Add", {x, c(3)}), c(6)}), c(0), c(1)});
  b.output(op("Mul", {gate, x}));
  const Graph before = b.graph();
  run_stage(b.graph(), PassStage::kLoad);
  EXPECT_EQ(ops_of(b.graph()), "*HardSwish");
  expect_same_results(before, b.graph(), {{2, 4, 6, 6}});
}
TEST_F(FusePatterns, HardSwishNeedsItsNumbers) {
  const auto gate = [&](double shift, double most) {
    return op("Clip", {op("Add", {x, c(shift)}), c(0), c(most)});
  };
  b.output(op("Div", {op("Mul", {x, gate(3, 6)}), c(5)}));
  b.output(op("Div", {op("Mul", {x, gate(2, 6)}), c(6)}));
  b.output(op("Div", {op("Mul", {x, gate(3, 5)}), c(6)}));
  b.output(op("Mul", {x, op("HardSigmoid", {x})}));
  expect_unchanged(fuse_hard_swish);
}

// --- Gelu

TEST_F(FusePatterns, GeluDividesAndHalvesLast) {
  const ValueId gate = op("Add", {op("Erf", {op("Div", {x, c(std::sqrt(2.0))})}), c(1)});
  expect(fuse_gelu, "*Gelu", op("Mul", {op("Mul", {x, gate}), c(0.5)}));
}
TEST_F(FusePatterns, GeluMultipliesAndHalvesFirst) {
  const ValueId gate = op("Add", {c(1), op("Erf", {op("Mul", {x, c(std::sqrt(0.5))})})});
  expect(fuse_gelu, "*Gelu", op("Mul", {gate, op("Mul", {c(0.5), x})}));
}
TEST_F(FusePatterns, GeluTanh) {
  const ValueId cubic = op("Mul", {c(0.044715), op("Pow", {x, c(3)})});
  const ValueId inner = op("Mul", {c(std::sqrt(2 / M_PI)), op("Add", {x, cubic})});
  const ValueId gate = op("Add", {c(1), op("Tanh", {inner})});
  expect(fuse_gelu, "*Gelu", op("Mul", {op("Mul", {c(0.5), x}), gate}));
  EXPECT_EQ(*b.graph().attribute<std::string>(output_node_id(b.graph()), "approximate"), "tanh");
}
TEST_F(FusePatterns, GeluTanhFactored) {
  const ValueId square = op("Mul", {op("Mul", {x, c(0.044715)}), x});
  const ValueId inner =
      op("Mul", {op("Mul", {x, c(std::sqrt(2 / M_PI))}), op("Add", {square, c(1)})});
  const ValueId gate = op("Add", {c(1), op("Tanh", {inner})});
  expect(fuse_gelu, "*Gelu", op("Mul", {op("Mul", {x, gate}), c(0.5)}));
}
TEST_F(FusePatterns, GeluNeedsItsNumbersAndPrivacy) {
  b.output(
      op("Mul", {op("Mul", {x, op("Add", {op("Erf", {op("Div", {x, c(2)})}), c(1)})}), c(0.5)}));
  const ValueId erf = op("Erf", {op("Div", {x, c(std::sqrt(2.0))})});
  b.output(op("Mul", {op("Mul", {x, op("Add", {erf, c(1)})}), c(0.5)}));
  b.output(erf);
  expect_unchanged(fuse_gelu);
}

// --- Mish

TEST_F(FusePatterns, Mish) {
  expect(fuse_mish, "*Mish", op("Mul", {x, op("Tanh", {op("Softplus", {x})})}));
}
TEST_F(FusePatterns, MishFromLogarithm) {
  const ValueId softplus = op("Log", {op("Add", {op("Exp", {x}), c(1)})});
  expect(fuse_mish, "*Mish", op("Mul", {op("Tanh", {softplus}), x}));
}

// --- PReLU

TEST_F(FusePatterns, PReluFromTwoRelus) {
  const ValueId negative = op("Relu", {op("Neg", {x})});
  const ValueId slope = b.weights({4, 1, 1});
  expect(fuse_prelu, "PRelu", op("Sub", {op("Relu", {x}), op("Mul", {slope, negative})}));
}
TEST_F(FusePatterns, PReluFromTwoRelusAndASign) {
  const ValueId negative = op("Relu", {op("Neg", {x})});
  const ValueId part = op("Mul", {op("Neg", {b.weights({4, 1, 1})}), negative});
  b.output(op("Add", {part, op("Relu", {x})}));
  const Graph before = b.graph();
  run_stage(b.graph(), PassStage::kLoad);
  EXPECT_EQ(ops_of(b.graph()), "PRelu");
  expect_same_results(before, b.graph(), {{2, 4, 6, 6}});
}
TEST_F(FusePatterns, PReluFromAbs) {
  const ValueId part = op("Mul", {b.weights({4, 1, 1}), op("Sub", {x, op("Abs", {x})})});
  expect(fuse_prelu, "PRelu", op("Add", {op("Relu", {x}), op("Mul", {part, c(0.5)})}));
}
TEST_F(FusePatterns, LeakyReluFromTwoRelus) {
  const ValueId negative = op("Relu", {op("Neg", {x})});
  expect(fuse_prelu, "LeakyRelu", op("Sub", {op("Relu", {x}), op("Mul", {c(0.25), negative})}));
  EXPECT_EQ(*b.graph().attribute<float>(output_node_id(b.graph()), "alpha"), 0.25f);
}
TEST_F(FusePatterns, PReluNeedsOneXAndAConstantSlope) {
  const ValueId other = op("Relu", {op("Neg", {op("Abs", {x})})});
  b.output(op("Sub", {op("Relu", {x}), op("Mul", {b.weights({4, 1, 1}), other})}));
  const ValueId computed = b.input({4, 1, 1});
  b.output(op("Sub", {op("Relu", {x}), op("Mul", {computed, op("Relu", {op("Neg", {x})})})}));
  b.output(op("Sub", {op("Mul", {c(0.25), op("Relu", {op("Neg", {x})})}), op("Relu", {x})}));
  expect_unchanged(fuse_prelu);
}

// --- LayerNormalization

class FuseLayerNorm : public FusePatterns, public ::testing::WithParamInterface<int> {
 protected:
  FuseLayerNorm() : FusePatterns(GetParam()) {}
  std::string fused() const {
    return GetParam() >= 17 ? "LayerNormalization" : "*LayerNormalization";
  }
  ValueId mean(ValueId v, Ints axes) {
    if (GetParam() >= 18) {
      return op_mean({v, b.constant(Tensor::from<std::int64_t>(
                             {static_cast<std::int64_t>(axes.size())}, axes))},
                     {});
    }
    return op_mean({v}, {{"axes", axes}});
  }
  ValueId op_mean(std::vector<ValueId> inputs, Attributes attributes) {
    return b.node("ReduceMean", std::move(inputs), std::move(attributes),
                  SymShape{Dim("N"), 4, 6, 1});
  }
  ValueId normalised(Ints axes, bool pow) {
    const ValueId d = op("Sub", {x, mean(x, axes)});
    const ValueId square = pow ? op("Pow", {d, c(2)}) : op("Mul", {d, d});
    const ValueId variance = mean(square, axes);
    return op("Div", {d, op("Sqrt", {op("Add", {variance, c(1e-5)})})});
  }
};

TEST_P(FuseLayerNorm, WithScaleAndBias) {
  const ValueId scaled = op("Mul", {normalised({-1}, true), b.weights({6})});
  expect(fuse_layer_norm, fused(), op("Add", {b.weights({6}), scaled}));
  EXPECT_EQ(*b.graph().attribute<std::int64_t>(output_node_id(b.graph()), "axis"), 3);
}
TEST_P(FuseLayerNorm, WithNothingButTheDivision) {
  expect(fuse_layer_norm, fused(), normalised({3}, false));
}
TEST_P(FuseLayerNorm, LeavesOtherAxes) {
  b.output(normalised({1}, true));
  EXPECT_EQ(run_pass(b.graph(), fuse_layer_norm), 0);
}
// What the fused node would add is float32.
TEST_P(FuseLayerNorm, LeavesDoubles) {
  const ValueId y = normalised({3}, false);
  for (ValueId id = 0; id < static_cast<ValueId>(b.graph().value_count()); ++id) {
    Value& value = b.graph().value(id);
    if (value.dtype == DType::kFloat32) value.dtype = DType::kFloat64;
    if (value.is_constant() && value.constant.dtype() == DType::kFloat32) {
      value.constant = Tensor::scalar<double>(*scalar_constant(b.graph(), id));
    }
  }
  b.output(y);
  EXPECT_EQ(run_pass(b.graph(), fuse_layer_norm), 0);
}
INSTANTIATE_TEST_SUITE_P(Opsets, FuseLayerNorm, ::testing::Values(13, 17, 18));

// --- Focus

class FuseFocus : public ::testing::Test {
 protected:
  ValueId slice(GraphBuilder& b, ValueId x, Ints starts, Ints axes) {
    const auto count = static_cast<std::int64_t>(axes.size());
    const auto ints = [&](const Ints& v) {
      return b.constant(Tensor::from<std::int64_t>({count}, v));
    };
    return b.node("Slice", {x, ints(starts), ints(Ints(axes.size(), INT64_MAX)), ints(axes),
                            ints(Ints(axes.size(), 2))});
  }
  void expect(GraphBuilder& b, const std::string& ops, const Ints& order) {
    const Graph before = b.graph();
    run_pass(b.graph(), fuse_focus);
    run_pass(b.graph(), eliminate_dead_code);
    EXPECT_EQ(ops_of(b.graph()), ops);
    if (!order.empty()) {
      EXPECT_EQ(*b.graph().attribute<Ints>(output_node_id(b.graph()), "order"), order);
    }
    expect_same_results(before, b.graph(), {{2, 3, 8, 6}});
  }
};

TEST_F(FuseFocus, TwoSlicesForEachQuarterInYoloOrder) {
  GraphBuilder b;
  const ValueId x = b.input({Dim("N"), 3, Dim("H"), Dim("W")});
  std::vector<ValueId> quarters;
  for (const auto& [row, column] : {std::pair{0, 0}, {1, 0}, {0, 1}, {1, 1}}) {
    quarters.push_back(slice(b, slice(b, x, {row}, {2}), {column}, {3}));
  }
  b.output(b.node("Concat", quarters, {{"axis", std::int64_t{1}}}));
  expect(b, "*Focus", {0, 2, 1, 3});
}

TEST_F(FuseFocus, OneSliceForEachQuarterInRowOrder) {
  GraphBuilder b;
  const ValueId x = b.input({Dim("N"), 3, 8, 6});
  std::vector<ValueId> quarters;
  for (const std::int64_t k : {0, 1, 2, 3}) {
    quarters.push_back(slice(b, x, {k % 2, k / 2}, {-1, -2}));
  }
  b.output(b.node("Concat", quarters, {{"axis", std::int64_t{1}}}));
  expect(b, "SpaceToDepth", {});
}

TEST(FoldFocusConv, SpreadsTheWeights) {
  for (const Ints& order : {Ints{0, 2, 1, 3}, Ints{3, 0, 1, 2}}) {
    GraphBuilder b;
    const ValueId x = b.input({Dim("N"), 3, 12, 8});
    const ValueId y = b.internal("Focus", {x}, {{"block", std::int64_t{2}}, {"order", order}});
    const ValueId w = b.constant(random_tensor({5, 12, 3, 3}, 2));
    b.output(b.node("Conv", {y, w}, {{"pads", Ints{1, 0, 1, 2}}, {"strides", Ints{1, 2}}}));
    const Graph before = b.graph();
    EXPECT_EQ(run_pass(b.graph(), fold_focus_conv), 1);
    EXPECT_EQ(ops_of(b.graph()), "Conv");
    expect_same_results(before, b.graph(), {{2, 3, 12, 8}});
  }
}

TEST(FoldFocusConv, LeavesManyChannelsGroupsAndOtherUses) {
  GraphBuilder b;
  const Attributes blocks = {{"blocksize", std::int64_t{2}}};
  const ValueId wide = b.node("SpaceToDepth", {b.input({1, 8, 8, 8})}, blocks);
  b.output(b.node("Conv", {wide, b.weights({4, 32, 3, 3})}));
  const ValueId x = b.input({1, 4, 8, 8});
  const ValueId grouped = b.node("SpaceToDepth", {x}, blocks);
  b.output(b.node("Conv", {grouped, b.weights({4, 8, 3, 3})}, {{"group", std::int64_t{2}}}));
  const ValueId shared = b.node("SpaceToDepth", {x}, blocks);
  b.output(b.node("Conv", {shared, b.weights({4, 16, 3, 3})}));
  b.output(shared);
  EXPECT_EQ(run_pass(b.graph(), fold_focus_conv), 0);
}

TEST_F(FuseFocus, LeavesRepeatedQuartersAndOtherAxes) {
  for (const std::int64_t axis : {1, 2}) {
    GraphBuilder b;
    const ValueId x = b.input({Dim("N"), 3, 8, 6});
    std::vector<ValueId> quarters;
    for (const std::int64_t k : {0, 1, 2, 3}) {
      quarters.push_back(slice(b, x, {k % 2, axis == 1 ? 0 : k / 2}, {3, 2}));
    }
    b.output(b.node("Concat", quarters, {{"axis", axis}}));
    EXPECT_EQ(run_pass(b.graph(), fuse_focus), 0);
  }
}

TEST_F(FuseFocus, LeavesSlicesThatEndEarly) {
  GraphBuilder b;
  const ValueId x = b.input({2, 3, 8, 6});
  std::vector<ValueId> quarters;
  for (const std::int64_t k : {0, 1, 2, 3}) {
    quarters.push_back(b.node(
        "Slice", {x, b.ints({k / 2, k % 2}), b.ints({6, 6}), b.ints({2, 3}), b.ints({2, 2})}));
  }
  b.output(b.node("Concat", quarters, {{"axis", std::int64_t{1}}}));
  EXPECT_EQ(run_pass(b.graph(), fuse_focus), 0);
}

// --- Pad

TEST(FusePad, IntoConvAndPools) {
  GraphBuilder b;
  const ValueId x = b.input({Dim("N"), 4, 6, 6});
  const ValueId pads = b.ints({0, 0, 1, 2, 0, 0, 0, 1});
  const SymShape padded = {Dim("N"), 4, 7, 9};
  const auto pad = [&](float value) {
    return b.node("Pad", {x, pads, b.scalar(value)}, {}, padded);
  };
  const Attributes window = {{"kernel_shape", Ints{3, 3}}};
  b.output(b.node("Conv", {pad(0), b.constant(random_tensor({5, 4, 3, 3}, 1))},
                  {{"pads", Ints{1, 0, 0, 0}}}));
  b.output(b.node("AveragePool", {pad(0)}, window));
  b.output(b.node("MaxPool", {pad(-std::numeric_limits<float>::infinity())}, window));
  b.output(b.node("MaxPool", {pad(0)}, window));
  b.output(b.node("Conv", {pad(1), b.weights({5, 4, 3, 3})}));
  const Graph before = b.graph();
  EXPECT_EQ(run_pass(b.graph(), fuse_pad), 3);
  EXPECT_EQ(ops_of(b.graph()), "Conv AveragePool MaxPool Pad MaxPool Pad Conv");
  EXPECT_EQ(*b.graph().attribute<Ints>(output_node_id(b.graph(), 0), "pads"), (Ints{2, 2, 0, 1}));
  expect_same_results(before, b.graph(), {{2, 4, 6, 6}});
}

TEST(FusePad, LeavesChannelsReflectionAndSharing) {
  GraphBuilder b;
  const ValueId x = b.input({Dim("N"), 4, 6, 6});
  const ValueId w = b.weights({5, 4, 3, 3}), w5 = b.weights({5, 5, 3, 3});
  const ValueId pads = b.ints({0, 0, 1, 1, 0, 0, 1, 1});
  const SymShape padded = {Dim("N"), 4, 8, 8};
  const ValueId channels = b.node("Pad", {x, b.ints({0, 1, 0, 0, 0, 0, 0, 0})}, {});
  b.output(b.node("Conv", {channels, w5}));
  const ValueId reflected = b.node("Pad", {x, pads}, {{"mode", std::string("reflect")}}, padded);
  b.output(b.node("Conv", {reflected, w}));
  const ValueId shared = b.node("Pad", {x, pads}, {}, padded);
  b.output(b.node("Conv", {shared, w}));
  b.output(shared);
  const ValueId same = b.node("Pad", {x, pads}, {}, padded);
  b.output(b.node("Conv", {same, w}, {{"auto_pad", std::string("SAME_UPPER")}}));
  EXPECT_EQ(run_pass(b.graph(), fuse_pad), 0);
}

TEST(FuseBorderPad, MirrorsAndEdgesIntoConv) {
  GraphBuilder b;
  const ValueId x = b.input({2, 4, 6, 5});
  const ValueId pads = b.ints({0, 0, 1, 2, 0, 0, 3, 1});
  const ValueId w = b.constant(random_tensor({5, 4, 3, 3}, 1));
  const auto pad = [&](const char* mode, ValueId by) {
    return b.node("Pad", {x, by}, {{"mode", std::string(mode)}});
  };
  b.output(b.node("Conv", {pad("reflect", pads), w}, {{"strides", Ints{2, 1}}}));
  b.output(b.node("Relu", {b.node("Conv", {pad("edge", pads), w}, {{"pads", Ints{0, 0, 0, 0}}})}));
  const ValueId far = b.ints({0, 0, 0, 7, 0, 0, 0, 0});
  b.output(b.node("Conv", {pad("edge", far), w}));
  const Graph before = b.graph();
  EXPECT_EQ(run_pass(b.graph(), fuse_border_pad), 3);
  EXPECT_EQ(ops_of(b.graph()), "*FusedConv *FusedConv Relu *FusedConv");
  EXPECT_EQ(*b.graph().attribute<std::string>(output_node_id(b.graph(), 0), "border"), "reflect");
  EXPECT_EQ(*b.graph().attribute<Ints>(output_node_id(b.graph(), 0), "pads"), (Ints{1, 2, 3, 1}));
  expect_same_results(before, b.graph(), {{2, 4, 6, 5}});
}

TEST(FuseBorderPad, LeavesWhatItCannotReachOrShare) {
  GraphBuilder b;
  const ValueId x = b.input({1, 4, 6, 6}), open = b.input({Dim("N"), 4, Dim("H"), 6});
  const ValueId w = b.weights({5, 4, 3, 3});
  const ValueId pads = b.ints({0, 0, 1, 1, 0, 0, 1, 1});
  const Attributes mirror = {{"mode", std::string("reflect")}};
  b.output(b.node("Conv", {b.node("Pad", {open, pads}, mirror), w}));  // H may be 1
  b.output(b.node("Conv", {b.node("Pad", {x, pads}, mirror), w}, {{"pads", Ints{1, 1, 1, 1}}}));
  b.output(b.node("Conv", {b.node("Pad", {x, pads}, mirror), b.weights({8, 1, 3, 3})},
                  {{"group", std::int64_t{4}}}));
  const ValueId shared = b.node("Pad", {x, pads}, mirror);
  b.output(b.node("Conv", {shared, w}));
  b.output(shared);
  b.output(b.node("Conv", {b.node("Pad", {x, pads}, {{"mode", std::string("wrap")}}), w}));
  EXPECT_EQ(run_pass(b.graph(), fuse_border_pad), 0);
}

}  // namespace
}  // namespace mini_infer
