#include "tests/passes/pass_test.h"

namespace mini_infer {
namespace {

class InferAlikeRows : public ::testing::Test {
 protected:
  ValueId norm(ValueId in, std::int64_t axis = -1) {
    return b.node("LayerNormalization", {in, b.weights({64})}, {{"axis", axis}});
  }
  ValueId product(ValueId in) { return b.node("MatMul", {in, b.weights({64, 96})}); }
  int run() { return run_pass(b.graph(), infer_alike_rows); }

  GraphBuilder b{17};
  ValueId x = b.input({1, 20, 64});
};

TEST_F(InferAlikeRows, MarksProducts) {
  const ValueId rows = norm(x);
  b.output(product(rows));
  b.output(b.internal("FusedMatMul", {rows, b.weights({64, 32}), b.weights({32})},
                      {{"activation", std::string("Gelu")}}));
  b.output(b.node("Gemm", {b.node("Reshape", {norm(x, 2), b.ints({20, 64})}), b.weights({64, 8})}));
  EXPECT_EQ(run(), 3);
  for (std::size_t i = 0; i < 3; ++i) {
    const NodeId id = output_node_id(b.graph(), i);
    EXPECT_EQ(*b.graph().attribute<std::int64_t>(id, "alike_rows"), 1);
    EXPECT_EQ(output_node(b.graph(), i).op_type, i == 2 ? "FusedGemm" : "FusedMatMul");
  }
  EXPECT_EQ(run(), 0);
}

TEST_F(InferAlikeRows, FollowsMovedRows) {
  const ValueId first = b.node("Transpose", {norm(x)}, {{"perm", Ints{1, 0, 2}}});
  b.output(product(b.node("Reshape", {first, b.ints({4, 5, 64})})));
  EXPECT_EQ(run(), 1);
}

TEST_F(InferAlikeRows, LeavesOthers) {
  b.output(product(x));
  b.output(product(norm(b.input({2, 20, 64}))));         // a batch
  b.output(product(norm(b.input({20, 64}))));            // may be one
  b.output(product(norm(b.input({Dim("N"), 20, 64}))));  // may be one
  b.output(product(b.node("Relu", {norm(x)})));
  b.output(b.node("MatMul", {norm(x), b.input({64, 96})}));
  b.output(b.node("LayerNormalization", {x, b.weights({20, 64})}, {{"axis", std::int64_t{1}}}));
  b.output(product(b.graph().node(output_node_id(b.graph(), 6)).outputs[0]));
  const ValueId square = b.input({1, 64, 64});
  b.output(product(b.node("Transpose", {norm(square)}, {{"perm", Ints{0, 2, 1}}})));
  EXPECT_EQ(run(), 0);
}

}  // namespace
}  // namespace mini_infer
