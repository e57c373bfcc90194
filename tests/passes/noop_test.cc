#include "tests/passes/pass_test.h"

namespace mini_infer {
namespace {

const SymShape kShape = {Dim("N"), 8, 4, 4};

// x -> type -> Foo; the rewrites of `pass` on it.
int rewrites_of(PassFn pass, std::string_view type, Attributes attributes,
                std::optional<SymShape> out = kShape, int opset = 13) {
  GraphBuilder b(opset);
  const ValueId x = b.input(kShape);
  b.output(b.node("Foo", {b.node(type, {x}, std::move(attributes), std::move(out))}));
  return run_pass(b.graph(), pass);
}

TEST(EliminateNoopCast, LooksAtTheDtype) {
  EXPECT_EQ(rewrites_of(eliminate_noop_cast, "Cast", {{"to", std::int64_t{1}}}), 1);
  EXPECT_EQ(rewrites_of(eliminate_noop_cast, "Cast", {{"to", std::int64_t{11}}}), 0);
}

TEST(EliminateNoopTranspose, LooksAtThePermutation) {
  EXPECT_EQ(rewrites_of(eliminate_noop_transpose, "Transpose", {{"perm", Ints{0, 1, 2, 3}}}), 1);
  EXPECT_EQ(rewrites_of(eliminate_noop_transpose, "Transpose", {{"perm", Ints{0, 1, 3, 2}}},
                        SymShape{Dim("N"), 8, 4, 4}),
            0);
  EXPECT_EQ(rewrites_of(eliminate_noop_transpose, "Transpose", {}, SymShape{4, 4, 8, Dim("N")}), 0);
}

TEST(EliminateNoopReshape, ComparesSymbolicShapes) {
  GraphBuilder b;
  const ValueId x = b.input({Dim("N"), 64});
  const ValueId same = b.node("Reshape", {x, b.ints({0, 64})});
  b.output(b.node("Flatten", {same}, {{"axis", std::int64_t{1}}}));
  const ValueId other = b.node("Reshape", {x, b.ints({-1, 32})});
  b.output(other);
  EXPECT_EQ(run_pass(b.graph(), eliminate_noop_reshape), 2);
  EXPECT_EQ(ops_of(b.graph()), "Reshape");
}

TEST(EliminateNoopPad, ReadsAttributesAndInputs) {
  EXPECT_EQ(rewrites_of(eliminate_noop_pad, "Pad", {{"pads", Ints(8, 0)}}, kShape, 10), 1);
  EXPECT_EQ(rewrites_of(eliminate_noop_pad, "Pad", {{"pads", Ints{0, 0, 1, 0, 0, 0, 0, 0}}},
                        SymShape{Dim("N"), 8, 5, 4}, 10),
            0);
  GraphBuilder b;
  const ValueId x = b.input(kShape);
  b.output(b.node("Pad", {x, b.ints({0, 0, 0, 0, 0, 0, 0, 0})}, {}, kShape));
  const ValueId pads = b.input({8}, DType::kInt64);
  b.output(b.node("Pad", {x, pads}, {}, kShape));
  EXPECT_EQ(run_pass(b.graph(), eliminate_noop_pad), 1);
}

TEST(EliminateNoopSlice, KeepsReversals) {
  GraphBuilder b;
  const ValueId x = b.input(kShape);
  b.output(b.node("Slice", {x, b.ints({0}), b.ints({99}), b.ints({1})}, {}, kShape));
  b.output(
      b.node("Slice", {x, b.ints({-1}), b.ints({-99}), b.ints({1}), b.ints({-1})}, {}, kShape));
  b.output(b.node("Slice", {x, b.ints({1}), b.ints({99}), b.ints({1})}, {},
                  SymShape{Dim("N"), 7, 4, 4}));
  EXPECT_EQ(run_pass(b.graph(), eliminate_noop_slice), 1);
  EXPECT_EQ(ops_of(b.graph()), "Slice Slice");
}

TEST(EliminateNoopConcat, TakesSingleOperandsOnly) {
  EXPECT_EQ(rewrites_of(eliminate_noop_concat, "Concat", {{"axis", std::int64_t{1}}}), 1);
  EXPECT_EQ(rewrites_of(eliminate_noop_concat, "Max", {}), 1);
  GraphBuilder b;
  const ValueId x = b.input(kShape);
  b.output(b.node("Concat", {x, x}, {{"axis", std::int64_t{1}}}));
  EXPECT_EQ(run_pass(b.graph(), eliminate_noop_concat), 0);
}

TEST(EliminateNoopResize, NeedsScalesOfOneOrSizes) {
  GraphBuilder b;
  const ValueId x = b.input({1, 8, 5, 5});
  const SymShape same = {1, 8, 5, 5};
  const ValueId ones = b.floats({4}, {1, 1, 1, 1}), bigger = b.floats({4}, {1, 1, 1.1f, 1.1f});
  b.output(b.node("Resize", {x, kNoValue, ones}, {}, same));
  b.output(b.node("Resize", {x, kNoValue, bigger}, {}, same));
  b.output(b.node("Resize", {x, kNoValue, kNoValue, b.ints({1, 8, 5, 5})}, {}, same));
  EXPECT_EQ(run_pass(b.graph(), eliminate_noop_resize), 2);
}

TEST(EliminateUnitArithmetic, IsCarefulWithBroadcasting) {
  GraphBuilder b;
  const ValueId x = b.input({Dim("N"), 8});
  const SymShape same = {Dim("N"), 8};
  ValueId y = b.node("Add", {b.scalar(0), x}, {}, same);
  y = b.node("Mul", {y, b.floats({1, 1}, {1})}, {}, same);
  y = b.node("Div", {y, b.scalar(1)}, {}, same);
  y = b.node("Sub", {y, b.floats({8}, {0, 0, 0, 0, 0, 0, 0, 0})}, {}, same);
  b.output(b.node("Pow", {y, b.scalar(1)}, {}, same));
  b.output(b.node("Add", {x, b.floats({1, 1, 1}, {0})}, {}, SymShape{1, Dim("N"), 8}));
  b.output(b.node("Sub", {b.scalar(0), x}, {}, same));
  b.output(b.node("Div", {b.scalar(1), x}, {}, same));
  b.output(b.node("Mul", {x, b.scalar(0)}, {}, same));
  EXPECT_EQ(run_pass(b.graph(), eliminate_unit_arithmetic), 5);
  EXPECT_EQ(ops_of(b.graph()), "Add Sub Div Mul");
  EXPECT_EQ(b.graph().outputs()[0].value, x);
}

TEST(EliminateCommonSubexpressions, MergesEqualNodesAndSmallConstants) {
  GraphBuilder b;
  const ValueId x = b.input({Dim("N"), 8});
  const ValueId p = b.node("Gather", {x, b.ints({1})}, {{"axis", std::int64_t{1}}});
  const ValueId q = b.node("Gather", {x, b.ints({1})}, {{"axis", std::int64_t{1}}});
  const ValueId r = b.node("Gather", {x, b.ints({1})}, {{"axis", std::int64_t{0}}});
  b.output(b.node("Foo", {p, q, r}));
  EXPECT_EQ(run_pass(b.graph(), eliminate_common_subexpressions), 3);
  EXPECT_EQ(ops_of(b.graph()), "Gather Gather Foo");
  const Node& foo = output_node(b.graph());
  EXPECT_EQ(foo.inputs[0], foo.inputs[1]);
  EXPECT_NE(foo.inputs[0], foo.inputs[2]);
}

TEST(EliminateCommonSubexpressions, KeepsWhatItDoesNotKnow) {
  GraphBuilder b;
  const ValueId x = b.input({Dim("N"), 8});
  b.output(b.node("NoSuchOperator", {x}));
  b.output(b.node("NoSuchOperator", {x}));
  EXPECT_EQ(run_pass(b.graph(), eliminate_common_subexpressions), 0);
}

TEST(FuseTransposes, ComposesPermutations) {
  GraphBuilder b;
  const ValueId x = b.input({2, 3, 4, 5});
  const ValueId first = b.node("Transpose", {x}, {{"perm", Ints{0, 2, 3, 1}}});
  b.output(b.node("Transpose", {first}, {{"perm", Ints{1, 0, 3, 2}}}));
  const Graph before = b.graph();
  EXPECT_EQ(run_pass(b.graph(), fuse_transposes), 1);
  EXPECT_EQ(ops_of(b.graph()), "Transpose");
  EXPECT_EQ(*b.graph().attribute<Ints>(output_node_id(b.graph()), "perm"), (Ints{2, 0, 1, 3}));
  expect_same_results(before, b.graph(), {{2, 3, 4, 5}});
}

TEST(FuseReshapes, KeepsTheSymbolicBatch) {
  GraphBuilder b;
  const ValueId x = b.input({Dim("N"), 8, 4, 4});
  const ValueId flat = b.node("Flatten", {x}, {{"axis", std::int64_t{1}}});
  b.output(b.node("Reshape", {flat, b.ints({0, 4, 32})}));
  const Graph before = b.graph();
  EXPECT_EQ(run_pass(b.graph(), fuse_reshapes), 1);
  EXPECT_EQ(ops_of(b.graph()), "Reshape");
  EXPECT_EQ(constant_str(b.graph(), output_node(b.graph()).inputs[1]), "[0,4,32]");
  expect_same_results(before, b.graph(), {{3, 8, 4, 4}});
}

}  // namespace
}  // namespace mini_infer
