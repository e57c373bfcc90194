#include "tests/passes/pass_test.h"

namespace mini_infer {
namespace {

// Input [1, 16, 64, 64], a 1x1 convolution to 64 channels (1 MiB), a depthwise one.
class FuseConvDepthwise : public ::testing::Test {
 protected:
  ValueId pointwise(ValueId in, Attributes attributes = {}) {
    return b.node("Conv", {in, b.weights({64, 16, 1, 1}), b.weights({64})}, std::move(attributes));
  }
  ValueId depthwise(ValueId in, Attributes attributes = {}) {
    attributes["group"] = std::int64_t{64};
    return b.node("Conv", {in, b.weights({64, 1, 3, 3})}, std::move(attributes));
  }
  int run() { return run_pass(b.graph(), fuse_conv_depthwise); }

  GraphBuilder b;
  ValueId x = b.input({1, 16, 64, 64});
};

TEST_F(FuseConvDepthwise, FollowsActivations) {
  const ValueId y = b.node("Relu", {pointwise(x)});
  b.output(b.node("Clip", {depthwise(y, {{"pads", Ints{1, 1, 1, 1}}}), b.scalar(0), b.scalar(6)}));
  run_pass(b.graph(), fuse_conv_activation);
  EXPECT_EQ(run(), 1);
  EXPECT_EQ(ops_of(b.graph()), "*PointwiseDepthwise");
  const NodeId id = output_node_id(b.graph());
  EXPECT_EQ(*b.graph().attribute<std::string>(id, "pointwise_activation"), "Relu");
  EXPECT_EQ(*b.graph().attribute<std::string>(id, "activation"), "Clip");
  EXPECT_EQ(*b.graph().attribute<Ints>(id, "pads"), (Ints{1, 1, 1, 1}));
  EXPECT_EQ(b.graph().input(id, 0), x);
  EXPECT_EQ(b.graph().constant(b.graph().input(id, 5))->shape(), (Shape{64, 16, 1, 1}));
  EXPECT_EQ(b.graph().constant(b.graph().input(id, 6))->shape(), (Shape{64}));
}

TEST_F(FuseConvDepthwise, LeavesOthers) {
  const ValueId shared = pointwise(x);
  b.output(depthwise(shared));
  b.output(shared);
  b.output(depthwise(pointwise(x, {{"strides", Ints{2, 2}}})));
  b.output(depthwise(pointwise(x, {{"pads", Ints{1, 0, 0, 0}}})));
  b.output(depthwise(b.node("Add", {pointwise(x), b.scalar(1)})));
  b.output(b.node("Conv", {pointwise(x), b.weights({64, 64, 3, 3})}));
  b.output(
      b.node("Conv", {pointwise(x), b.weights({128, 1, 3, 3})}, {{"group", std::int64_t{64}}}));
  b.output(depthwise(pointwise(b.input({1, 16, 40, 40}))));               // small
  b.output(depthwise(pointwise(b.input({Dim("N"), 16, Dim("H"), 64}))));  // of unknown size
  EXPECT_EQ(run(), 0);
}

// Of an image: any window.
TEST_F(FuseConvDepthwise, TakesStems) {
  const ValueId image = b.input({1, 3, 128, 128});
  const auto stem = [&](Attributes attributes) {
    return b.node("Conv", {image, b.weights({64, 3, 3, 3})}, std::move(attributes));
  };
  b.output(depthwise(stem({{"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}})));
  b.output(depthwise(stem({{"auto_pad", std::string("SAME_UPPER")}, {"strides", Ints{2, 2}}})));
  EXPECT_EQ(run(), 1);
  const NodeId id = output_node_id(b.graph());
  EXPECT_TRUE(b.graph().node(id).is("StemDepthwise", kInternalDomain));
  EXPECT_EQ(b.graph().input(id, 0), image);
  EXPECT_EQ(*b.graph().attribute<Ints>(id, "stem_strides"), (Ints{2, 2}));
  EXPECT_EQ(*b.graph().attribute<Ints>(id, "stem_dilations"), (Ints{1, 1}));
  EXPECT_EQ(*b.graph().attribute<Ints>(id, "stem_pads"), (Ints{1, 1, 1, 1}));
  EXPECT_EQ(b.graph().value(b.graph().output(id)).shape->concrete(), (Shape{1, 64, 62, 62}));
  // Inference finds the same.
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(b.graph().value(b.graph().output(id)).shape->concrete(), (Shape{1, 64, 62, 62}));
}

}  // namespace
}  // namespace mini_infer
