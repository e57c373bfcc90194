#include <random>

#include "tests/passes/pass_test.h"

namespace mini_infer {
namespace {

// A graph of one convolution.
GraphBuilder conv_of(SymShape x, Shape w, Attributes attributes) {
  GraphBuilder b;
  const ValueId in = b.input(std::move(x));
  b.output(b.node("Conv", {in, b.weights(std::move(w), 1)}, std::move(attributes)));
  return b;
}

// The first convolution.
NodeId conv_in(const Graph& graph) {
  std::vector<NodeId> found = graph.nodes_of("Conv");
  const auto fused = graph.nodes_of("FusedConv", kInternalDomain);
  found.insert(found.end(), fused.begin(), fused.end());
  return found.at(0);
}

Ints ints(const Graph& graph, const char* name) {
  const Ints* values = graph.attribute<Ints>(conv_in(graph), name);
  return values != nullptr ? *values : Ints();
}

const Tensor& weights_of(const Graph& graph) {
  const Tensor* weights = graph.constant(graph.input(conv_in(graph), 1));
  static const Tensor none;
  EXPECT_NE(weights, nullptr);
  return weights != nullptr ? *weights : none;
}

Shape weights_shape(const Graph& graph) { return weights_of(graph).shape(); }

// Small whole numbers, so that sums are exact in any order.
Tensor whole_numbers(Shape shape) {
  std::mt19937 random(5);
  std::uniform_int_distribution<int> uniform(-8, 8);
  Tensor tensor(DType::kFloat32, std::move(shape));
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    tensor.mutable_data<float>()[i] = static_cast<float>(uniform(random));
  }
  return tensor;
}

void expect_equal(const Graph& before, const Graph& after, const Shape& x) {
  const auto want = evaluate(before, {whole_numbers(x)}), got = evaluate(after, {whole_numbers(x)});
  ASSERT_TRUE(want.ok()) << want.status().message();
  ASSERT_TRUE(got.ok()) << got.status().message();
  ASSERT_EQ((*want)[0].shape(), (*got)[0].shape());
  for (std::int64_t i = 0; i < (*want)[0].elements(); ++i) {
    ASSERT_EQ((*want)[0].data<float>()[i], (*got)[0].data<float>()[i]) << "element " << i;
  }
}

TEST(EliminateDeadTaps, LeavesTheCentreOfDilationsWiderThanTheMap) {
  GraphBuilder b = conv_of(
      {Dim("N"), 3, 20, 20}, {2, 3, 3, 3},
      {{"kernel_shape", Ints{3, 3}}, {"dilations", Ints{24, 24}}, {"pads", Ints{24, 24, 24, 24}}});
  const Graph before = b.graph();
  EXPECT_EQ(run_pass(b.graph(), eliminate_dead_taps), 1);
  EXPECT_EQ(weights_shape(b.graph()), (Shape{2, 3, 1, 1}));
  EXPECT_EQ(constant_str(b.graph(), output_node(b.graph()).inputs[1]), "[5,14,23,32,41,50]");
  EXPECT_EQ(ints(b.graph(), "kernel_shape"), (Ints{1, 1}));
  EXPECT_EQ(ints(b.graph(), "dilations"), (Ints{1, 1}));
  EXPECT_EQ(ints(b.graph(), "pads"), (Ints{0, 0, 0, 0}));
  expect_equal(before, b.graph(), {2, 3, 20, 20});
  EXPECT_EQ(run_pass(b.graph(), eliminate_dead_taps), 0);
}

TEST(EliminateDeadTaps, LooksAtEachAxis) {
  GraphBuilder b = conv_of({1, 3, 20, 30}, {2, 3, 3, 3},
                           {{"dilations", Ints{24, 24}}, {"pads", Ints{24, 24, 24, 24}}});
  const Graph before = b.graph();
  EXPECT_EQ(run_pass(b.graph(), eliminate_dead_taps), 1);
  EXPECT_EQ(weights_shape(b.graph()), (Shape{2, 3, 1, 3}));
  EXPECT_EQ(ints(b.graph(), "dilations"), (Ints{1, 24}));
  EXPECT_EQ(ints(b.graph(), "pads"), (Ints{0, 24, 0, 24}));
  expect_equal(before, b.graph(), {1, 3, 20, 30});
}

TEST(EliminateDeadTaps, LeavesWhatMeetsTheImage) {
  const Ints pads = {18, 18, 18, 18};
  for (const std::int64_t extent : {19, 20}) {  // one more than the dilation is enough
    GraphBuilder b = conv_of({1, 3, extent, extent}, {2, 3, 3, 3},
                             {{"dilations", Ints{18, 18}}, {"pads", pads}});
    EXPECT_EQ(run_pass(b.graph(), eliminate_dead_taps), 0);
    EXPECT_EQ(ints(b.graph(), "pads"), pads);
  }
  GraphBuilder b =
      conv_of({1, 3, 18, 19}, {2, 3, 3, 3}, {{"dilations", Ints{18, 18}}, {"pads", pads}});
  EXPECT_EQ(run_pass(b.graph(), eliminate_dead_taps), 1);
  EXPECT_EQ(weights_shape(b.graph()), (Shape{2, 3, 1, 3}));
}

TEST(EliminateDeadTaps, TakesOneSideOfAStride) {
  // The only window starts in the padding: taps at -1, 0 and 1.
  GraphBuilder b =
      conv_of({1, 3, 2, 2}, {2, 3, 3, 3}, {{"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}});
  const Graph before = b.graph();
  EXPECT_EQ(run_pass(b.graph(), eliminate_dead_taps), 1);
  EXPECT_EQ(weights_shape(b.graph()), (Shape{2, 3, 2, 2}));
  EXPECT_EQ(ints(b.graph(), "pads"), (Ints{0, 0, 1, 1}));
  expect_equal(before, b.graph(), {1, 3, 2, 2});
}

TEST(EliminateDeadTaps, NeedsAsMuchPaddingAsGoesWithATap) {
  // Taps at -1, 1 and 3: without the first, the window would start inside of the input.
  GraphBuilder b = conv_of({1, 1, 4}, {1, 1, 3}, {{"dilations", Ints{2}}, {"pads", Ints{1, 0}}});
  EXPECT_EQ(run_pass(b.graph(), eliminate_dead_taps), 0);
  EXPECT_EQ(weights_shape(b.graph()), (Shape{1, 1, 3}));
}

TEST(EliminateDeadTaps, KeepsATapWhereAllAreDead) {
  GraphBuilder b = conv_of({1, 2, 1}, {3, 2, 2},
                           {{"dilations", Ints{2}}, {"strides", Ints{5}}, {"pads", Ints{3, 3}}});
  const Graph before = b.graph();
  EXPECT_EQ(run_pass(b.graph(), eliminate_dead_taps), 1);
  EXPECT_EQ(weights_shape(b.graph()), (Shape{3, 2, 1}));
  expect_equal(before, b.graph(), {1, 2, 1});
}

TEST(EliminateDeadTaps, ResolvesAutoPad) {
  for (const char* mode : {"SAME_UPPER", "SAME_LOWER"}) {
    GraphBuilder b = conv_of({1, 3, 7, 2}, {2, 3, 5, 4}, {{"auto_pad", std::string(mode)}});
    const Graph before = b.graph();
    EXPECT_EQ(run_pass(b.graph(), eliminate_dead_taps), 1) << mode;
    // Three elements of padding, of which the longer side has two: one tap goes there.
    EXPECT_EQ(weights_shape(b.graph()), (Shape{2, 3, 5, 3})) << mode;
    EXPECT_EQ(ints(b.graph(), "pads"), (Ints{2, 1, 2, 1})) << mode;
    EXPECT_FALSE(output_node(b.graph()).attributes.contains("auto_pad"));
    expect_equal(before, b.graph(), {1, 3, 7, 2});
  }
  GraphBuilder b = conv_of({1, 3, 3, 3}, {2, 3, 3, 3},
                           {{"auto_pad", std::string("VALID")}, {"pads", Ints{9, 9, 9, 9}}});
  EXPECT_EQ(run_pass(b.graph(), eliminate_dead_taps), 0);
}

TEST(EliminateDeadTaps, KeepsTheTapsOfAxesThatAreNotKnown) {
  GraphBuilder b = conv_of({Dim("N"), 3, 1, Dim("W")}, {2, 3, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}});
  const Graph before = b.graph();
  EXPECT_EQ(run_pass(b.graph(), eliminate_dead_taps), 1);
  EXPECT_EQ(weights_shape(b.graph()), (Shape{2, 3, 1, 3}));
  EXPECT_EQ(ints(b.graph(), "pads"), (Ints{0, 1, 0, 1}));
  expect_equal(before, b.graph(), {2, 3, 1, 9});
  GraphBuilder same =
      conv_of({1, 3, 1, Dim("W")}, {2, 3, 3, 3}, {{"auto_pad", std::string("SAME_UPPER")}});
  EXPECT_EQ(run_pass(same.graph(), eliminate_dead_taps), 0);
}

TEST(EliminateDeadTaps, LooksAgainWhenShapesAreNumbers) {
  GraphBuilder b = conv_of({1, 3, Dim("H"), Dim("W")}, {2, 3, 3, 3},
                           {{"pads", Ints(4, 30)}, {"dilations", Ints{30, 30}}});
  run_stage(b.graph(), PassStage::kLoad);
  EXPECT_EQ(weights_shape(b.graph()), (Shape{2, 3, 3, 3}));
  const Graph before = b.graph();
  b.graph().value(b.graph().inputs[0]).shape = SymShape{1, 3, 8, 40};
  run_stage(b.graph(), PassStage::kPlan);
  EXPECT_EQ(weights_shape(b.graph()), (Shape{2, 3, 1, 3}));
  EXPECT_EQ(weights_shape(before), (Shape{2, 3, 3, 3}));
}

TEST(EliminateDeadTaps, LeavesWeightsThatOthersShare) {
  GraphBuilder b;
  const ValueId small = b.input({1, 3, 4, 4}), large = b.input({1, 3, 40, 40});
  const ValueId w = b.weights({2, 3, 3, 3});
  const Attributes attributes = {{"dilations", Ints{6, 6}}, {"pads", Ints{6, 6, 6, 6}}};
  b.output(b.node("Conv", {small, w}, attributes));
  b.output(b.node("Conv", {large, w}, attributes));
  const Graph before = b.graph();
  EXPECT_EQ(run_pass(b.graph(), eliminate_dead_taps), 1);
  EXPECT_EQ(weights_shape(b.graph()), (Shape{2, 3, 1, 1}));
  EXPECT_EQ(output_node(b.graph(), 1).inputs[1], w);
  EXPECT_EQ(constant_str(b.graph(), w), constant_str(before, w));
  expect_same_results(before, b.graph(), {{1, 3, 4, 4}, {1, 3, 40, 40}});
}

TEST(EliminateDeadTaps, TakesGroups) {
  GraphBuilder b =
      conv_of({1, 8, 1, 6}, {8, 1, 3, 3}, {{"group", std::int64_t{8}}, {"pads", Ints{1, 1, 1, 1}}});
  const Graph before = b.graph();
  EXPECT_EQ(run_pass(b.graph(), eliminate_dead_taps), 1);
  EXPECT_EQ(weights_shape(b.graph()), (Shape{8, 1, 1, 3}));
  expect_equal(before, b.graph(), {1, 8, 1, 6});
}

TEST(EliminateDeadTaps, TakesFusedConvolutionsButNoRepeatedBorders) {
  for (const bool border : {false, true}) {
    GraphBuilder b;
    const ValueId x = b.input({1, 2, 1, 4});
    Attributes attributes = {{"pads", Ints{1, 1, 1, 1}}, {"activation", std::string("Relu")}};
    if (border) attributes["border"] = std::string("edge");
    b.output(b.internal("FusedConv", {x, b.weights({2, 2, 3, 3}), b.weights({2}), x}, attributes));
    const Graph before = b.graph();
    EXPECT_EQ(run_pass(b.graph(), eliminate_dead_taps), border ? 0 : 1);
    expect_equal(before, b.graph(), {1, 2, 1, 4});
  }
}

TEST(EliminateDeadTaps, NeedsConstantWeights) {
  GraphBuilder b;
  const ValueId x = b.input({1, 2, 1, 1});
  b.output(b.node("Conv", {x, b.input({2, 2, 3, 3})}, {{"pads", Ints{1, 1, 1, 1}}}));
  EXPECT_EQ(run_pass(b.graph(), eliminate_dead_taps), 0);
}

TEST(EliminateDeadTaps, CutsWeightsOfAnyType) {
  Tensor weights(DType::kFloat16, {1, 1, 3});
  for (int i = 0; i < 3; ++i) {
    weights.mutable_data<Float16>()[i] = to_float16(static_cast<float>(i + 1));
  }
  GraphBuilder b;
  const ValueId x = b.input({1, 1, 1}, DType::kFloat16);
  b.output(b.node("Conv", {x, b.constant(weights)}, {{"pads", Ints{1, 1}}}, {}, DType::kFloat16));
  EXPECT_EQ(run_pass(b.graph(), eliminate_dead_taps), 1);
  EXPECT_EQ(constant_str(b.graph(), output_node(b.graph()).inputs[1]), "[2]");
}

// Whether a tap of the one spatial axis meets the input, looked up output by output.
bool reads(std::int64_t tap, std::int64_t in, const Ints& pads, std::int64_t kernel,
           std::int64_t stride, std::int64_t dilation) {
  const std::int64_t extent = (kernel - 1) * dilation + 1;
  for (std::int64_t start = -pads[0]; start + extent <= in + pads[1]; start += stride) {
    const std::int64_t at = start + tap * dilation;
    if (at >= 0 && at < in) return true;
  }
  return false;
}

TEST(EliminateDeadTaps, LeavesNoOuterTapThatCouldGo) {
  std::mt19937 random(11);
  const auto pick = [&](int least, int most) {
    return std::uniform_int_distribution<std::int64_t>(least, most)(random);
  };
  int shrunk = 0;
  for (int i = 0; i < 400; ++i) {
    const std::int64_t in = pick(1, 6), kernel = pick(1, 5), stride = pick(1, 4);
    const std::int64_t dilation = pick(1, 7), extent = (kernel - 1) * dilation + 1;
    const Ints pads = {pick(0, 9), pick(0, 9)};
    if (in + pads[0] + pads[1] < extent) continue;
    GraphBuilder b =
        conv_of({1, 2, in}, {3, 2, kernel},
                {{"strides", Ints{stride}}, {"dilations", Ints{dilation}}, {"pads", pads}});
    const Graph before = b.graph();
    const int rewrites = run_pass(b.graph(), eliminate_dead_taps);
    const std::int64_t left = weights_shape(b.graph())[2];
    ASSERT_EQ(rewrites, left < kernel ? 1 : 0);
    shrunk += rewrites;
    expect_equal(before, b.graph(), {1, 2, in});
    if (left == 1) continue;
    const Ints now = rewrites == 0 ? pads : ints(b.graph(), "pads");
    EXPECT_TRUE(now[0] < dilation || reads(0, in, now, left, stride, dilation)) << i;
    EXPECT_TRUE(now[1] < dilation || reads(left - 1, in, now, left, stride, dilation)) << i;
  }
  EXPECT_GT(shrunk, 50);
}

}  // namespace
}  // namespace mini_infer
