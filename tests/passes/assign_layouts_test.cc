// Layout assignment with operators made for it: Block takes and gives blocked, Stem gives blocked
// from plain, Any can be either, and all others are plain.
#include <algorithm>
#include <map>

#include "graph/passes/min_cut.h"
#include "tests/passes/pass_test.h"

namespace mini_infer {
namespace {

LayoutChoice all(const LayoutQuery& q, Layout in, Layout out) {
  return {std::vector(q.node.inputs.size(), in), std::vector(q.node.outputs.size(), out)};
}
LayoutChoice block_layout(const LayoutQuery& q) {
  return all(q, Layout::kBlocked, Layout::kBlocked);
}
LayoutChoice stem_layout(const LayoutQuery& q) { return all(q, Layout::kPlain, Layout::kBlocked); }
LayoutChoice any_layout(const LayoutQuery& q) {
  const bool blocked =
      std::find(q.inputs.begin(), q.inputs.end(), Layout::kBlocked) != q.inputs.end();
  LayoutChoice choice{q.inputs, {blocked ? Layout::kBlocked : Layout::kPlain}};
  return choice;
}

class LayoutOps : public OpLookup {
 public:
  LayoutOps() {
    add("", "Block", block_layout);
    add("", "Stem", stem_layout);
    add("", "Any", any_layout);
    add("", "Plain", nullptr);
    add(kInternalDomain, "Reorder", nullptr);
  }
  const OpDef* find(std::string_view, std::string_view type, int) const override {
    const auto it = ops_.find(std::string(type));
    return it == ops_.end() ? nullptr : &it->second;
  }

 private:
  void add(std::string_view domain, std::string_view type, LayoutFn layout) {
    ops_[std::string(type)] = {.domain = domain, .type = type, .since = {1}, .layout = layout};
  }
  std::map<std::string, OpDef> ops_;
};

class NoEvaluator : public Evaluator {
 public:
  Result<std::vector<Tensor>> evaluate(const Node&, std::span<const Tensor>) override {
    return Status(Code::kNotImplemented, "nothing is evaluated here");
  }
};

const SymShape kMaps = {1, 32, 8, 8};

class AssignLayouts : public ::testing::Test {
 protected:
  ValueId add(std::string_view type, std::vector<ValueId> inputs, SymShape shape = kMaps) {
    return b.node(type, std::move(inputs), {}, std::move(shape));
  }
  // "Stem! Any! Reorder Plain": blocked results have an exclamation mark.
  std::string run() {
    LayoutOps ops;
    NoEvaluator evaluator;
    PassContext context{.ops = ops, .evaluator = evaluator};
    const auto changes = assign_layouts(b.graph(), context);
    EXPECT_TRUE(changes.ok());
    EXPECT_TRUE(b.graph().verify().ok()) << b.graph().verify().message();
    const auto again = assign_layouts(b.graph(), context);
    EXPECT_TRUE(again.ok() && (*again == 0 || *changes == 0));
    std::string text;
    for (const NodeId id : b.graph().order()) {
      const bool blocked = b.graph().value(b.graph().output(id)).layout == Layout::kBlocked;
      text += (text.empty() ? "" : " ") + b.graph().node(id).op_type + (blocked ? "!" : "");
    }
    return text;
  }
  GraphBuilder b;
};

TEST_F(AssignLayouts, KeepsChainsBlockedToTheLastUser) {
  const ValueId x = b.input({1, 3, 8, 8});
  b.output(add("Plain", {add("Any", {add("Block", {add("Any", {add("Stem", {x})})})})}));
  EXPECT_EQ(run(), "Stem! Any! Block! Any! Reorder Plain");
}

TEST_F(AssignLayouts, PutsOutputsBackToPlain) {
  b.output(add("Block", {b.input(kMaps)}));
  EXPECT_EQ(run(), "Reorder! Block! Reorder");
  EXPECT_EQ(b.graph().value(b.graph().outputs()[0].value).layout, Layout::kPlain);
}

TEST_F(AssignLayouts, ReordersAValueOnceForAllWhoWantIt) {
  const ValueId y = add("Stem", {b.input({1, 3, 8, 8})});
  b.output(add("Plain", {y}));
  b.output(add("Plain", {y}));
  b.output(y);
  EXPECT_EQ(run(), "Stem! Reorder Plain Plain");
  EXPECT_EQ(b.graph().outputs()[2].value, output_node(b.graph(), 0).inputs[0]);
}

TEST_F(AssignLayouts, TakesTheSmallerSideOfANodeThatCanBeEither) {
  const ValueId shrinks = add("Any", {add("Stem", {b.input({1, 3, 8, 8})})}, {1, 32, 4, 4});
  b.output(add("Plain", {shrinks}, {1, 32, 4, 4}));
  const ValueId grows = add("Any", {add("Stem", {b.input({1, 3, 8, 8})})}, {1, 32, 16, 16});
  b.output(add("Plain", {grows}, {1, 32, 16, 16}));
  EXPECT_EQ(run(), "Stem! Any! Reorder Plain Stem! Reorder Any Plain");
}

TEST_F(AssignLayouts, LeavesIslandsThatDoNotPayPlain) {
  // One small blocked value among plain ones: reordering that one is cheaper.
  const ValueId small = add("Stem", {b.input({1, 3, 2, 2})}, {1, 32, 1, 1});
  const ValueId x = add("Plain", {b.input(kMaps)}), z = add("Plain", {b.input(kMaps)});
  b.output(add("Plain", {add("Any", {small, x, z})}));
  EXPECT_EQ(run(), "Stem! Plain Plain Reorder Any Plain");
}

TEST_F(AssignLayouts, LeavesPlainGraphsAlone) {
  b.output(add("Any", {add("Plain", {add("Any", {b.input(kMaps)})})}));
  EXPECT_EQ(run(), "Any Plain Any");
}

TEST_F(AssignLayouts, LeavesSymbolicShapesAndOtherDtypesPlain) {
  b.output(add("Block", {b.input({Dim("N"), 32, 8, 8})}, {Dim("N"), 32, 8, 8}));
  b.output(b.node("Block", {b.input(kMaps, DType::kFloat64)}, {}, kMaps, DType::kFloat64));
  EXPECT_EQ(run(), "Block Block");
}

TEST_F(AssignLayouts, ThinksOfUnusedLanes) {
  // 3 channels in a block of 16: computing on them blocked costs more than reordering first.
  const ValueId y = add("Stem", {b.input({1, 3, 8, 8})}, {1, 3, 8, 8});
  b.output(add("Plain", {add("Any", {add("Any", {y}, {1, 3, 8, 8})}, {1, 3, 8, 8})}));
  EXPECT_EQ(run(), "Stem! Reorder Any Any Plain");
}

TEST(MinCut, FindsTheCheapestLabels) {
  MinCut cut;
  const int a = cut.add_point(), b = cut.add_point(), c = cut.add_point();
  cut.add_cost(MinCut::kSource, a, 10);
  cut.add_cost(a, b, 3);
  cut.add_cost(b, c, 4);
  cut.add_cost(c, MinCut::kSink, 10);
  cut.add_cost(a, c, 1);
  EXPECT_EQ(cut.solve(), (std::vector<bool>{true, false, true, false, false}));
}

TEST(MinCut, LabelsPointsThatCouldBeEitherAsSource) {
  MinCut cut;
  const int a = cut.add_point(), b = cut.add_point();
  cut.add_cost(MinCut::kSource, a, 5);
  cut.add_cost(a, b, 5);
  cut.add_cost(b, MinCut::kSink, 5);
  EXPECT_EQ(cut.solve(), (std::vector<bool>{true, false, true, true}));
}

TEST(MinCut, TakesLongChains) {
  MinCut cut;
  int last = MinCut::kSource;
  for (int i = 0; i < 100000; ++i) {
    const int next = cut.add_point();
    cut.add_cost(last, next, i == 60000 ? 1 : 2);
    last = next;
  }
  cut.add_cost(last, MinCut::kSink, 2);
  const std::vector<bool> sides = cut.solve();
  EXPECT_EQ(std::count(sides.begin(), sides.end(), true), 60001);
}

}  // namespace
}  // namespace mini_infer
