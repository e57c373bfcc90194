#include "tests/passes/pass_test.h"

namespace mini_infer {
namespace {

// The branch: type(captures...).
GraphPtr branch(std::string_view type, int captures) {
  GraphBuilder b;
  std::vector<ValueId> inputs;
  for (int i = 0; i < captures; ++i) {
    inputs.push_back(b.graph().add_input("captured" + std::to_string(i), DType::kFloat32, {}));
  }
  b.output(b.node(type, inputs));
  return std::make_shared<const Graph>(b.graph());
}

ValueId add_if(GraphBuilder& b, std::vector<ValueId> inputs, GraphPtr then_branch,
               GraphPtr else_branch) {
  const auto captures = static_cast<int>(inputs.size()) - 1;
  const ValueId y =
      b.node("If", std::move(inputs), {{"then_branch", then_branch}, {"else_branch", else_branch}});
  b.graph().node(b.graph().producer(y)).captures = captures;
  return y;
}

TEST(InlineConstantIf, TakesTheBranchThatRuns) {
  for (const bool condition : {true, false}) {
    GraphBuilder b;
    const ValueId x = b.input({2, 3}), z = b.input({2, 3});
    const ValueId flag = b.constant(Tensor::scalar<bool>(condition));
    b.output(b.node("Bar", {add_if(b, {flag, x, z}, branch("Foo", 2), branch("Goo", 2))}));
    EXPECT_EQ(run_pass(b.graph(), inline_constant_if), 1);
    EXPECT_EQ(ops_of(b.graph()), condition ? "Foo Bar" : "Goo Bar");
    const Node& inlined = b.graph().node(b.graph().producer(output_node(b.graph()).inputs[0]));
    EXPECT_EQ(inlined.inputs, (std::vector<ValueId>{x, z}));
  }
}

TEST(InlineConstantIf, LeavesComputedConditions) {
  GraphBuilder b;
  const ValueId flag = b.input({}, DType::kBool);
  b.output(add_if(b, {flag}, branch("Foo", 0), branch("Goo", 0)));
  EXPECT_EQ(run_pass(b.graph(), inline_constant_if), 0);
}

TEST(PropagateCapturedConstants, MovesThemInside) {
  GraphBuilder b;
  const ValueId flag = b.input({}, DType::kBool), x = b.input({2, 3});
  const ValueId c = b.weights({2, 3}), unused = b.input({5});
  // The last capture is used by neither branch.
  GraphBuilder inner;
  std::vector<ValueId> in;
  for (const char* name : {"p", "q", "r"}) {
    in.push_back(inner.graph().add_input(name, DType::kFloat32, {}));
  }
  inner.output(inner.node("Foo", {in[0], in[1]}));
  const auto body = std::make_shared<const Graph>(inner.graph());
  b.output(add_if(b, {flag, c, x, unused}, body, body));

  EXPECT_EQ(run_pass(b.graph(), propagate_captured_constants), 2);
  const Node& node = output_node(b.graph());
  EXPECT_EQ(node.inputs, (std::vector<ValueId>{flag, x}));
  EXPECT_EQ(node.captures, 1);
  for (const char* name : {"then_branch", "else_branch"}) {
    const Graph& changed = **b.graph().attribute<GraphPtr>(output_node_id(b.graph()), name);
    EXPECT_TRUE(changed.verify().ok()) << changed.verify().message();
    EXPECT_EQ(changed.inputs, (std::vector<ValueId>{in[1]}));
    EXPECT_EQ(changed.value(in[0]).constant.data(), b.graph().value(c).constant.data());
  }
  EXPECT_EQ(body->inputs.size(), 3u) << "the shared original stays";
}

TEST(WidenFloat16, KeepsTheFaceOfTheModel) {
  GraphBuilder b;
  const ValueId x = b.input({2, 3}, DType::kFloat16);
  const ValueId w =
      b.constant(Tensor::from<Float16>({3}, {to_float16(1), to_float16(2), to_float16(3)}));
  const ValueId y = b.node("Foo", {x, w}, {}, SymShape{2, 3}, DType::kFloat16);
  const ValueId z = b.node("Cast", {y}, {{"to", std::int64_t{1}}}, SymShape{2, 3});
  b.output(b.node("Cast", {z}, {{"to", std::int64_t{10}}}, SymShape{2, 3}, DType::kFloat16));
  b.output(y);
  b.output(z);
  EXPECT_GT(run_pass(b.graph(), widen_float16), 0);
  const Graph& g = b.graph();
  EXPECT_EQ(ops_of(g), "Cast Foo Cast Cast Cast");
  EXPECT_EQ(g.value(w).dtype, DType::kFloat32);
  EXPECT_EQ(constant_str(g, w), "[1,2,3]");
  EXPECT_EQ(g.value(y).dtype, DType::kFloat32);
  EXPECT_EQ(g.value(g.inputs[0]).dtype, DType::kFloat16);
  EXPECT_EQ(g.value(g.outputs()[0].value).dtype, DType::kFloat16);
  EXPECT_EQ(g.value(g.outputs()[1].value).dtype, DType::kFloat16);
  EXPECT_EQ(g.value(g.outputs()[2].value).dtype, DType::kFloat32);
  EXPECT_EQ(run_pass(b.graph(), widen_float16), 0) << "the second time there is nothing to do";
}

TEST(WidenFloat16, RetargetsCastsInside) {
  GraphBuilder b;
  const ValueId x = b.input({2, 3});
  const ValueId half =
      b.node("Cast", {x}, {{"to", std::int64_t{10}}}, SymShape{2, 3}, DType::kFloat16);
  b.output(b.node("Cast", {b.node("Foo", {half}, {}, SymShape{2, 3}, DType::kFloat16)},
                  {{"to", std::int64_t{1}}}, SymShape{2, 3}));
  run_pass(b.graph(), widen_float16);
  EXPECT_EQ(run_pass(b.graph(), eliminate_noop_cast), 2);
  EXPECT_EQ(ops_of(b.graph()), "Foo");
}

}  // namespace
}  // namespace mini_infer
