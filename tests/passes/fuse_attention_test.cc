#include <random>

#include "graph/passes/strided_view.h"
#include "tests/passes/pass_test.h"

namespace mini_infer {
namespace {

constexpr std::int64_t kBatch = 2, kRows = 5, kHeads = 3, kSize = 4, kWidth = kHeads * kSize;

class FuseAttention : public ::testing::Test {
 protected:
  ValueId reshape(ValueId x, std::initializer_list<std::int64_t> shape) {
    return b.node("Reshape", {x, b.ints(shape)});
  }
  ValueId transpose(ValueId x, Ints perm) { return b.node("Transpose", {x}, {{"perm", perm}}); }
  // [batch, rows, width] to [batch, heads, rows, size]
  ValueId heads(ValueId x) {
    return transpose(reshape(x, {kBatch, -1, kHeads, kSize}), {0, 2, 1, 3});
  }
  ValueId softmax(ValueId x, std::int64_t axis = -1) {
    return b.node("Softmax", {x}, {{"axis", axis}});
  }
  ValueId merged(ValueId x) { return reshape(transpose(x, {0, 2, 1, 3}), {kBatch, -1, kWidth}); }

  // Runs fuse_matmul_add and fuse_attention, expects this graph, and equal results.
  void expect(const std::string& ops, ValueId result, const std::vector<Shape>& inputs) {
    b.output(result);
    const Graph before = b.graph();
    run_pass(b.graph(), fuse_matmul_add);
    run_pass(b.graph(), fuse_attention);
    EXPECT_EQ(ops_of(b.graph()), ops);
    expect_same_results(before, b.graph(), inputs);
  }

  GraphBuilder b;
};

TEST_F(FuseAttention, OfSeparateProjections) {
  const SymShape shape = {kBatch, kRows, kWidth};
  const ValueId q = heads(b.input(shape)), k = heads(b.input(shape)), v = heads(b.input(shape));
  const ValueId mask = b.input({kBatch, 1, 1, kRows});
  const ValueId scores =
      b.node("Div", {b.node("MatMul", {q, transpose(k, {0, 1, 3, 2})}), b.scalar(2)});
  expect("*FusedAttention", merged(b.node("MatMul", {softmax(b.node("Add", {scores, mask})), v})),
         {{kBatch, kRows, kWidth},
          {kBatch, kRows, kWidth},
          {kBatch, kRows, kWidth},
          {kBatch, 1, 1, kRows}});
}

TEST_F(FuseAttention, WithOtherKeysAndAConstantMask) {
  const ValueId q = heads(b.input({kBatch, kRows, kWidth}));
  const ValueId kv = b.input({kBatch, 7, kWidth});
  const ValueId k = transpose(reshape(kv, {kBatch, 7, kHeads, kSize}), {0, 2, 3, 1});
  const ValueId scores = b.node("Add", {b.node("MatMul", {q, k}), b.weights({7})});
  expect("*FusedAttention", merged(b.node("MatMul", {softmax(scores), heads(kv)})),
         {{kBatch, kRows, kWidth}, {kBatch, 7, kWidth}});
}

// As PyTorch writes it: all three in one product, rows before batches, queries scaled.
TEST_F(FuseAttention, OfOneProjection) {
  const ValueId x = b.input({kRows, kBatch, 3 * kWidth});
  const ValueId five = b.node("Unsqueeze", {reshape(x, {kRows, kBatch, 3, kWidth}), b.ints({0})});
  const ValueId parts = b.node("Squeeze", {transpose(five, {3, 1, 2, 0, 4}), b.ints({3})});
  const auto part = [&](std::int64_t i) {
    const ValueId one = b.node("Gather", {parts, b.constant(Tensor::scalar<std::int64_t>(i))},
                               {{"axis", std::int64_t{0}}});
    return transpose(reshape(one, {kRows, kBatch * kHeads, kSize}), {1, 0, 2});
  };
  const ValueId q = b.node("Mul", {part(0), b.scalar(0.5f)});
  const ValueId weights = softmax(b.node("MatMul", {q, transpose(part(1), {0, 2, 1})}));
  const ValueId y = transpose(b.node("MatMul", {weights, part(2)}), {1, 0, 2});
  expect("*FusedAttention", reshape(y, {kRows, kBatch, kWidth}), {{kRows, kBatch, 3 * kWidth}});
}

TEST_F(FuseAttention, OfSplitAndSlice) {
  const ValueId x = b.input({kBatch, kRows, 2 * kWidth});
  const ValueId q = b.node("Slice", {x, b.ints({0}), b.ints({kWidth}), b.ints({2})});
  const ValueId k = b.node("Slice", {x, b.ints({-kWidth}), b.ints({1000}), b.ints({2})});
  const ValueId scores = b.node("MatMul", {heads(q), transpose(heads(k), {0, 1, 3, 2})});
  expect("*FusedAttention", b.node("MatMul", {softmax(scores), heads(q)}),
         {{kBatch, kRows, 2 * kWidth}});
}

// A causal mask that is filled in.
TEST_F(FuseAttention, WithAConditionalMask) {
  const SymShape shape = {kBatch, kHeads, 3, kSize};
  for (const bool keep : {true, false}) {
    SCOPED_TRACE(keep);
    b = GraphBuilder();
    const ValueId q = b.input(shape), k = b.input(shape), v = b.input(shape);
    const ValueId scores = b.node("MatMul", {q, transpose(k, {0, 1, 3, 2})});
    Tensor condition(DType::kBool, {1, 1, 3, 3});
    for (int i = 0; i < 9; ++i) condition.mutable_data<bool>()[i] = (i % 3 <= i / 3) == keep;
    const ValueId where = b.constant(condition), masked = b.scalar(-1e9f);
    const ValueId filled =
        keep ? b.node("Where", {where, scores, masked}) : b.node("Where", {where, masked, scores});
    expect("*FusedAttention", b.node("MatMul", {softmax(filled), v}),
           {{kBatch, kHeads, 3, kSize}, {kBatch, kHeads, 3, kSize}, {kBatch, kHeads, 3, kSize}});
  }
}

TEST_F(FuseAttention, LeavesConditionsThatMaskWholeRows) {
  const SymShape shape = {kBatch, kHeads, 2, kSize};
  const ValueId q = b.input(shape), k = b.input({kBatch, kHeads, kSize, 2}), v = b.input(shape);
  Tensor condition(DType::kBool, {2, 2});
  for (int i = 0; i < 4; ++i) condition.mutable_data<bool>()[i] = i == 0;
  const ValueId where =
      b.node("Where", {b.constant(condition), b.node("MatMul", {q, k}), b.scalar(-1e9f)});
  b.output(b.node("MatMul", {softmax(where), v}));
  EXPECT_EQ(run_pass(b.graph(), fuse_attention), 0);
}

// Heads that share keys and values.
TEST_F(FuseAttention, OfGroupedQueries) {
  const ValueId q = b.input({1, 6, kRows, kSize}), kv = b.input({1, 2, kRows, kSize});
  const ValueId five = b.node("Unsqueeze", {kv, b.ints({2})});
  const ValueId shared =
      reshape(b.node("Expand", {five, b.ints({1, 2, 3, kRows, kSize})}), {1, 6, kRows, kSize});
  const ValueId scores = b.node("MatMul", {q, transpose(shared, {0, 1, 3, 2})});
  expect("*FusedAttention", b.node("MatMul", {softmax(scores), shared}),
         {{1, 6, kRows, kSize}, {1, 2, kRows, kSize}});
}

TEST_F(FuseAttention, LeavesWhatIsUsedElsewhereAndOtherAxes) {
  const SymShape shape = {kBatch, kHeads, kRows, kSize};
  const ValueId q = b.input(shape), k = b.input({kBatch, kHeads, kSize, kRows});
  const ValueId v = b.input(shape);
  const ValueId weights = softmax(b.node("MatMul", {q, k}));
  b.output(b.node("MatMul", {weights, v}));
  b.output(weights);
  b.output(b.node("MatMul", {softmax(b.node("MatMul", {q, k}), 2), v}));
  // The weights are the second operand.
  b.output(b.node("MatMul", {k, softmax(b.node("MatMul", {q, k}))}));
  EXPECT_EQ(run_pass(b.graph(), fuse_attention), 0);
}

TEST_F(FuseAttention, LeavesBroadcastMatricesAndUnknownExtents) {
  const ValueId q = b.input({2, 1, kRows, kSize}), k = b.input({1, 2, kSize, kRows});
  b.output(b.node("MatMul", {softmax(b.node("MatMul", {q, k})), b.input({2, 1, kRows, kSize})}));
  const SymShape open = {Dim("N"), kRows, kRows};
  const ValueId x = b.input(open);
  b.output(b.node("MatMul", {softmax(b.node("MatMul", {x, x})), x}));
  EXPECT_EQ(run_pass(b.graph(), fuse_attention), 0);
}

// Nobody but the pass makes the operator, but a model file may hold one.
TEST(FusedAttention, RefusesViewsThatDoNotFit) {
  const auto refusal = [](const Ints& y, const Ints& extents) {
    GraphBuilder b;
    const ValueId x = b.input({2, 3});
    const Ints in = {0, 6, 6, 3, 1};
    b.output(b.internal("FusedAttention", {x, x, x},
                        {{"extents", extents},
                         {"q", in},
                         {"k", in},
                         {"v", in},
                         {"y", y},
                         {"scale", 1.f},
                         {"shape", Ints{2, 3}}},
                        SymShape{2, 3}));
    const auto result = evaluate(b.graph(), {random_tensor({2, 3}, 1)});
    return result.ok() ? std::string() : std::string(result.status().message());
  };
  const Ints fitting = {1, 1, 2, 2, 3, 3};
  EXPECT_EQ(refusal({0, 6, 6, 3, 1}, fitting), "");
  EXPECT_THAT(refusal({1, 6, 6, 3, 1}, fitting), testing::HasSubstr("reaches past 6 elements"));
  EXPECT_THAT(refusal({0, 6, 6, 3, 1}, {1, 1, 1, 2, 3, 3}), testing::HasSubstr("do not fill"));
  EXPECT_NE(refusal({0, 0, 0, 0, 1}, {1LL << 62, 1LL << 62, 2, 2, 3, 3}), "");
}

// --- strided views

std::vector<std::int64_t> offsets(const StridedView& view) {
  std::vector<std::int64_t> all = {view.offset};
  for (const ViewAxis& axis : view.axes) {
    for (const Run& run : axis) {
      std::vector<std::int64_t> next;
      for (const std::int64_t at : all) {
        for (std::int64_t i = 0; i < run.extent; ++i) next.push_back(at + i * run.stride);
      }
      all = std::move(next);
    }
  }
  return all;
}

// A random node that moves elements.
ValueId random_move(GraphBuilder& b, ValueId x, const Shape& shape, std::mt19937& random) {
  const auto pick = [&](std::int64_t count) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(count));
  };
  const auto rank = static_cast<std::int64_t>(shape.rank());
  const std::int64_t axis = pick(rank), extent = shape[static_cast<std::size_t>(axis)];
  switch (pick(5)) {
    case 0: {
      Ints perm;
      for (std::int64_t i = 0; i < rank; ++i) perm.push_back(i);
      std::shuffle(perm.begin(), perm.end(), random);
      return b.node("Transpose", {x}, {{"perm", perm}});
    }
    case 1:  // merge an axis with the next, or cut it in two
      if (pick(2) == 0 && axis + 1 < rank) {
        Ints target(shape.begin(), shape.end());
        target[static_cast<std::size_t>(axis)] = -1;
        target.erase(target.begin() + axis + 1);
        return b.node("Reshape", {x, b.constant(Tensor::from<std::int64_t>({rank - 1}, target))});
      } else {
        Ints target(shape.begin(), shape.end());
        target[static_cast<std::size_t>(axis)] = extent % 2 == 0 ? extent / 2 : 1;
        target.insert(target.begin() + axis + 1, extent % 2 == 0 ? 2 : extent);
        return b.node("Reshape", {x, b.constant(Tensor::from<std::int64_t>({rank + 1}, target))});
      }
    case 2: {
      const std::int64_t start = pick(extent);
      return b.node("Slice",
                    {x, b.ints({start}), b.ints({extent}), b.ints({axis}), b.ints({1 + pick(2)})});
    }
    case 3:
      if (rank < 2) return x;
      return b.node("Gather", {x, b.constant(Tensor::scalar<std::int64_t>(pick(extent)))},
                    {{"axis", axis}});
    default: {
      const ValueId one = b.node("Unsqueeze", {x, b.ints({0})});
      Ints target(shape.begin(), shape.end());
      target.insert(target.begin(), 2);
      return b.node("Expand", {one, b.constant(Tensor::from<std::int64_t>({rank + 1}, target))});
    }
  }
}

TEST(StridedView, SaysWhereElementsComeFrom) {
  const Shape shape = {4, 6, 2, 3};
  const Tensor x = random_tensor(shape, 1);
  int followed = 0;
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    GraphBuilder b;
    ValueId y = b.input(SymShape(shape));
    for (int i = 0; i < 4; ++i) {
      run_pass(b.graph(), infer_shapes);
      const auto now = b.graph().value(y).shape->concrete();
      ASSERT_TRUE(now);
      y = random_move(b, y, *now, random);
    }
    b.output(y);
    run_pass(b.graph(), infer_shapes);
    auto view = view_of(b.graph(), y);
    ASSERT_TRUE(view);
    while (auto before = view_before(b.graph(), *view)) view = before;
    if (view->base != b.graph().inputs[0]) continue;
    ++followed;
    const auto computed = evaluate(b.graph(), {x});
    ASSERT_TRUE(computed.ok()) << computed.status().message();
    const auto at = offsets(*view);
    ASSERT_EQ(static_cast<std::int64_t>(at.size()), (*computed)[0].elements()) << "seed " << seed;
    for (std::size_t i = 0; i < at.size(); ++i) {
      ASSERT_EQ((*computed)[0].data<float>()[i], x.data<float>()[at[i]]) << "seed " << seed;
    }
  }
  EXPECT_GT(followed, 100);
}

TEST(StridedView, SaysWhereElementsGo) {
  GraphBuilder b;
  const ValueId x = b.input({2, 3, 1, 4});
  const ValueId t = b.node("Transpose", {x}, {{"perm", Ints{3, 0, 2, 1}}});
  const ValueId r = b.node("Reshape", {t, b.ints({4, 6})});
  b.output(r);
  run_pass(b.graph(), infer_shapes);
  auto view = view_of(b.graph(), x);
  for (const ValueId value : {t, r}) {
    ASSERT_TRUE(view);
    view = view_after(b.graph(), *view, b.graph().producer(value));
  }
  ASSERT_TRUE(view);
  EXPECT_EQ(view->base, r);
  // x[n][c][0][i] is r[i][n * 3 + c]
  const std::vector<ViewAxis> axes = {{{2, 3}}, {{3, 1}}, {}, {{4, 6}}};
  EXPECT_EQ(view->axes, axes);
}

}  // namespace
}  // namespace mini_infer
