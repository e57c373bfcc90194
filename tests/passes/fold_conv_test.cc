#include <algorithm>
#include <cmath>

#include "tests/passes/pass_test.h"

namespace mini_infer {
namespace {

const SymShape kMaps = {Dim("N"), 4, 6, 6};

ValueId conv(GraphBuilder& b, ValueId x, Shape weights, Attributes attributes = {}) {
  const ValueId w = b.constant(random_tensor(std::move(weights), 3));
  attributes["pads"] = Ints{1, 1, 1, 1};
  return b.node("Conv", {x, w}, attributes);
}

ValueId batch_norm(GraphBuilder& b, ValueId x, std::int64_t channels) {
  std::vector<ValueId> inputs = {x};
  for (int i = 0; i < 4; ++i) inputs.push_back(b.weights({channels}, 0.25 * (i + 1)));
  return b.node("BatchNormalization", inputs, {{"epsilon", 1e-3f}}, b.graph().value(x).shape);
}

TEST(FoldConvBatchNorm, FoldsIntoConv) {
  GraphBuilder b;
  const ValueId x = b.input(kMaps);
  b.output(batch_norm(b, conv(b, x, {8, 4, 3, 3}), 8));
  const Graph before = b.graph();
  EXPECT_EQ(run_pass(b.graph(), fold_conv_batch_norm), 1);
  EXPECT_EQ(ops_of(b.graph()), "Conv");
  EXPECT_EQ(output_node(b.graph()).inputs.size(), 3u);
  expect_same_results(before, b.graph(), {{2, 4, 6, 6}});
}

TEST(FoldConvBatchNorm, FoldsIntoGroupedConvTranspose) {
  GraphBuilder b;
  const ValueId x = b.input(kMaps);
  const ValueId w = b.constant(random_tensor({4, 3, 2, 2}, 5));
  const ValueId y = b.node("ConvTranspose", {x, w}, {{"group", std::int64_t{2}}});
  b.output(batch_norm(b, y, 6));
  const Graph before = b.graph();
  EXPECT_EQ(run_pass(b.graph(), fold_conv_batch_norm), 1);
  EXPECT_EQ(ops_of(b.graph()), "ConvTranspose");
  expect_same_results(before, b.graph(), {{1, 4, 6, 6}});
}

TEST(FoldConvBatchNorm, FoldsIntoProducts) {
  for (const std::int64_t transposed : {0, 1}) {
    GraphBuilder b;
    const ValueId x = b.input({Dim("N"), 5});
    const ValueId w = b.constant(random_tensor(transposed ? Shape{7, 5} : Shape{5, 7}, 5));
    const ValueId y = b.node("Gemm", {x, w, b.weights({1, 7})},
                             {{"transB", transposed}, {"beta", 0.5f}, {"alpha", 2.f}});
    b.output(batch_norm(b, y, 7));
    const Graph before = b.graph();
    EXPECT_EQ(run_pass(b.graph(), fold_conv_batch_norm), 1);
    EXPECT_EQ(ops_of(b.graph()), "Gemm");
    expect_same_results(before, b.graph(), {{3, 5}});
  }
  GraphBuilder b;
  const ValueId x = b.input({Dim("N"), 5});
  b.output(batch_norm(b, b.node("MatMul", {x, b.weights({5, 7})}), 7));
  const Graph before = b.graph();
  EXPECT_EQ(run_pass(b.graph(), fold_conv_batch_norm), 1);
  EXPECT_EQ(ops_of(b.graph()), "*FusedMatMul");
  expect_same_results(before, b.graph(), {{3, 5}});
}

TEST(FoldConvBatchNorm, KeepsSharedWeights) {
  GraphBuilder b;
  const ValueId x = b.input(kMaps);
  const ValueId w = b.weights({4, 4, 3, 3});
  b.output(batch_norm(b, b.node("Conv", {x, w}), 4));
  b.output(b.node("Conv", {x, w}));
  EXPECT_EQ(run_pass(b.graph(), fold_conv_batch_norm), 1);
  EXPECT_EQ(output_node(b.graph(), 1).inputs[1], w);
  EXPECT_NE(output_node(b.graph(), 0).inputs[1], w);
}

TEST(FoldConvBatchNorm, LeavesWhatOthersNeed) {
  GraphBuilder b;
  const ValueId x = b.input(kMaps);
  const ValueId used_twice = conv(b, x, {4, 4, 3, 3});
  b.output(batch_norm(b, used_twice, 4));
  b.output(b.node("Foo", {used_twice}));
  const ValueId also_output = conv(b, x, {4, 4, 3, 3});
  b.output(batch_norm(b, also_output, 4));
  b.output(also_output);
  const ValueId computed = b.node("Conv", {x, b.input({4, 4, 3, 3})});
  b.output(batch_norm(b, computed, 4));
  EXPECT_EQ(run_pass(b.graph(), fold_conv_batch_norm), 0);
}

TEST(FoldConvMulAdd, FoldsAffineChains) {
  GraphBuilder b;
  const ValueId x = b.input(kMaps);
  const ValueId y = conv(b, x, {3, 4, 3, 3});
  const SymShape shape = {Dim("N"), 3, 6, 6};
  ValueId z = b.node("Mul", {y, b.floats({3, 1, 1}, {1, 2, 3})}, {}, shape);
  z = b.node("Add", {b.floats({1, 3, 1, 1}, {4, 5, 6}), z}, {}, shape);
  z = b.node("Div", {z, b.scalar(2)}, {}, shape);
  z = b.node("Sub", {z, b.scalar(1)}, {}, shape);
  b.output(b.node("Sub", {b.scalar(1), z}, {}, shape));
  const Graph before = b.graph();
  run_stage(b.graph(), PassStage::kLoad);
  EXPECT_EQ(ops_of(b.graph()), "Conv");
  expect_same_results(before, b.graph(), {{2, 4, 6, 6}});
}

TEST(FoldConvMulAdd, LeavesOtherShapes) {
  GraphBuilder b;
  const ValueId x = b.input({Dim("N"), 4, 4, 4});
  const SymShape shape = {Dim("N"), 4, 4, 4};
  b.output(b.node("Mul", {conv(b, x, {4, 4, 3, 3}), b.weights({4})}, {}, shape));
  b.output(b.node("Add", {conv(b, x, {4, 4, 3, 3}), b.weights({4, 4, 4})}, {}, shape));
  b.output(b.node("Div", {b.scalar(2), conv(b, x, {4, 4, 3, 3})}, {}, shape));
  b.output(b.node("Add", {conv(b, x, {4, 4, 3, 3}), b.input({4, 1, 1})}, {}, shape));
  EXPECT_EQ(run_pass(b.graph(), fold_conv_mul_add), 0);
}

TEST(FoldConvMulAdd, TakesConstantsThatAreSpreadOverTheMap) {
  GraphBuilder b;
  const ValueId x = b.input({2, 4, 6, 6});
  Tensor ones(DType::kFloat32, {6, 6});
  std::fill_n(ones.mutable_data<float>(), 36, 2.f);
  const SymShape shape = {2, 4, 6, 6};
  b.output(b.node("Mul", {conv(b, x, {4, 4, 3, 3}), b.constant(ones)}, {}, shape));
  // This one makes the result larger than the convolution's.
  const ValueId small = b.node("Conv", {x, b.weights({4, 4, 6, 6})});
  b.output(b.node("Mul", {small, b.constant(ones)}, {}, shape));
  const Graph before = b.graph();
  EXPECT_EQ(run_pass(b.graph(), fold_conv_mul_add), 1);
  expect_same_results(before, b.graph(), {{2, 4, 6, 6}});
}

TEST(FuseMatMulAdd, TakesBiasAndScale) {
  GraphBuilder b;
  const ValueId x = b.input({Dim("N"), 2, 5}), y = b.input({Dim("N"), 5, 7});
  const SymShape shape = {Dim("N"), 2, 7};
  const ValueId product = b.node("MatMul", {x, y}, {}, shape);
  const ValueId scaled = b.node("Div", {product, b.scalar(8)}, {}, shape);
  b.output(b.node("Add", {b.weights({7}), scaled}, {}, shape));
  b.output(b.node("Add", {b.node("MatMul", {x, y}, {}, shape), b.weights({2, 7})}, {}, shape));
  const Graph before = b.graph();
  EXPECT_EQ(run_pass(b.graph(), fuse_matmul_add), 2);
  EXPECT_EQ(ops_of(b.graph()), "*FusedMatMul MatMul Add");
  EXPECT_EQ(*b.graph().attribute<float>(output_node_id(b.graph()), "alpha"), 0.125f);
  expect_same_results(before, b.graph(), {{2, 2, 5}, {2, 5, 7}});
}

TEST(FuseConvActivation, TakesActivationsWithTheirParameters) {
  GraphBuilder b;
  const ValueId x = b.input(kMaps);
  const SymShape shape = {Dim("N"), 4, 6, 6};
  b.output(b.node("Relu", {conv(b, x, {4, 4, 3, 3})}, {}, shape));
  b.output(b.node("Clip", {conv(b, x, {4, 4, 3, 3}), b.scalar(0), b.scalar(6)}, {}, shape));
  b.output(b.node("LeakyRelu", {conv(b, x, {4, 4, 3, 3})}, {{"alpha", 0.1f}}, shape));
  b.output(b.node("PRelu", {conv(b, x, {4, 4, 3, 3}), b.weights({4, 1, 1})}, {}, shape));
  b.output(b.node("HardSigmoid", {conv(b, x, {4, 4, 3, 3})}, {}, shape));
  const Graph before = b.graph();
  EXPECT_EQ(run_pass(b.graph(), fuse_conv_activation), 5);
  EXPECT_EQ(ops_of(b.graph()), "*FusedConv *FusedConv *FusedConv *FusedConv *FusedConv");
  const Graph& g = b.graph();
  EXPECT_EQ(*g.attribute<std::string>(output_node_id(g, 0), "activation"), "Relu");
  EXPECT_EQ(*g.attribute<Floats>(output_node_id(g, 1), "activation_params"), (Floats{0, 6}));
  EXPECT_EQ(*g.attribute<Floats>(output_node_id(g, 2), "activation_params"), (Floats{0.1f}));
  EXPECT_EQ(output_node(g, 3).inputs.size(), 5u);
  EXPECT_EQ(g.value(output_node(g, 3).inputs[4]).constant.shape(), (Shape{4}));
  EXPECT_EQ(*g.attribute<Floats>(output_node_id(g, 4), "activation_params"), (Floats{0.2f, 0.5f}));
  expect_same_results(before, b.graph(), {{2, 4, 6, 6}});
}

TEST(FuseConvActivation, LeavesWhatOthersNeedAndWhatIsNotConstant) {
  GraphBuilder b;
  const ValueId x = b.input(kMaps);
  const SymShape shape = {Dim("N"), 4, 6, 6};
  const ValueId shared = conv(b, x, {4, 4, 3, 3});
  b.output(b.node("Relu", {shared}, {}, shape));
  b.output(shared);
  b.output(b.node("Clip", {conv(b, x, {4, 4, 3, 3}), b.input({})}, {}, shape));
  b.output(b.node("PRelu", {conv(b, x, {4, 4, 3, 3}), b.weights({6})}, {}, shape));
  EXPECT_EQ(run_pass(b.graph(), fuse_conv_activation), 0);
}

TEST(FuseConvActivation, TakesSlopesThatAreSpreadOverTheMap) {
  GraphBuilder b;
  const ValueId x = b.input({1, 4, 6, 6});
  const SymShape shape = {1, 4, 6, 6};
  Tensor slopes(DType::kFloat32, {1, 4, 6, 6});
  for (int i = 0; i < 144; ++i) slopes.mutable_data<float>()[i] = 0.1f * static_cast<float>(i / 36);
  b.output(b.node("PRelu", {conv(b, x, {4, 4, 3, 3}), b.constant(slopes)}, {}, shape));
  slopes = slopes.clone();
  slopes.mutable_data<float>()[7] = 1;
  b.output(b.node("PRelu", {conv(b, x, {4, 4, 3, 3}), b.constant(slopes)}, {}, shape));
  const Graph before = b.graph();
  EXPECT_EQ(run_pass(b.graph(), fuse_conv_activation), 1);
  EXPECT_EQ(ops_of(b.graph()), "*FusedConv Conv PRelu");
  expect_same_results(before, b.graph(), {{1, 4, 6, 6}});
}

TEST(FuseConvActivation, DoesOneActivationOnly) {
  GraphBuilder b;
  const ValueId x = b.input(kMaps);
  const SymShape shape = {Dim("N"), 4, 6, 6};
  b.output(b.node("Tanh", {b.node("Relu", {conv(b, x, {4, 4, 3, 3})}, {}, shape)}, {}, shape));
  run_stage(b.graph(), PassStage::kLoad);
  EXPECT_EQ(ops_of(b.graph()), "*FusedConv Tanh");
}

TEST(FuseConvResidualAdd, TakesTheShortcutAndTheActivationAfterIt) {
  GraphBuilder b;
  const ValueId x = b.input(kMaps);
  const SymShape shape = {Dim("N"), 4, 6, 6};
  const ValueId branch = conv(b, x, {4, 4, 3, 3});
  b.output(b.node("Relu", {b.node("Add", {branch, x}, {}, shape)}, {}, shape));
  const Graph before = b.graph();
  run_stage(b.graph(), PassStage::kLoad);
  EXPECT_EQ(ops_of(b.graph()), "*FusedConv");
  EXPECT_EQ(output_node(b.graph()).inputs[3], x);
  EXPECT_EQ(output_node(b.graph()).inputs[2], kNoValue);
  expect_same_results(before, b.graph(), {{2, 4, 6, 6}});
}

TEST(FuseConvResidualAdd, LetsTheLaterOfTwoConvolutionsAdd) {
  GraphBuilder b;
  const ValueId x = b.input(kMaps);
  const SymShape shape = {Dim("N"), 4, 6, 6};
  const ValueId first = conv(b, x, {4, 4, 3, 3});
  const ValueId second = conv(b, b.node("Relu", {x}, {}, shape), {4, 4, 3, 3});
  b.output(b.node("Add", {second, first}, {}, shape));
  EXPECT_EQ(run_pass(b.graph(), fuse_conv_residual_add), 1);
  EXPECT_EQ(output_node(b.graph()).inputs[3], first);
}

TEST(FuseConvResidualAdd, NeedsEqualShapes) {
  GraphBuilder b;
  const ValueId x = b.input(kMaps);
  b.output(b.node("Add", {conv(b, x, {4, 4, 3, 3}), b.input({Dim("M"), 4, 6, 6})}));
  b.output(b.node("Add", {conv(b, x, {4, 4, 3, 3}), b.input({Dim("N"), 4, 1, 1})}));
  const ValueId y = conv(b, x, {4, 4, 3, 3});
  b.output(b.node("Add", {y, y}));
  EXPECT_EQ(run_pass(b.graph(), fuse_conv_residual_add), 0);
}

TEST(FuseGemmActivation, TakesGemmAndMatMul) {
  GraphBuilder b;
  const ValueId x = b.input({Dim("N"), 5});
  const SymShape shape = {Dim("N"), 7};
  b.output(b.node("Relu", {b.node("Gemm", {x, b.weights({5, 7}), b.weights({7})})}, {}, shape));
  b.output(b.node("Tanh", {b.node("MatMul", {x, b.weights({5, 7})})}, {}, shape));
  b.output(b.node("PRelu", {b.node("MatMul", {x, b.weights({5, 7})}), b.weights({7})}, {}, shape));
  const Graph before = b.graph();
  EXPECT_EQ(run_pass(b.graph(), fuse_gemm_activation), 2);
  EXPECT_EQ(ops_of(b.graph()), "*FusedGemm *FusedMatMul MatMul PRelu");
  expect_same_results(before, b.graph(), {{3, 5}});
}

}  // namespace
}  // namespace mini_infer
