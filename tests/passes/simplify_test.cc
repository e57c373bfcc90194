// The passes of the simplifier: each fires, and does not where it must not.
#include "tests/passes/pass_test.h"

namespace mini_infer {
namespace {

const std::int64_t kZero = 0, kOne = 1;

// --- eliminate_idempotent

TEST(EliminateIdempotent, TakesOneOfTwo) {
  for (const char* type : {"Relu", "Ceil", "Floor", "Round", "Abs", "Sign"}) {
    GraphBuilder b;
    const ValueId x = b.input({Dim("N"), 8});
    b.output(b.node(type, {b.node(type, {x})}));
    EXPECT_EQ(run_pass(b.graph(), eliminate_idempotent), 1) << type;
    EXPECT_EQ(ops_of(b.graph()), type);
  }
}

TEST(EliminateIdempotent, NeedsTheSameOperatorAndBounds) {
  GraphBuilder b;
  const ValueId x = b.input({Dim("N"), 8});
  const ValueId low = b.scalar(-1), high = b.scalar(2);
  b.output(b.node("Relu", {b.node("Abs", {x})}));
  b.output(b.node("Neg", {b.node("Neg", {x})}));
  b.output(b.node("Clip", {b.node("Clip", {x, low}), low, high}));
  EXPECT_EQ(run_pass(b.graph(), eliminate_idempotent), 0);
  b.output(b.node("Clip", {b.node("Clip", {x, low, high}), low, high}));
  EXPECT_EQ(run_pass(b.graph(), eliminate_idempotent), 1);
  GraphBuilder old(6);
  const ValueId y = old.input({8});
  const ValueId inner = old.node("Clip", {y}, {{"max", 6.f}});
  old.output(old.node("Clip", {inner}, {{"max", 5.f}}));
  old.output(old.node("Clip", {inner}, {{"max", 6.f}}));
  EXPECT_EQ(run_pass(old.graph(), eliminate_idempotent), 1);
}

// --- eliminate_duplicate_constants

TEST(EliminateDuplicateConstants, MergesLargeOnes) {
  GraphBuilder b;
  const ValueId x = b.input({2, 600});
  const ValueId v = b.weights({600}), w = b.weights({600}), other = b.weights({600}, 0.5);
  const ValueId same_bytes = b.weights({1, 600});
  b.output(b.node("Foo", {x, v, w, other, same_bytes}));
  EXPECT_EQ(run_pass(b.graph(), eliminate_duplicate_constants), 1);
  EXPECT_EQ(output_node(b.graph()).inputs, (std::vector{x, v, v, other, same_bytes}));
}

// --- fuse_concats

TEST(FuseConcats, JoinsThoseOfOneAxis) {
  GraphBuilder b;
  const ValueId x = b.input({1, 2, 4}), y = b.input({1, 3, 4}), z = b.input({1, 4, 4});
  const ValueId inner = b.node("Concat", {x, y}, {{"axis", kOne}});
  b.output(b.node("Concat", {z, inner, x}, {{"axis", std::int64_t{-2}}}));
  const Graph before = b.graph();
  EXPECT_EQ(run_pass(b.graph(), fuse_concats), 1);
  EXPECT_EQ(output_node(b.graph()).inputs, (std::vector{z, x, y, x}));
  EXPECT_EQ(ops_of(b.graph()), "Concat");
  expect_same_results(before, b.graph(), {{1, 2, 4}, {1, 3, 4}, {1, 4, 4}});
}

TEST(FuseConcats, KeepsOtherAxesAndUses) {
  GraphBuilder b;
  const ValueId x = b.input({2, 2});
  const ValueId inner = b.node("Concat", {x, x}, {{"axis", kZero}});
  b.output(b.node("Concat", {inner, inner}, {{"axis", kOne}}));
  b.output(b.node("Concat", {inner, x}, {{"axis", kZero}}));
  EXPECT_EQ(run_pass(b.graph(), fuse_concats), 0);
}

// --- fuse_log_softmax

TEST(FuseLogSoftmax, KeepsTheAxis) {
  GraphBuilder b;
  const ValueId x = b.input({2, 3, 5});
  b.output(b.node("Log", {b.node("Softmax", {x}, {{"axis", kOne}})}));
  const Graph before = b.graph();
  EXPECT_EQ(run_pass(b.graph(), fuse_log_softmax), 1);
  EXPECT_EQ(ops_of(b.graph()), "LogSoftmax");
  expect_same_results(before, b.graph(), {{2, 3, 5}});
}

TEST(FuseLogSoftmax, KeepsASoftmaxThatIsUsed) {
  GraphBuilder b;
  const ValueId x = b.input({2, 3});
  const ValueId soft = b.node("Softmax", {x});
  b.output(b.node("Log", {soft}));
  b.output(soft);
  EXPECT_EQ(run_pass(b.graph(), fuse_log_softmax), 0);
}

// --- fuse_reduce_unsqueeze

TEST(FuseReduceUnsqueeze, KeepsTheReducedAxes) {
  for (const int opset : {11, 13, 18}) {
    GraphBuilder b(opset);
    const ValueId x = b.input({Dim("N"), 3, 4, 5});
    const Ints axes = {2, -1};
    const auto node = [&](const char* type, ValueId in, int since, Attributes attributes) {
      if (opset >= since) return b.node(type, {in, b.ints({2, -1})}, std::move(attributes));
      attributes["axes"] = axes;
      return b.node(type, {in}, std::move(attributes));
    };
    const ValueId mean = node("ReduceMean", x, 18, {{"keepdims", kZero}});
    b.output(node("Unsqueeze", mean, 13, {}));
    const Graph before = b.graph();
    EXPECT_EQ(run_pass(b.graph(), fuse_reduce_unsqueeze), 1) << opset;
    EXPECT_EQ(ops_of(b.graph()), "ReduceMean");
    expect_same_results(before, b.graph(), {{2, 3, 4, 5}});
  }
}

TEST(FuseReduceUnsqueeze, NeedsTheSameAxes) {
  GraphBuilder b;
  const ValueId x = b.input({Dim("N"), 3, 4});
  const ValueId mean = b.node("ReduceMean", {x}, {{"axes", Ints{1}}, {"keepdims", kZero}});
  b.output(b.node("Unsqueeze", {mean, b.ints({2})}));
  const ValueId kept = b.node("ReduceMean", {x}, {{"axes", Ints{1}}});
  b.output(b.node("Unsqueeze", {kept, b.ints({1})}));
  const ValueId used = b.node("ArgMax", {x}, {{"axis", kOne}, {"keepdims", kZero}});
  b.output(b.node("Unsqueeze", {used, b.ints({1})}));
  b.output(used);
  EXPECT_EQ(run_pass(b.graph(), fuse_reduce_unsqueeze), 0);
}

// --- fuse_squeezes

TEST(FuseSqueezes, CountsTheAxesInTheWhole) {
  for (const int opset : {11, 13}) {
    GraphBuilder b(opset);
    const auto node = [&](const char* type, ValueId in, std::initializer_list<std::int64_t> axes) {
      return opset < 13 ? b.node(type, {in}, {{"axes", Ints(axes)}})
                        : b.node(type, {in, b.ints(axes)});
    };
    const ValueId x = b.input({1, Dim("A"), 1, Dim("B"), 1});
    b.output(node("Squeeze", node("Squeeze", x, {0, 2}), {-1}));
    const ValueId y = b.input({Dim("A"), Dim("B")});
    b.output(node("Unsqueeze", node("Unsqueeze", y, {1}), {0, -1}));
    const Graph before = b.graph();
    EXPECT_EQ(run_pass(b.graph(), fuse_squeezes), 2) << opset;
    EXPECT_EQ(b.graph().node_count(), 2u);
    EXPECT_EQ(b.graph().value(b.graph().outputs()[1].value).shape->str(), "[1,A,1,B,1]");
    expect_same_results(before, b.graph(), {{1, 3, 1, 4, 1}, {3, 4}});
  }
}

TEST(FuseSqueezes, NeedsKnownAxes) {
  GraphBuilder b;
  const ValueId x = b.input({1, Dim("A"), 1});
  b.output(b.node("Squeeze", {b.node("Squeeze", {x})}));
  b.output(b.node("Unsqueeze", {b.node("Squeeze", {x, b.ints({0})}), b.ints({0})}));
  EXPECT_EQ(run_pass(b.graph(), fuse_squeezes), 0);
}

// --- fuse_slices

TEST(FuseSlices, JoinsCutsOfDifferentAxes) {
  GraphBuilder b;
  const ValueId x = b.input({1, 8, 6});
  const ValueId first = b.node("Slice", {x, b.ints({1}), b.ints({7}), b.ints({1}), b.ints({2})});
  b.output(b.node("Slice", {first, b.ints({-3}), b.ints({99}), b.ints({-1})}));
  const Graph before = b.graph();
  EXPECT_EQ(run_pass(b.graph(), fuse_slices), 1);
  EXPECT_EQ(ops_of(b.graph()), "Slice");
  expect_same_results(before, b.graph(), {{1, 8, 6}});
  GraphBuilder old(9);
  const ValueId y = old.input({4, 6});
  const ValueId cut =
      old.node("Slice", {y}, {{"starts", Ints{1}}, {"ends", Ints{3}}, {"axes", Ints{0}}});
  old.output(old.node("Slice", {cut}, {{"starts", Ints{2}}, {"ends", Ints{5}}, {"axes", Ints{1}}}));
  const Graph attributes = old.graph();
  EXPECT_EQ(run_pass(old.graph(), fuse_slices), 1);
  expect_same_results(attributes, old.graph(), {{4, 6}});
}

TEST(FuseSlices, KeepsTwoCutsOfOneAxis) {
  GraphBuilder b;
  const ValueId x = b.input({1, 8, 6});
  const ValueId first = b.node("Slice", {x, b.ints({1}), b.ints({7}), b.ints({1})});
  b.output(b.node("Slice", {first, b.ints({1}), b.ints({3}), b.ints({-2})}));
  const ValueId computed = b.input({1}, DType::kInt64);
  const ValueId second = b.node("Slice", {x, b.ints({1}), b.ints({7}), b.ints({1})});
  b.output(b.node("Slice", {second, b.ints({0}), computed, b.ints({2})}));
  EXPECT_EQ(run_pass(b.graph(), fuse_slices), 0);
}

// --- fuse_matmul_gemm, fuse_transpose_gemm

TEST(FuseMatmulGemm, TakesMatricesOnly) {
  GraphBuilder b;
  const ValueId x = b.input({Dim("N"), 4}), w = b.weights({4, 3}), c = b.weights({3});
  b.output(b.node("Add", {c, b.node("MatMul", {x, w})}));
  const Graph before = b.graph();
  EXPECT_EQ(run_pass(b.graph(), fuse_matmul_gemm), 1);
  EXPECT_EQ(ops_of(b.graph()), "Gemm");
  expect_same_results(before, b.graph(), {{5, 4}});
}

TEST(FuseMatmulGemm, KeepsWhatGemmCannotSay) {
  GraphBuilder b;
  const ValueId x = b.input({2, 5, 4}), w = b.weights({4, 3}), c = b.weights({3});
  b.output(b.node("Add", {b.node("MatMul", {x, w}), c}));
  const ValueId y = b.input({1, 4});
  b.output(b.node("Add", {b.node("MatMul", {y, w}), b.weights({2, 3})}));  // grows the rows
  const ValueId used = b.node("MatMul", {y, w});
  b.output(b.node("Add", {used, c}));
  b.output(used);
  EXPECT_EQ(run_pass(b.graph(), fuse_matmul_gemm), 0);
  GraphBuilder old(6);
  const ValueId z = old.input({2, 4});
  old.output(old.node("Add", {old.node("MatMul", {z, old.weights({4, 3})}), old.weights({2, 3})}));
  EXPECT_EQ(run_pass(old.graph(), fuse_matmul_gemm), 0);
}

TEST(FuseTransposeGemm, FlipsTheAttributes) {
  GraphBuilder b;
  const ValueId x = b.input({4, 5}), w = b.input({4, 3});
  const ValueId xt = b.node("Transpose", {x}),
                wt = b.node("Transpose", {w}, {{"perm", Ints{1, 0}}});
  b.output(b.node("Gemm", {xt, wt}, {{"transB", kOne}}));
  const Graph before = b.graph();
  EXPECT_EQ(run_pass(b.graph(), fuse_transpose_gemm), 1);
  EXPECT_EQ(ops_of(b.graph()), "Gemm");
  EXPECT_EQ(*b.graph().attribute<std::int64_t>(output_node_id(b.graph()), "transA"), 1);
  EXPECT_EQ(*b.graph().attribute<std::int64_t>(output_node_id(b.graph()), "transB"), 0);
  expect_same_results(before, b.graph(), {{4, 5}, {4, 3}});
  GraphBuilder none;
  const ValueId y = none.input({4, 4});
  none.output(none.node("Gemm", {none.node("Transpose", {y}, {{"perm", Ints{0, 1}}}), y}));
  EXPECT_EQ(run_pass(none.graph(), fuse_transpose_gemm), 0);
}

// --- fuse_qkv

TEST(FuseQkv, MakesOneProductOfThree) {
  for (const int opset : {11, 13}) {
    GraphBuilder b(opset);
    const ValueId x = b.input({Dim("N"), 5, 4});
    for (const std::int64_t width : {3, 3, 2}) {
      const ValueId product = b.node("MatMul", {x, b.weights({4, width}, 0.01)});
      b.output(b.node("Add", {product, b.weights({width})}));
    }
    const Graph before = b.graph();
    EXPECT_EQ(run_pass(b.graph(), fuse_qkv), 1);
    EXPECT_EQ(ops_of(b.graph()), "MatMul Add Split") << opset;
    expect_same_results(before, b.graph(), {{2, 5, 4}});
  }
}

TEST(FuseQkv, NeedsThreeAndAllOrNoBiases) {
  for (const int count : {2, 4}) {
    GraphBuilder b;
    const ValueId x = b.input({2, 4});
    for (int i = 0; i < count; ++i) b.output(b.node("MatMul", {x, b.weights({4, 3})}));
    EXPECT_EQ(run_pass(b.graph(), fuse_qkv), 0) << count;
  }
  GraphBuilder b;
  const ValueId x = b.input({2, 4});
  b.output(b.node("Add", {b.node("MatMul", {x, b.weights({4, 3})}), b.weights({3})}));
  for (int i = 0; i < 2; ++i) b.output(b.node("MatMul", {x, b.weights({4, 3})}));
  EXPECT_EQ(run_pass(b.graph(), fuse_qkv), 0);
}

// --- replace_einsum

TEST(ReplaceEinsum, BecomesAProductOfMatrices) {
  struct Case {
    const char* equation;
    SymShape a, b;
    const char* ops;
  };
  const Case cases[] = {
      {"ij,jk->ik", {3, 4}, {4, 5}, "MatMul"},
      {"bhid,bhjd->bhij", {2, 3, 4, 5}, {2, 3, 6, 5}, "Transpose MatMul"},
      {"abc,cd->abd", {2, 3, 4}, {4, 5}, "MatMul"},
      {"bij, bjk -> bki", {2, 3, 4}, {2, 4, 5}, "MatMul Transpose"},
      {"ibj,bkj->bik", {3, 2, 4}, {2, 5, 4}, "Transpose Transpose MatMul"},
  };
  for (const Case& each : cases) {
    GraphBuilder b;
    const ValueId x = b.input(each.a), y = b.input(each.b);
    b.output(b.node("Einsum", {x, y}, {{"equation", std::string(each.equation)}}));
    const Graph before = b.graph();
    EXPECT_EQ(run_pass(b.graph(), replace_einsum), 1) << each.equation;
    EXPECT_EQ(ops_of(b.graph()), each.ops) << each.equation;
    expect_same_results(before, b.graph(), {*each.a.concrete(), *each.b.concrete()});
  }
  GraphBuilder b;
  const ValueId x = b.input({2, 3, 4});
  b.output(b.node("Einsum", {x}, {{"equation", std::string("abc->cab")}}));
  EXPECT_EQ(run_pass(b.graph(), replace_einsum), 1);
  EXPECT_EQ(*b.graph().attribute<Ints>(output_node_id(b.graph()), "perm"), (Ints{2, 0, 1}));
}

TEST(ReplaceEinsum, KeepsOtherEquations) {
  for (const char* equation : {"ii,ij->ij", "ij,kl->ijkl", "ij,jk", "ij,ij->ij", "...ij,jk->...ik",
                               "ij,jk->i", "ij,jkl->ikl"}) {
    GraphBuilder b;
    const ValueId x = b.input({3, 3});
    const ValueId y =
        b.input(std::string(equation) == "ij,jkl->ikl" ? SymShape{3, 3, 3} : SymShape{3, 3});
    b.output(b.node("Einsum", {x, y}, {{"equation", std::string(equation)}}));
    EXPECT_EQ(run_pass(b.graph(), replace_einsum), 0) << equation;
  }
}

// --- fuse_depth_to_space

ValueId shuffled(GraphBuilder& b, ValueId x, std::initializer_list<std::int64_t> split, Ints perm,
                 std::initializer_list<std::int64_t> joined) {
  const ValueId apart = b.node("Reshape", {x, b.ints(split)});
  const ValueId moved = b.node("Transpose", {apart}, {{"perm", std::move(perm)}});
  return b.node("Reshape", {moved, b.ints(joined)});
}

TEST(FuseDepthToSpace, KnowsTheThreeSpellings) {
  GraphBuilder b;
  const ValueId x = b.input({2, 12, 3, 5});
  b.output(shuffled(b, x, {2, 3, 2, 2, 3, 5}, {0, 1, 4, 2, 5, 3}, {2, 3, 6, 10}));
  b.output(shuffled(b, x, {2, 2, 2, 3, 3, 5}, {0, 3, 4, 1, 5, 2}, {2, 3, 6, 10}));
  const ValueId y = b.input({2, 3, 6, 10});
  b.output(shuffled(b, y, {2, 3, 3, 2, 5, 2}, {0, 3, 5, 1, 2, 4}, {2, 12, 3, 5}));
  const Graph before = b.graph();
  EXPECT_EQ(run_pass(b.graph(), fuse_depth_to_space), 3);
  EXPECT_EQ(ops_of(b.graph()), "DepthToSpace DepthToSpace SpaceToDepth");
  EXPECT_EQ(*b.graph().attribute<std::string>(output_node_id(b.graph(), 0), "mode"), "CRD");
  EXPECT_EQ(*b.graph().attribute<std::string>(output_node_id(b.graph(), 1), "mode"), "DCR");
  expect_same_results(before, b.graph(), {{2, 12, 3, 5}, {2, 3, 6, 10}});
}

TEST(FuseDepthToSpace, KeepsOtherShuffles) {
  GraphBuilder b;
  const ValueId x = b.input({2, 12, 4, 4});
  // Channel shuffle in disguise, another permutation, and a block that is no square.
  b.output(shuffled(b, x, {2, 3, 2, 2, 4, 4}, {0, 2, 3, 1, 4, 5}, {2, 12, 4, 4}));
  b.output(shuffled(b, x, {2, 3, 2, 2, 4, 4}, {0, 1, 5, 2, 4, 3}, {2, 3, 8, 8}));
  b.output(shuffled(b, x, {2, 3, 1, 4, 4, 4}, {0, 1, 4, 2, 5, 3}, {2, 3, 4, 16}));
  EXPECT_EQ(run_pass(b.graph(), fuse_depth_to_space), 0);
  GraphBuilder old(10);  // has no CRD
  const ValueId y = old.input({2, 12, 3, 5});
  old.output(shuffled(old, y, {2, 3, 2, 2, 3, 5}, {0, 1, 4, 2, 5, 3}, {2, 3, 6, 10}));
  EXPECT_EQ(run_pass(old.graph(), fuse_depth_to_space), 0);
}

// --- fold_prelu_slope

TEST(FoldPreluSlope, MakesTheSlopeOneOfChannels) {
  GraphBuilder b;
  const ValueId x = b.input({Dim("N"), 6, 8, 8});
  b.output(b.node("PRelu", {x, b.weights({6})}, {}, SymShape{Dim("N"), 6, 8, 8}));
  EXPECT_EQ(run_pass(b.graph(), fold_prelu_slope), 1);
  EXPECT_EQ(b.graph().constant(output_node(b.graph()).inputs[1])->shape().str(), "[6,1,1]");
  EXPECT_EQ(run_pass(b.graph(), fold_prelu_slope), 0);
}

TEST(FoldPreluSlope, KeepsSlopesThatBroadcast) {
  GraphBuilder b;
  const ValueId x = b.input({2, 8, 8, 8}), open = b.input({2, 8, 4, Dim("W")});
  b.output(b.node("PRelu", {x, b.weights({8})}));
  b.output(b.node("PRelu", {x, b.weights({1})}));
  b.output(b.node("PRelu", {x, b.weights({8, 1, 1})}));
  b.output(b.node("PRelu", {open, b.weights({8})}));
  EXPECT_EQ(run_pass(b.graph(), fold_prelu_slope), 0);
}

// --- fuse_focus without Focus

TEST(FuseFocusForFiles, GivesTheConvolutionItsChannelsInAnotherOrder) {
  GraphBuilder b(11);
  const ValueId x = b.input({1, 3, 8, 8});
  std::vector<ValueId> quarters;
  for (const std::int64_t column : {0, 1}) {
    for (const std::int64_t row : {0, 1}) {
      quarters.push_back(b.node("Slice", {x, b.ints({row, column}), b.ints({9999, 9999}),
                                          b.ints({2, 3}), b.ints({2, 2})}));
    }
  }
  const ValueId focus = b.node("Concat", quarters, {{"axis", kOne}});
  b.output(b.node("Conv", {focus, b.weights({5, 12, 1, 1}, 0.01)}));
  const Graph before = b.graph();
  EXPECT_EQ(run_stage(b.graph(), PassStage::kSimplify).empty(), false);
  expect_same_results(before, b.graph(), {{1, 3, 8, 8}});
}

}  // namespace
}  // namespace mini_infer
