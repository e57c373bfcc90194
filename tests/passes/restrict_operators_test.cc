// Operators said by others compute the same.
#include "graph/passes/restrict_operators.h"

#include "engine/simplifier.h"
#include "kernels/op_registry.h"
#include "tests/passes/pass_test.h"

namespace mini_infer {
namespace {

class NoEvaluator : public Evaluator {
 public:
  Result<std::vector<Tensor>> evaluate(const Node&, std::span<const Tensor>) override {
    return Status(Code::kNotImplemented, "nothing is evaluated here");
  }
};

int restrict(Graph& graph, const OperatorSet& target) {
  NoEvaluator evaluator;
  PassContext context{.ops = file_operators(), .evaluator = evaluator, .for_file = true};
  EXPECT_TRUE(infer_shapes(graph, op_registry()).ok());
  const auto count = restrict_operators(graph, target, context);
  EXPECT_TRUE(count.ok()) << count.status().message();
  EXPECT_TRUE(graph.verify().ok());
  return count.ok() ? *count : -1;
}

// Replaced entirely, with the same results.
void expect_replaced(GraphBuilder& b, const OperatorSet& target, const std::vector<Shape>& shapes) {
  const Graph before = b.graph();
  EXPECT_GT(restrict(b.graph(), target), 0);
  for (const NodeId id : b.graph().order()) {
    EXPECT_TRUE(target.contains(b.graph().node(id).op_type)) << b.graph().node(id).str();
  }
  expect_same_results(before, b.graph(), shapes);
}

TEST(RestrictOperators, Activations) {
  const OperatorSet simple = {"Mul", "Add",  "Sub", "Neg", "Abs",  "Exp",
                              "Log", "Relu", "Max", "Min", "Tanh", "Erf"};
  GraphBuilder b(20);
  const ValueId x = b.input({2, 3, 5});
  for (const char* type : {"HardSwish", "HardSigmoid", "LeakyRelu", "Gelu", "Mish", "Softplus"}) {
    b.output(b.node(type, {x}));
  }
  b.output(b.node("Gelu", {x}, {{"approximate", std::string("tanh")}}));
  b.output(b.node("PRelu", {x, b.weights({3, 1})}));
  b.output(b.node("Clip", {x, b.scalar(-0.5f), b.scalar(0.25f)}));
  expect_replaced(b, simple, {{2, 3, 5}});
}

TEST(RestrictOperators, Normalization) {
  for (const int opset : {17, 18}) {
    GraphBuilder b(opset);
    const ValueId x = b.input({2, 3, 4, 5});
    b.output(b.node("InstanceNormalization", {x, b.weights({3}), b.weights({3}, 0.5)}));
    b.output(b.node("LayerNormalization", {x, b.weights({4, 5}), b.weights({4, 5}, -1)},
                    {{"axis", std::int64_t{2}}}));
    expect_replaced(b, {"ReduceMean", "Sub", "Mul", "Add", "Sqrt", "Div"}, {{2, 3, 4, 5}});
  }
}

TEST(RestrictOperators, ResizeBecomesConvTranspose) {
  struct Case {
    const char *mode, *place, *nearest;
  };
  for (const Case& each :
       {Case{"nearest", "asymmetric", "floor"}, Case{"nearest", "half_pixel", "round_prefer_floor"},
        Case{"linear", "half_pixel", "floor"}, Case{"linear", "pytorch_half_pixel", "floor"}}) {
    for (const float k : {2.f, 3.f, 4.f}) {
      GraphBuilder b(13);
      const ValueId x = b.input({2, 3, 4, 5});
      b.output(b.node("Resize", {x, kNoValue, b.floats({4}, {1, 1, k, k})},
                      {{"mode", std::string(each.mode)},
                       {"nearest_mode", std::string(each.nearest)},
                       {"coordinate_transformation_mode", std::string(each.place)}}));
      expect_replaced(b, {"ConvTranspose", "Pad"}, {{2, 3, 4, 5}});
    }
  }
}

TEST(RestrictOperators, KeepsAResizeThatIsNoConvolution) {
  GraphBuilder b(13);
  const ValueId x = b.input({1, 2, 3, 3});
  const auto resize = [&](std::initializer_list<float> scales, const char* mode,
                          const char* place) {
    b.output(b.node(
        "Resize", {x, kNoValue, b.floats({4}, scales)},
        {{"mode", std::string(mode)}, {"coordinate_transformation_mode", std::string(place)}}));
  };
  resize({1, 1, 2, 3}, "linear", "half_pixel");
  resize({1, 1, 2.1f, 2.1f}, "linear", "half_pixel");
  resize({1, 1, 2, 2}, "linear", "align_corners");
  resize({1, 1, 2, 2}, "cubic", "half_pixel");
  EXPECT_EQ(restrict(b.graph(), {"ConvTranspose", "Pad"}), 0);
}

TEST(RestrictOperators, FocusBecomesAConvolution) {
  GraphBuilder b(13);
  const ValueId x = b.input({1, 3, 6, 4});
  b.output(b.node("SpaceToDepth", {x}, {{"blocksize", std::int64_t{2}}}));
  expect_replaced(b, {"Conv"}, {{1, 3, 6, 4}});
}

TEST(RestrictOperators, MatricesAndShapes) {
  GraphBuilder b(13);
  const ValueId x = b.input({4, 3}), y = b.input({2, 3, 4, 4});
  b.output(b.node("Gemm", {x, b.weights({4, 5}), b.weights({5})}, {{"transA", std::int64_t{1}}}));
  b.output(b.node("Flatten", {y}));
  b.output(b.node("Unsqueeze", {x, b.ints({0})}));
  b.output(b.node("GlobalAveragePool", {y}));
  expect_replaced(b, {"MatMul", "Add", "Transpose", "Reshape", "ReduceMean"},
                  {{4, 3}, {2, 3, 4, 4}});
}

TEST(RestrictOperators, KeepsWhatDoesNotGetThere) {
  GraphBuilder b(14);
  const ValueId x = b.input({2, 3});
  b.output(b.node("HardSwish", {x}));
  EXPECT_EQ(restrict(b.graph(), {"Mul", "Add"}), 0) << "without Clip, Max or Min";
  EXPECT_EQ(restrict(b.graph(), {"Mul", "HardSwish"}), 0);
  EXPECT_EQ(restrict(b.graph(), {"Mul", "HardSigmoid"}), 1);
}

}  // namespace
}  // namespace mini_infer
