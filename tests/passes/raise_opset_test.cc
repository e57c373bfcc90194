// Nodes of an old opset mean the same in a newer one.
#include "graph/passes/raise_opset.h"

#include "kernels/op_registry.h"
#include "tests/passes/pass_test.h"

namespace mini_infer {
namespace {

using ::testing::HasSubstr;

// Raises a copy, infers both and compares the results.
Graph raised(Graph graph, int opset, const std::vector<Shape>& shapes) {
  EXPECT_TRUE(infer_shapes(graph, op_registry()).ok());
  Graph copy = graph;
  const Status status = raise_opset(copy, opset);
  EXPECT_TRUE(status.ok()) << status.message();
  const Status inferred = infer_shapes(copy, op_registry());
  EXPECT_TRUE(inferred.ok()) << inferred.message();
  EXPECT_TRUE(copy.verify().ok());
  EXPECT_EQ(copy.opset(), opset);
  for (const NodeId id : copy.order()) EXPECT_GE(copy.node(id).opset, opset);
  expect_same_results(graph, copy, shapes);
  return copy;
}

TEST(RaiseOpset, LegacyBroadcastingBecomesShapes) {
  GraphBuilder b(6);
  const ValueId x = b.input({2, 3, 4}), y = b.input({3});
  const Attributes along = {{"broadcast", std::int64_t{1}}, {"axis", std::int64_t{1}}};
  const ValueId sum = b.node("Add", {x, b.weights({3})}, along);
  const ValueId product = b.node("Mul", {sum, y}, along);
  b.output(b.node("Sub", {product, b.weights({4})}, {{"broadcast", std::int64_t{1}}}));
  const Graph copy = raised(b.graph(), 13, {{2, 3, 4}, {3}});
  EXPECT_EQ(ops_of(copy), "Add Unsqueeze Mul Sub");
}

TEST(RaiseOpset, AttributesBecomeInputs) {
  GraphBuilder b(7);
  const ValueId x = b.input({2, 3, 4, 4});
  ValueId y = b.node("Clip", {x}, {{"max", 0.5f}});
  y = b.node("Pad", {y}, {{"pads", Ints{0, 0, 1, 0, 0, 0, 1, 0}}, {"value", 2.f}});
  y = b.node("Slice", {y}, {{"starts", Ints{1}}, {"ends", Ints{5}}, {"axes", Ints{2}}});
  y = b.node("ReduceSum", {y}, {{"axes", Ints{3}}, {"keepdims", std::int64_t{0}}});
  y = b.node("Unsqueeze", {y}, {{"axes", Ints{0, 4}}});
  y = b.node("Squeeze", {y}, {{"axes", Ints{0}}});
  b.output(b.node("ReduceMean", {y}, {{"axes", Ints{1}}}));
  const Graph copy = raised(b.graph(), 18, {{2, 3, 4, 4}});
  for (const NodeId id : copy.order()) {
    for (const char* gone : {"min", "max", "pads", "value", "starts", "ends", "axes"}) {
      EXPECT_FALSE(copy.node(id).attributes.contains(gone)) << copy.node(id).str();
    }
  }
}

TEST(RaiseOpset, SplitAndTopKTakeInputs) {
  GraphBuilder b(9);
  const ValueId x = b.input({4, 6});
  const NodeId split =
      b.graph().add_node(kNoNode, "Split", {x}, {{"axis", std::int64_t{1}}}, "", 2);
  b.output(b.graph().output(split, 1));
  b.output(b.node("TopK", {x}, {{"k", std::int64_t{2}}}));
  const Graph copy = raised(b.graph(), 18, {{4, 6}});
  EXPECT_EQ(*copy.attribute<std::int64_t>(split, "num_outputs"), 2);
  EXPECT_EQ(constant_str(copy, output_node(copy, 1).inputs[1]), "[2]");
}

TEST(RaiseOpset, SoftmaxOverSeveralAxesIsFlattened) {
  for (const std::int64_t axis : {1, 2, -1}) {
    GraphBuilder b(11);
    const ValueId x = b.input({2, 3, 4});
    b.output(b.node("Softmax", {x}, {{"axis", axis}}));
    const Graph copy = raised(b.graph(), 13, {{2, 3, 4}});
    EXPECT_EQ(ops_of(copy), axis == 1 ? "Flatten Softmax Shape Reshape" : "Softmax") << axis;
  }
}

TEST(RaiseOpset, UpsampleBecomesResize) {
  for (const char* mode : {"nearest", "linear"}) {
    GraphBuilder b(7);
    const ValueId x = b.input({1, 2, 3, 5});
    b.output(
        b.node("Upsample", {x}, {{"scales", Floats{1, 1, 2, 2}}, {"mode", std::string(mode)}}));
    const Graph copy = raised(b.graph(), 13, {{1, 2, 3, 5}});
    EXPECT_EQ(ops_of(copy), "Resize") << mode;
  }
}

TEST(RaiseOpset, NormalizationLosesItsTrainingParts) {
  GraphBuilder b(6);
  const ValueId x = b.input({1, 3, 2, 2});
  const ValueId ones = b.floats({3}, {1, 1, 2});
  b.output(b.node("BatchNormalization", {x, ones, ones, ones, ones},
                  {{"is_test", std::int64_t{1}}, {"spatial", std::int64_t{1}}}));
  b.output(b.node("InstanceNormalization", {x, ones, ones}, {{"is_test", std::int64_t{1}}}));
  b.graph().node(output_node_id(b.graph(), 1)).opset = 1;
  const Graph copy = raised(b.graph(), 15, {{1, 3, 2, 2}});
  EXPECT_TRUE(output_node(copy, 1).attributes.empty());
  EXPECT_TRUE(output_node(copy).attributes.empty());
}

TEST(RaiseOpset, GoesIntoSubgraphs) {
  GraphBuilder inner(10);
  const ValueId captured = inner.graph().add_input("captured", DType::kFloat32, SymShape{2, 3});
  inner.output(inner.node("Clip", {captured}, {{"min", 0.f}}));
  const auto body = std::make_shared<const Graph>(inner.graph());
  GraphBuilder b(10);
  const ValueId condition = b.input({}, DType::kBool), x = b.input({2, 3});
  const ValueId y = b.node("If", {condition, x}, {{"then_branch", body}, {"else_branch", body}});
  b.output(y);
  b.graph().node(b.graph().producer(y)).captures = 1;
  ASSERT_TRUE(raise_opset(b.graph(), 13).ok());
  const auto* branch = b.graph().attribute<GraphPtr>(output_node_id(b.graph()), "then_branch");
  EXPECT_EQ((*branch)->node((*branch)->order()[0]).inputs.size(), 2u);
  EXPECT_EQ((*branch)->opset(), 13);
}

TEST(RaiseOpset, NamesAllNodesThatCannotBeSaid) {
  GraphBuilder b(9);
  const ValueId x = b.input({1, 3, 4, 4});
  b.output(b.node("Crop", {x}));
  b.output(b.node("Scale", {x}));
  const Status status = raise_opset(b.graph(), 13);
  EXPECT_EQ(status.code(), Code::kNotImplemented);
  EXPECT_THAT(status.message(), HasSubstr("(Crop, opset 9): cannot be said in opset 10"));
  EXPECT_THAT(status.message(), HasSubstr("Scale"));
}

}  // namespace
}  // namespace mini_infer
