#include "tests/passes/pass_test.h"

namespace mini_infer {
namespace {

// Shape(x)[index] as a vector of one element.
ValueId extent(GraphBuilder& b, ValueId x, std::int64_t index) {
  const ValueId shape = b.node("Shape", {x}, {}, {}, DType::kInt64);
  const ValueId at = b.constant(Tensor::scalar<std::int64_t>(index));
  const ValueId one = b.node("Gather", {shape, at}, {}, {}, DType::kInt64);
  return b.node("Unsqueeze", {one, b.ints({0})}, {}, {}, DType::kInt64);
}

TEST(FoldShapeGlue, FlattensWithASymbolicBatch) {
  GraphBuilder b;
  const ValueId x = b.input({Dim("N"), 8, 4, 4});
  const ValueId shape = b.node("Concat", {extent(b, x, 0), b.ints({-1})},
                               {{"axis", std::int64_t{0}}}, {}, DType::kInt64);
  b.output(b.node("Reshape", {x, shape}, {}, {}));
  const Graph before = b.graph();
  run_stage(b.graph(), PassStage::kLoad);
  EXPECT_EQ(ops_of(b.graph()), "Reshape");
  EXPECT_EQ(constant_str(b.graph(), output_node(b.graph()).inputs[1]), "[0,128]");
  expect_same_results(before, b.graph(), {{3, 8, 4, 4}});
}

TEST(FoldShapeGlue, LeavesTwoMovedSymbolsAlone) {
  GraphBuilder b;
  const ValueId x = b.input({Dim("N"), Dim("T"), 8});
  const ValueId shape = b.node("Concat", {extent(b, x, 1), b.ints({8}), extent(b, x, 0)},
                               {{"axis", std::int64_t{0}}}, {}, DType::kInt64);
  b.output(b.node("Reshape", {x, shape}));
  EXPECT_EQ(run_pass(b.graph(), fold_shape_glue), 0);
}

TEST(FoldShapeGlue, VanishesWhenAllIsKnown) {
  GraphBuilder b;
  const ValueId x = b.input({2, 8, 4, 4});
  const ValueId shape = b.node("Concat", {extent(b, x, 0), extent(b, x, 1), b.ints({-1})},
                               {{"axis", std::int64_t{0}}}, {}, DType::kInt64);
  b.output(b.node("Reshape", {x, shape}));
  const Graph before = b.graph();
  run_stage(b.graph(), PassStage::kLoad);
  EXPECT_EQ(ops_of(b.graph()), "Reshape");
  expect_same_results(before, b.graph(), {{2, 8, 4, 4}});
}

TEST(FoldShapeGlue, TurnsSizesIntoScales) {
  GraphBuilder b;
  const ValueId x = b.input({Dim("N"), 8, Dim("H"), Dim("W")});
  const ValueId y = b.node("Resize", {x, kNoValue, kNoValue, b.input({4}, DType::kInt64)});
  b.output(y);
  const Dim two = 2;
  b.graph().value(b.graph().inputs[1]).contents = {Dim("N"), 8, Dim("H") * two, Dim("W") * two};
  EXPECT_EQ(run_pass(b.graph(), fold_shape_glue), 1);
  EXPECT_EQ(constant_str(b.graph(), output_node(b.graph()).inputs[2]), "[1,1,2,2]");
  EXPECT_EQ(output_node(b.graph()).inputs.size(), 3u);
}

TEST(FoldConstants, EvaluatesNodesAndStaysInItsBudget) {
  GraphBuilder b;
  const ValueId w = b.weights({4, 6});
  b.output(b.node("Transpose", {w}, {{"perm", Ints{1, 0}}}));
  EXPECT_EQ(run_pass(b.graph(), fold_constants), 1);
  EXPECT_EQ(ops_of(b.graph()), "");
  EXPECT_EQ(b.graph().value(b.graph().outputs()[0].value).constant.shape(), (Shape{6, 4}));

  GraphBuilder big;
  ValueId grown = big.weights({1, 1 << 10});
  std::vector<ValueId> copies(2048, grown);
  big.output(big.node("Concat", copies, {{"axis", std::int64_t{0}}}));  // 8 MiB
  EXPECT_EQ(run_pass(big.graph(), fold_constants), 0);
}

TEST(FoldConstants, LeavesComputedInputsAlone) {
  GraphBuilder b;
  const ValueId x = b.input({4, 6});
  b.output(b.node("Transpose", {x}, {{"perm", Ints{1, 0}}}));
  EXPECT_EQ(run_pass(b.graph(), fold_constants), 0);
}

}  // namespace
}  // namespace mini_infer
