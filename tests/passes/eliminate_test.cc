#include "tests/passes/pass_test.h"

namespace mini_infer {
namespace {

TEST(EliminateIdentity, PassesGraphInputsToGraphOutputs) {
  GraphBuilder b;
  const ValueId x = b.input({2, 3});
  b.output(b.node("Identity", {x}));
  EXPECT_EQ(run_pass(b.graph(), eliminate_identity), 1);
  EXPECT_EQ(b.graph().outputs()[0].value, x);
  EXPECT_EQ(b.graph().outputs()[0].name, "out0");
}

TEST(EliminateDropout, RemovesInferenceDropout) {
  GraphBuilder b;
  const ValueId x = b.input({2, 3});
  const ValueId off = b.constant(Tensor::scalar<bool>(false));
  b.output(b.node("Foo", {b.node("Dropout", {x, b.scalar(0.5f), off})}));
  EXPECT_EQ(run_pass(b.graph(), eliminate_dropout), 1);
  EXPECT_EQ(ops_of(b.graph()), "Foo");
}

TEST(EliminateDropout, KeepsTrainingAndUsedMasks) {
  GraphBuilder b;
  const ValueId x = b.input({2, 3});
  const ValueId on = b.constant(Tensor::scalar<bool>(true));
  b.output(b.node("Dropout", {x, kNoValue, on}));
  const ValueId flag = b.input({}, DType::kBool);
  b.output(b.node("Dropout", {x, kNoValue, flag}));
  const ValueId masked = b.node("Dropout", {x});
  const ValueId mask = b.graph().add_value("mask", DType::kBool);
  b.graph().set_node_output(b.graph().producer(masked), 1, mask);
  b.output(masked);
  b.output(mask);
  EXPECT_EQ(run_pass(b.graph(), eliminate_dropout), 0);
}

TEST(EliminateDeadCode, RemovesWholeChainsAndFreesConstants) {
  GraphBuilder b;
  const ValueId x = b.input({2, 3});
  const ValueId w = b.weights({2, 3});
  b.node("Foo", {b.node("Foo", {b.node("Foo", {x, w})})});
  b.output(b.node("Bar", {x}));
  EXPECT_EQ(run_pass(b.graph(), eliminate_dead_code), 3);
  EXPECT_EQ(ops_of(b.graph()), "Bar");
  EXPECT_FALSE(b.graph().value(w).is_constant());
}

TEST(EliminateDeadCode, KeepsNodesOneOfWhoseOutputsIsUsed) {
  GraphBuilder b;
  const ValueId x = b.input({2, 3});
  const ValueId first = b.node("Foo", {x});
  const ValueId second = b.graph().add_value("second");
  b.graph().set_node_output(b.graph().producer(first), 1, second);
  b.output(second);
  EXPECT_EQ(run_pass(b.graph(), eliminate_dead_code), 0);
  EXPECT_EQ(ops_of(b.graph()), "Foo");
}

}  // namespace
}  // namespace mini_infer
