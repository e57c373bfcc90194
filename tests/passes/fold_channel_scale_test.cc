#include "tests/passes/pass_test.h"

namespace mini_infer {
namespace {

class FoldChannelScale : public ::testing::Test {
 protected:
  // A 1x1 convolution to `channels`.
  ValueId conv(ValueId in, std::int64_t channels = 40, std::int64_t kernel = 1) {
    return b.node("Conv", {in, b.weights({channels, 72, kernel, kernel}), b.weights({channels})});
  }
  ValueId scaled(ValueId a, ValueId c) { return b.node("Mul", {a, c}); }
  int run() { return run_pass(b.graph(), fold_channel_scale); }

  GraphBuilder b;
  ValueId x = b.input({1, 72, 28, 28}), s = b.input({1, 72, 1, 1});
};

TEST_F(FoldChannelScale, ScalesFilters) {
  b.output(b.node("Relu", {conv(scaled(x, s))}));
  run_pass(b.graph(), fuse_conv_activation);
  EXPECT_EQ(run(), 1);
  EXPECT_EQ(ops_of(b.graph()), "*FusedConv");
  const NodeId id = output_node_id(b.graph());
  EXPECT_EQ(b.graph().input(id, 0), x);
  EXPECT_EQ(b.graph().input(id, 3), kNoValue);
  EXPECT_EQ(b.graph().input(id, 5), s);
  EXPECT_EQ(*b.graph().attribute<std::string>(id, "activation"), "Relu");
}

TEST_F(FoldChannelScale, TakesFactorsOnEitherSide) {
  b.output(conv(scaled(s, x)));
  EXPECT_EQ(run(), 1);
  EXPECT_EQ(b.graph().input(output_node_id(b.graph()), 5), s);
}

TEST_F(FoldChannelScale, LeavesOthers) {
  const ValueId shared = scaled(x, s);
  b.output(conv(shared));
  b.output(shared);
  b.output(conv(scaled(x, b.input({1, 1, 28, 28}))));
  b.output(conv(scaled(x, b.input({72, 1, 1}))));
  b.output(conv(scaled(x, x)));
  b.output(conv(scaled(x, s), 40, 3));
  b.output(conv(scaled(x, s), 720));                                  // many filters
  b.output(conv(scaled(x, s), 4));                                    // few
  b.output(conv(scaled(b.input({2, 72, 28, 28}), s)));                // images
  b.output(conv(scaled(b.input({1, 72, 1, 1}), s)));                  // no map
  b.output(conv(scaled(b.input({1, 72, Dim("H"), 28}), s)));          // unknown size
  b.output(b.node("Conv", {scaled(x, s), b.input({40, 72, 1, 1})}));  // computed
  const ValueId wide = b.input({1, 192, 28, 28}), factors = b.input({1, 192, 1, 1});
  b.output(b.node("Conv", {scaled(wide, factors), b.weights({128, 192, 1, 1})}));  // Strassen
  EXPECT_EQ(run(), 0);
}

// A depthwise convolution after it does not take the product alone.
TEST_F(FoldChannelScale, StaysApartFromDepthwise) {
  const ValueId wide = b.input({1, 72, 112, 112});
  b.output(b.node("Conv", {conv(scaled(wide, s), 64), b.weights({64, 1, 3, 3})},
                  {{"group", std::int64_t{64}}}));
  EXPECT_EQ(run(), 1);
  EXPECT_EQ(run_pass(b.graph(), fuse_conv_depthwise), 0);
}

}  // namespace
}  // namespace mini_infer
