#include <algorithm>

#include "tests/passes/pass_test.h"

namespace mini_infer {
namespace {

using ::testing::HasSubstr;

class NoOps : public OpLookup {
 public:
  const OpDef* find(std::string_view, std::string_view, int) const override { return nullptr; }
};
class NoEvaluator : public Evaluator {
 public:
  Result<std::vector<Tensor>> evaluate(const Node&, std::span<const Tensor>) override {
    return Status(Code::kNotImplemented, "nothing is evaluated here");
  }
};

// x -> Identity -> Identity -> Identity -> Foo, and a node that nobody needs.
Graph chain() {
  GraphBuilder b;
  ValueId value = b.input({Dim("N"), 3});
  for (int i = 0; i < 3; ++i) value = b.node("Identity", {value});
  b.node("Unneeded", {value});
  b.output(b.node("Foo", {value}));
  return b.graph();
}

int rewrites(const std::vector<PassReport>& reports, std::string_view name) {
  int count = 0;
  for (const PassReport& report : reports) count += report.name == name ? report.rewrites : 0;
  return count;
}

TEST(PassManager, RunsThePassesOfAStageAndReportsThem) {
  Graph graph = chain();
  const auto reports = run_stage(graph, PassStage::kLoad);
  EXPECT_EQ(ops_of(graph), "Foo");
  EXPECT_EQ(rewrites(reports, "eliminate_identity"), 3);
  EXPECT_EQ(rewrites(reports, "eliminate_dead_code"), 1);
  std::size_t passes = 0;
  for (const Pass& pass : all_passes()) passes += pass.stage == PassStage::kLoad ? 1 : 0;
  EXPECT_EQ(reports.size(), passes);
  for (const PassReport& report : reports) EXPECT_GE(report.seconds, 0);
}

TEST(PassManager, LeavesOutDisabledPasses) {
  Graph graph = chain();
  const auto reports = run_stage(graph, PassStage::kLoad, {.disabled = {"eliminate_identity"}});
  EXPECT_EQ(ops_of(graph), "Identity Identity Identity Foo");
  for (const PassReport& report : reports) {
    EXPECT_EQ(report.disabled, report.name == "eliminate_identity") << report.name;
  }
}

TEST(PassManager, NamesThePassesWhenOneIsUnknown) {
  Graph graph = chain();
  NoOps ops;
  NoEvaluator evaluator;
  PassContext context{.ops = ops, .evaluator = evaluator};
  const auto result =
      run_passes(graph, PassStage::kLoad, context, {.disabled = {"fuse_everything"}});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), Code::kInvalidArgument);
  EXPECT_THAT(result.status().message(), HasSubstr("'fuse_everything': there is no such pass"));
  EXPECT_THAT(result.status().message(), HasSubstr("eliminate_identity"));
}

TEST(PassManager, StopsAfterSoManyRewrites) {
  for (int most = 0; most <= 4; ++most) {
    Graph graph = chain();
    run_stage(graph, PassStage::kLoad, {.stop_after = most});
    const std::size_t nodes = static_cast<std::size_t>(5 - most);
    EXPECT_EQ(graph.node_count(), nodes) << "after " << most;
  }
}

TEST(PassManager, GoesIntoSubgraphsAndPutsCopiesBack) {
  GraphBuilder inner;
  const ValueId captured = inner.graph().add_input("captured", DType::kUndefined, {});
  inner.output(inner.node("Foo", {inner.node("Identity", {captured})}));
  const auto body = std::make_shared<const Graph>(inner.graph());

  GraphBuilder outer;
  const ValueId condition = outer.input({}, DType::kBool);
  const ValueId x = outer.input({Dim("N"), 3});
  const ValueId y =
      outer.node("If", {condition, x}, {{"then_branch", body}, {"else_branch", body}});
  outer.output(y);
  outer.graph().node(outer.graph().producer(y)).captures = 1;

  run_stage(outer.graph(), PassStage::kLoad);
  EXPECT_EQ(ops_of(*body), "Identity Foo") << "the original is shared and stays as it was";
  for (const char* branch : {"then_branch", "else_branch"}) {
    const auto* changed = outer.graph().attribute<GraphPtr>(output_node_id(outer.graph()), branch);
    ASSERT_NE(changed, nullptr);
    EXPECT_EQ(ops_of(**changed), "Foo");
    EXPECT_EQ((*changed)->value((*changed)->inputs[0]).shape, SymShape({Dim("N"), 3}));
  }
}

TEST(PassManager, LeavesBranchesThatDoNotFitAlone) {
  GraphBuilder inner;
  const ValueId captured = inner.graph().add_input("captured", DType::kFloat32, {});
  inner.output(inner.node("Squeeze", {inner.node("Identity", {captured}), inner.ints({1})}));
  const auto body = std::make_shared<const Graph>(inner.graph());
  GraphBuilder outer;
  const ValueId condition = outer.input({}, DType::kBool), x = outer.input({2, 3});
  const ValueId y =
      outer.node("Unknown", {condition, x}, {{"then_branch", body}, {"else_branch", body}});
  outer.output(y);
  outer.graph().node(outer.graph().producer(y)).captures = 1;
  run_stage(outer.graph(), PassStage::kLoad);
  EXPECT_EQ(*outer.graph().attribute<GraphPtr>(output_node_id(outer.graph()), "then_branch"), body);
}

TEST(PassManager, NamesEachPassWithAVerb) {
  for (const Pass& pass : all_passes()) {
    EXPECT_NE(pass.run, nullptr);
    EXPECT_THAT(std::string(pass.name),
                ::testing::MatchesRegex("(eliminate|fold|fuse|infer|assign|"
                                        "widen|propagate|inline|replace)_[a-z_0-9]+"));
  }
}

}  // namespace
}  // namespace mini_infer
