// What the movement operators infer when extents are symbols.
#include <gmock/gmock.h>

#include "kernels/op_registry.h"
#include "tests/support/op_test.h"

namespace mini_infer {
namespace {

const Dim kN(std::string("N"));
const Dim kS(std::string("S"));

// A graph that is built node by node and inferred at once.
class ShapeArithmetic : public testing::Test {
 protected:
  ShapeArithmetic() { graph_.opsets[""] = 18; }

  ValueId input(const SymShape& shape) {
    return graph_.add_input("x" + std::to_string(graph_.inputs.size()), DType::kFloat32, shape);
  }
  ValueId ints(const Shape& shape, const std::vector<std::int64_t>& values) {
    return graph_.add_constant("c" + std::to_string(graph_.value_count()), int64s(shape, values));
  }
  ValueId node(const std::string& type, std::vector<ValueId> inputs, Attributes attributes = {}) {
    Node made{.name = type + std::to_string(graph_.node_count()), .op_type = type};
    made.attributes = std::move(attributes);
    made.inputs = std::move(inputs);
    made.opset = 18;
    const ValueId out = graph_.add_value("y" + std::to_string(graph_.value_count()));
    made.outputs = {out};
    const NodeId id = graph_.add_node(std::move(made));
    const Status status = infer_node(graph_, id, op_registry());
    EXPECT_TRUE(status.ok()) << status.message();
    return out;
  }
  std::string shape(ValueId value) const {
    return graph_.value(value).shape ? graph_.value(value).shape->str() : "unknown";
  }
  std::string contents(ValueId value) const {
    return graph_.value(value).contents ? SymShape(*graph_.value(value).contents).str() : "unknown";
  }

  Graph graph_;
};

TEST_F(ShapeArithmetic, ReshapeDividesByTheBatch) {
  const ValueId x = input({kN, 64, 7, 7});
  EXPECT_EQ(shape(node("Reshape", {x, ints({2}, {0, -1})})), "[N,3136]");
  EXPECT_EQ(shape(node("Reshape", {x, ints({2}, {-1, 3136})})), "[N,3136]");
  EXPECT_EQ(shape(node("Reshape", {x, ints({3}, {0, 8, -1})})), "[N,8,392]");
  EXPECT_EQ(shape(node("Flatten", {x})), "[N,3136]");
}

TEST_F(ShapeArithmetic, FlattenAsExportersWriteIt) {
  // Reshape(x, Concat(Unsqueeze(Gather(Shape(x), 0)), [-1]))
  const ValueId x = input({kN, 64, 7, 7});
  const ValueId batch = node("Gather", {node("Shape", {x}), ints({}, {0})});
  EXPECT_EQ(contents(batch), "[N]");
  const ValueId row = node("Unsqueeze", {batch, ints({1}, {0})});
  const ValueId target = node("Concat", {row, ints({1}, {-1})}, {{"axis", std::int64_t{0}}});
  EXPECT_EQ(contents(target), "[N,-1]");
  EXPECT_EQ(shape(node("Reshape", {x, target})), "[N,3136]");
}

TEST_F(ShapeArithmetic, HeadsAreSplitAndJoined) {
  const ValueId x = input({kN, kS, 768});
  const ValueId heads = node("Reshape", {x, ints({4}, {0, 0, 12, 64})});
  EXPECT_EQ(shape(heads), "[N,S,12,64]");
  const ValueId turned = node("Transpose", {heads}, {{"perm", Ints{0, 2, 1, 3}}});
  EXPECT_EQ(shape(turned), "[N,12,S,64]");
  EXPECT_EQ(shape(node("Reshape", {heads, ints({3}, {0, 0, -1})})), "[N,S,768]");
  EXPECT_EQ(shape(node("Reshape", {heads, ints({2}, {-1, 768})})), "[(N*S),768]");
}

TEST_F(ShapeArithmetic, SlicesOfShapes) {
  const ValueId x = input({kN, 3, kS, 40});
  const ValueId extents = node("Shape", {x});
  const ValueId spatial =
      node("Slice", {extents, ints({1}, {2}), ints({1}, {INT64_MAX}), ints({1}, {0})});
  EXPECT_EQ(contents(spatial), "[S,40]");
  EXPECT_EQ(contents(node("Shape", {x}, {{"start", std::int64_t{-2}}})), "[S,40]");
  EXPECT_EQ(contents(node("Size", {x})), "[" + SymShape({kN, 3, kS, 40}).elements().str() + "]");
  EXPECT_EQ(contents(node("Squeeze", {node("Slice", {extents, ints({1}, {0}), ints({1}, {1})})})),
            "[N]");
}

TEST_F(ShapeArithmetic, SlicesOfData) {
  const ValueId x = input({kN, 3, kS, 40});
  EXPECT_EQ(shape(node("Slice", {x, ints({1}, {0}), ints({1}, {INT64_MAX}), ints({1}, {2}),
                                 ints({1}, {2})})),
            "[N,3,ceil(S/2),40]");
  EXPECT_EQ(shape(node("Slice", {x, ints({2}, {1, 1}), ints({2}, {-1, 30}), ints({2}, {2, 3})})),
            "[N,3,(S-2),29]");
}

TEST_F(ShapeArithmetic, ExpandAndRange) {
  const ValueId x = input({kN, kS});
  const ValueId extents = node("Shape", {x});
  EXPECT_EQ(shape(node("ConstantOfShape", {extents})), "[N,S]");
  EXPECT_EQ(shape(node("Expand", {ints({1, 1}, {7}), extents})), "[N,S]");
  const ValueId length = node("Gather", {extents, ints({}, {1})});
  EXPECT_EQ(shape(node("Range", {ints({}, {0}), length, ints({}, {1})})), "[S]");
  EXPECT_EQ(contents(node("Range", {ints({}, {1}), ints({}, {6}), ints({}, {2})})), "[1,3,5]");
  EXPECT_EQ(shape(node("Tile", {x, ints({2}, {1, 2})})), "[N,(S*2)]");
}

TEST_F(ShapeArithmetic, ResizeByWholeScales) {
  const ValueId x = input({kN, 3, kS, 40});
  const ValueId scales = graph_.add_constant("scales", floats({4}, {1, 1, 2, 2}));
  EXPECT_EQ(shape(node("Resize", {x, kNoValue, scales})), "[N,3,(S*2),80]");
}

TEST_F(ShapeArithmetic, PadAndConcat) {
  const ValueId x = input({kN, 3, kS, 40});
  EXPECT_EQ(shape(node("Pad", {x, ints({8}, {0, 0, 1, 1, 0, 0, 1, 1})})), "[N,3,(S+2),42]");
  EXPECT_EQ(shape(node("Concat", {x, x}, {{"axis", std::int64_t{1}}})), "[N,6,S,40]");
  EXPECT_EQ(shape(node("Concat", {x, x}, {{"axis", std::int64_t{-2}}})), "[N,3,(S+S),40]");
}

}  // namespace
}  // namespace mini_infer
