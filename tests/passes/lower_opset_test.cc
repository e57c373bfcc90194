// Nodes of a new opset mean the same in an older one, or are named with the reason.
#include "graph/passes/lower_opset.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "graph/edit/attributes.h"
#include "kernels/op_registry.h"
#include "tests/passes/pass_test.h"

namespace mini_infer {
namespace {

using ::testing::HasSubstr;

// Lowers a copy, infers both and compares the results.
Graph lowered(Graph graph, int opset, const std::vector<Shape>& shapes) {
  EXPECT_TRUE(infer_shapes(graph, op_registry()).ok());
  Graph copy = graph;
  const Status status = lower_opset(copy, opset, op_registry());
  EXPECT_TRUE(status.ok()) << status.message();
  const Status inferred = infer_shapes(copy, op_registry());
  EXPECT_TRUE(inferred.ok()) << inferred.message();
  EXPECT_TRUE(copy.verify().ok());
  EXPECT_EQ(copy.opset(), opset);
  for (const NodeId id : copy.order()) EXPECT_LE(copy.node(id).opset, opset);
  expect_same_results(graph, copy, shapes);
  return copy;
}

void expect_refused(Graph graph, int opset, const std::string& why) {
  static_cast<void>(infer_shapes(graph, op_registry()));
  const Status status = lower_opset(graph, opset, op_registry());
  EXPECT_EQ(status.code(), Code::kNotImplemented) << why;
  EXPECT_THAT(status.message(), HasSubstr(why));
}

const std::int64_t kOne = 1;

TEST(LowerOpset, InputsBecomeAttributesAgain) {
  GraphBuilder b(18);
  const ValueId x = b.input({2, 3, 4, 4});
  ValueId y = b.node("Clip", {x, b.scalar(-0.5f), b.scalar(0.5f)});
  y = b.node("Pad", {y, b.ints({1, 0}), b.scalar(2), b.ints({-2})});
  y = b.node("Slice", {y, b.ints({1}), b.ints({5}), b.ints({-2})});
  y = b.node("ReduceSum", {y, b.ints({-1})}, {{"keepdims", std::int64_t{0}}});
  y = b.node("Unsqueeze", {y, b.ints({-1, 0})});
  y = b.node("Squeeze", {y, b.ints({-1})});
  y = b.node("ReduceMax", {y, b.ints({-1})});
  b.output(b.node("Dropout", {y, b.scalar(0.25f)}));
  const Graph copy = lowered(b.graph(), 9, {{2, 3, 4, 4}});
  EXPECT_EQ(ops_of(copy), "Clip Pad Slice ReduceSum Unsqueeze Squeeze ReduceMax Dropout");
  for (const NodeId id : copy.order()) EXPECT_EQ(copy.node(id).inputs.size(), 1u);
  EXPECT_EQ(*copy.attribute<float>(output_node_id(copy), "ratio"), 0.25f);
}

TEST(LowerOpset, SlicesWithStepsAreGathered) {
  constexpr std::int64_t kFarthest = std::numeric_limits<std::int64_t>::max();
  GraphBuilder b(13);
  const ValueId x = b.input({2, 7, 6});
  b.output(b.node("Slice", {x, b.ints({1, -1}), b.ints({kFarthest, -kFarthest}), b.ints({1, 2}),
                            b.ints({2, -3})}));
  b.output(b.node("Slice", {x, b.ints({0, 1}), b.ints({6, 3}), b.ints({1, 2}), b.ints({4, 1})}));
  b.output(b.node("Slice", {x, b.ints({1}), b.ints({9}), b.ints({1}), b.ints({kFarthest})}));
  const Graph copy = lowered(b.graph(), 9, {{2, 7, 6}});
  EXPECT_EQ(ops_of(copy), "Gather Gather Gather Slice Gather");
}

TEST(LowerOpset, PoolsThatRoundUpPad) {
  for (const char* type : {"MaxPool", "AveragePool"}) {
    for (const Ints& pads : {Ints{0, 0, 0, 0}, Ints{1, 0, 1, 0}}) {
      GraphBuilder b(10);
      b.output(b.node(type, {b.input({1, 2, 6, 7})},
                      {{"kernel_shape", Ints{3, 3}},
                       {"strides", Ints{2, 3}},
                       {"pads", pads},
                       {"ceil_mode", kOne}}));
      EXPECT_EQ(ops_of(lowered(b.graph(), 7, {{1, 2, 6, 7}})), type);
    }
  }
}

TEST(LowerOpset, SplitAndTopKTakeAttributes) {
  GraphBuilder b(18);
  const ValueId x = b.input({4, 7});
  const NodeId split = b.graph().add_node(
      kNoNode, "Split", {x}, {{"axis", std::int64_t{-1}}, {"num_outputs", kOne + 1}}, "", 2);
  b.output(b.graph().output(split, 0));
  b.output(b.graph().output(split, 1));
  b.output(b.node("TopK", {x, b.ints({2})}, {{"sorted", std::int64_t{1}}}));
  const Graph copy = lowered(b.graph(), 9, {{4, 7}});
  EXPECT_EQ(*copy.attribute<Ints>(split, "split"), (Ints{4, 3}));
  EXPECT_EQ(*copy.attribute<std::int64_t>(split, "axis"), 1);
}

TEST(LowerOpset, SoftmaxOverOneAxisIsTurned) {
  for (const char* type : {"Softmax", "LogSoftmax", "Hardmax"}) {
    for (const std::int64_t axis : {1, 2, -1, -2}) {
      GraphBuilder b(13);
      const ValueId x = b.input({2, 3, 4});
      b.output(b.node(type, {x}, {{"axis", axis}}));
      const Graph copy = lowered(b.graph(), 11, {{2, 3, 4}});
      EXPECT_EQ(copy.node_count(), axis == 1 || axis == -2 ? 3u : 1u) << type << axis;
    }
  }
  GraphBuilder ones(13);
  ones.output(ones.node("Softmax", {ones.input({2, 3, 1, 1})}, {{"axis", kOne}}));
  EXPECT_EQ(ops_of(lowered(ones.graph(), 9, {{2, 3, 1, 1}})), "Softmax");
}

TEST(LowerOpset, ResizeGoesBackToUpsample) {
  for (const bool by_sizes : {false, true}) {
    for (const char* place : {"asymmetric", "half_pixel"}) {
      GraphBuilder b(18);
      const ValueId x = b.input({1, 2, 3, 5});
      std::vector<ValueId> inputs = {x, kNoValue, b.floats({4}, {1, 1, 2, 3})};
      if (by_sizes) inputs = {x, kNoValue, kNoValue, b.ints({1, 2, 6, 15})};
      const bool half = place[0] == 'h';
      b.output(b.node("Resize", inputs,
                      {{"coordinate_transformation_mode", std::string(place)},
                       {"nearest_mode", std::string(half ? "round_prefer_floor" : "floor")}}));
      for (const int opset : {7, 9}) {
        const Graph copy = lowered(b.graph(), opset, {{1, 2, 3, 5}});
        EXPECT_EQ(ops_of(copy), "Upsample") << place;
      }
      EXPECT_EQ(lowered(b.graph(), 11, {{1, 2, 3, 5}}).node(0).inputs.size(), by_sizes ? 4u : 3u);
    }
  }
}

TEST(LowerOpset, ResizeOfSomeAxesIsOneOfAll) {
  GraphBuilder b(18);
  const ValueId x = b.input({1, 2, 3, 5});
  const Attributes axes = {{"axes", Ints{-1}}, {"mode", std::string("linear")}};
  b.output(b.node("Resize", {x, kNoValue, b.floats({1}, {2})}, axes));
  b.output(b.node("Resize", {x, kNoValue, kNoValue, b.ints({7})}, axes));
  lowered(b.graph(), 13, {{1, 2, 3, 5}});
}

TEST(LowerOpset, YoungOperatorsAreSaidByOlderOnes) {
  GraphBuilder b(24);
  const ValueId x = b.input({2, 4, 3, 3});
  const Attributes groups = {{"num_groups", std::int64_t{2}}};
  b.output(b.node("Swish", {x}, {{"alpha", 0.5f}}));
  b.output(b.node("RMSNormalization", {x, b.weights({3})}));
  b.output(b.node("GroupNormalization", {x, b.weights({4}), b.weights({4}, 0.5)}, groups));
  b.output(b.node("LayerNormalization", {x, b.weights({3}), b.weights({3})}));
  b.output(b.node("Gelu", {x}));
  b.output(b.node("Mish", {x}));
  b.output(b.node("HardSwish", {x}));
  b.output(b.node("Celu", {x}, {{"alpha", 2.f}}));
  b.output(b.node(
      "Where", {b.node("GreaterOrEqual", {x, b.scalar(0)}, {}, {}, DType::kBool), x, b.scalar(1)}));
  const Graph copy = lowered(b.graph(), 11, {{2, 4, 3, 3}});
  const std::string ops = ops_of(copy);
  for (const char* gone : {"Swish", "Norm", "Gelu", "Mish", "Celu", "OrEqual"}) {
    EXPECT_EQ(ops.find(gone), std::string::npos) << ops;
  }
}

TEST(LowerOpset, GroupsWithAScaleForEachGroup) {
  GraphBuilder b(18);
  const ValueId x = b.input({2, 4, 3, 3});
  b.output(b.node("GroupNormalization", {x, b.weights({2}), b.weights({2}, 0.5)},
                  {{"num_groups", std::int64_t{2}}}));
  lowered(b.graph(), 17, {{2, 4, 3, 3}});
}

TEST(LowerOpset, OperandsGetWhatWasAskedOfThem) {
  GraphBuilder b(15);
  const ValueId x = b.input({2, 3}), exponent = b.constant(Tensor::scalar(std::int32_t{2}));
  const ValueId power = b.node("Pow", {x, exponent});
  const ValueId sum = b.node("Sum", {power, b.weights({3}), b.scalar(1)});
  const ValueId product = b.node("Gemm", {sum, b.weights({3, 2})});
  const ValueId taken = b.node("Gather", {product, b.ints({-1, 0})}, {{"axis", std::int64_t{-1}}});
  b.output(b.node("CastLike", {taken, exponent}, {}, {}, DType::kInt32));
  b.output(b.node("Shape", {x}, {{"start", kOne}}, {}, DType::kInt64));
  const Graph copy = lowered(b.graph(), 7, {{2, 3}});
  EXPECT_EQ(ops_of(copy), "Cast Pow Add Add Gemm Gather Cast Shape Slice");
}

TEST(LowerOpset, AxesOfOneHotCountTheOneThatIsAdded) {
  GraphBuilder b(11);
  const ValueId classes = b.constant(Tensor::from<std::int64_t>({2, 2}, {0, 2, 1, 1}));
  const ValueId hot =
      b.node("OneHot", {classes, b.ints({3}), b.floats({2}, {0, 5})}, {{"axis", std::int64_t{-2}}});
  b.output(b.node("Add", {hot, b.input({2, 3, 2})}));
  const Graph copy = lowered(b.graph(), 9, {{2, 3, 2}});
  EXPECT_EQ(*copy.attribute<std::int64_t>(copy.producer(output_node(copy).inputs[0]), "axis"), 1);
}

TEST(LowerOpset, TheAxisOfDftAndModesOfGridSample) {
  GraphBuilder b(20);
  const ValueId x = b.input({1, 4, 6, 2}), image = b.input({1, 1, 4, 4}),
                grid = b.input({1, 2, 2, 2});
  b.output(b.node("DFT", {x, kNoValue, b.constant(Tensor::scalar(std::int64_t{-2}))}));
  b.output(b.node("GridSample", {image, grid}, {{"mode", std::string("cubic")}}));
  const Graph copy = lowered(b.graph(), 17, {{1, 4, 6, 2}, {1, 1, 4, 4}, {1, 2, 2, 2}});
  EXPECT_EQ(*copy.attribute<std::int64_t>(output_node_id(copy), "axis"), 2);
  EXPECT_EQ(*copy.attribute<std::string>(output_node_id(copy, 1), "mode"), "bicubic");
}

TEST(LowerOpset, GoesIntoSubgraphsWithWhatTheyCapture) {
  GraphBuilder inner(13);
  const ValueId x = inner.graph().add_input("inner", DType::kFloat32, std::nullopt);
  const ValueId axes = inner.graph().add_input("axes", DType::kInt64, std::nullopt);
  inner.output(inner.node("ReduceSum", {x, axes}));
  const auto body = std::make_shared<const Graph>(inner.graph());
  GraphBuilder b(13);
  const ValueId condition = b.input({}, DType::kBool), outer = b.input({2, 3});
  const ValueId y = b.node("If", {condition, outer, b.ints({-1})},
                           {{"then_branch", body}, {"else_branch", body}});
  b.output(y);
  b.graph().node(b.graph().producer(y)).captures = 2;
  ASSERT_TRUE(lower_opset(b.graph(), 10, op_registry()).ok());
  const auto* branch = b.graph().attribute<GraphPtr>(output_node_id(b.graph()), "then_branch");
  const NodeId sum = (*branch)->order()[0];
  EXPECT_EQ((*branch)->node(sum).inputs.size(), 1u);
  EXPECT_EQ(*(*branch)->attribute<Ints>(sum, "axes"), Ints{1});
  EXPECT_EQ((*branch)->opset(), 10);
}

TEST(LowerOpset, NamesAllNodesThatHinderWithTheReason) {
  GraphBuilder b(13);
  const ValueId x = b.input({2, 4}), k = b.input({1}, DType::kInt64);
  b.output(b.node("Einsum", {x}, {{"equation", std::string("ij->ji")}}));
  b.output(b.node("TopK", {x, k}));
  Graph graph = b.graph();
  const Status status = lower_opset(graph, 9, op_registry());
  EXPECT_THAT(status.message(), HasSubstr("(Einsum, opset 13): cannot be said in opset 9: the "
                                          "operator came with opset 12\n"));
  EXPECT_THAT(status.message(), HasSubstr("(TopK, opset 13): cannot be said in opset 9: its k must "
                                          "be constant"));
}

// One node of each kind that an older opset cannot say.
struct Refusal {
  const char* type;
  int from, to;
  std::function<std::vector<ValueId>(GraphBuilder&)> inputs;
  Attributes attributes;
  const char* why;
};

std::vector<Refusal> refusals() {
  const auto x = [](GraphBuilder& b) { return std::vector{b.input({1, 2, 4, 4})}; };
  const auto open = [](GraphBuilder& b) {
    return std::vector{b.input({Dim(1), Dim(2), Dim(std::string("n")), Dim(4)})};
  };
  const auto ints = [](GraphBuilder& b) { return std::vector{b.input({2, 2}, DType::kInt64)}; };
  const auto resize = [](GraphBuilder& b) {
    return std::vector{b.input({1, 2, 4, 4}), kNoValue, b.floats({4}, {1, 1, 2, 2})};
  };
  const auto open_axes = [](GraphBuilder& b) {
    return std::vector{b.input({2, 2}), b.input({1}, DType::kInt64)};
  };
  const auto update = [](GraphBuilder& b) {
    return std::vector{b.input({2, 2}), b.constant(Tensor::from<std::int64_t>({1, 1}, {0})),
                       b.input({1, 2})};
  };
  const Attributes square = {{"kernel_shape", Ints{2, 2}}, {"ceil_mode", kOne}};
  return {
      {"AveragePool", 10, 9, open, square, "'ceil_mode' is 1 and extent n is not known"},
      {"MaxPool", 10, 8, x, {{"kernel_shape", Ints{2, 2}}, {"dilations", Ints{2, 2}}}, "dilations"},
      {"Relu", 14, 13, ints, {}, "it takes int64 from opset 14 on only"},
      {"Clip", 12, 11, ints, {}, "it takes int64 from opset 12 on only"},
      {"ReduceMean", 18, 17, open_axes, {}, "its axes must be constant"},
      {"ReduceSum", 13, 11, x, {{"noop_with_empty_axes", kOne}}, "it reduces no axis"},
      {"DepthToSpace",
       11,
       10,
       [](auto& b) {
         return std::vector{b.input({1, 4, 2, 2})};
       },
       {{"blocksize", kOne + 1}, {"mode", std::string("CRD")}},
       "its attribute 'mode' is \"CRD\""},
      {"Resize", 11, 10, resize, {{"mode", std::string("cubic")}}, "its mode is \"cubic\""},
      {"Resize",
       19,
       18,
       resize,
       {{"coordinate_transformation_mode", std::string("half_pixel_symmetric")}},
       "symmetric"},
      {"Resize",
       11,
       10,
       resize,
       {{"coordinate_transformation_mode", std::string("align_corners")}},
       "align_corners"},
      {"ScatterND", 18, 17, update, {{"reduction", std::string("max")}}, "'reduction' is \"max\""},
      {"ScatterND", 16, 15, update, {{"reduction", std::string("add")}}, "'reduction' is \"add\""},
      {"Pad",
       19,
       18,
       [](auto& b) {
         return std::vector{b.input({2}), b.ints({1, 1})};
       },
       {{"mode", std::string("wrap")}},
       "its mode is \"wrap\""},
      {"Slice",
       10,
       9,
       [](auto& b) {
         return std::vector{b.input({Dim(std::string("n"))}), b.ints({0}), b.ints({4}), b.ints({0}),
                            b.ints({2})};
       },
       {},
       "its step is 2 along an extent of n"},
      {"TopK",
       11,
       10,
       [](auto& b) {
         return std::vector{b.input({4}), b.ints({2})};
       },
       {{"largest", std::int64_t{0}}},
       "its attribute 'largest' is 0"},
      {"Max",
       8,
       7,
       [](auto& b) {
         return std::vector{b.input({4}), b.input({1})};
       },
       {},
       "its inputs may differ in shape"},
      {"Reshape",
       14,
       13,
       [](auto& b) {
         return std::vector{b.input({0, 4}), b.ints({4, 0})};
       },
       {{"allowzero", kOne}},
       "its shape [4,0] holds zeros"},
      {"DequantizeLinear",
       13,
       12,
       [](auto& b) {
         return std::vector{b.input({2, 2}, DType::kInt8), b.floats({2}, {1, 2})};
       },
       {},
       "its scale has shape [2]"},
  };
}

TEST(LowerOpset, RefusesWhatTheOldVersionCannotSay) {
  for (const Refusal& each : refusals()) {
    GraphBuilder b(each.from);
    const std::vector<ValueId> inputs = each.inputs(b);
    b.output(b.node(each.type, inputs, each.attributes, {}, b.graph().value(inputs[0]).dtype));
    SCOPED_TRACE(each.type);
    expect_refused(b.graph(), each.to, each.why);
  }
}

// Such files exist; a message is all they may cause.
TEST(LowerOpset, NodesWithoutInputsAreNamed) {
  for (const OpsetChange& change : opset_changes()) {
    if (change.undo == nullptr || change.type == "Loop") continue;
    GraphBuilder b(change.version);
    b.output(b.node(change.type, {}));
    SCOPED_TRACE(change.type);
    expect_refused(b.graph(), change.version - 1, "");
    for (const std::size_t count : {1, 2, 3}) {
      GraphBuilder some(change.version);
      const ValueId y = some.input({2, 3});
      some.output(some.node(change.type, std::vector<ValueId>(count, y)));
      static_cast<void>(lower_opset(some.graph(), kOldestLowered, op_registry()));
      EXPECT_TRUE(some.graph().verify().ok()) << count;
    }
  }
}

// Every version of an operator of the engine from opset 8 on has its line, and what the lines say
// of attributes is what attributes.def says.
TEST(LowerOpset, TheTableKnowsAllVersions) {
  const std::span<const OpsetChange> all = opset_changes();
  const auto has = [&](std::string_view type, int version) {
    return std::any_of(all.begin(), all.end(), [&](const OpsetChange& change) {
      return change.type == type && change.version == version;
    });
  };
  for (const OpDef* op : all_ops()) {
    // Constants are no nodes of a graph.
    if (!op->domain.empty() || op->type == "Constant") continue;
    for (std::size_t i = 1; i < op->since.size(); ++i) {
      if (op->since[i] <= kOldestLowered) continue;
      EXPECT_TRUE(has(op->type, op->since[i])) << op->type << " " << op->since[i];
    }
  }
  for (const OpsetChange& change : all) {
    Node node{.op_type = std::string(change.type), .opset = change.version};
    std::string_view rest = change.attributes;
    while (!rest.empty()) {
      const std::string_view word = rest.substr(0, rest.find(' '));
      const std::string name(word.substr(0, word.find('=')));
      rest.remove_prefix(std::min(word.size() + 1, rest.size()));
      const auto known = known_attributes(node);
      ASSERT_TRUE(known) << change.type;
      EXPECT_TRUE(std::any_of(known->begin(), known->end(),
                              [&](const KnownAttribute& each) { return each.name == name; }))
          << change.type << ' ' << name;
    }
  }
}

}  // namespace
}  // namespace mini_infer
