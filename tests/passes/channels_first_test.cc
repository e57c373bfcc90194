// fuse_channels_first: what it takes, and what it leaves.
#include "tests/passes/pass_test.h"

namespace mini_infer {
namespace {

class FuseChannelsFirst : public ::testing::Test {
 protected:
  FuseChannelsFirst() : x(b.input({2, 20, 3})), square(b.input({2, 5, 4, 3})) {}
  ValueId transpose(ValueId of, Ints perm) {
    return b.node("Transpose", {of}, {{"perm", std::move(perm)}});
  }
  ValueId reshape(ValueId of, std::initializer_list<std::int64_t> shape) {
    return b.node("Reshape", {of, b.ints(shape)});
  }
  ValueId conv(ValueId of) { return b.node("Conv", {of, b.weights({4, 3, 1, 1})}); }
  void expect(ValueId result, const std::string& ops) {
    b.output(result);
    const Graph before = b.graph();
    EXPECT_EQ(run_pass(b.graph(), fuse_channels_first), ops.find('*') == std::string::npos ? 0 : 1);
    EXPECT_EQ(ops_of(b.graph()), ops);
    EXPECT_TRUE(b.graph().verify().ok());
    expect_same_results(before, b.graph(), {{2, 20, 3}, {2, 5, 4, 3}}, 0);
  }

  GraphBuilder b;
  ValueId x, square;
};

TEST_F(FuseChannelsFirst, Transpose) {
  expect(conv(transpose(square, {0, 3, 1, 2})), "*ChannelsFirst Conv");
}
TEST_F(FuseChannelsFirst, SplitPixels) {
  expect(conv(reshape(transpose(x, {0, 2, 1}), {2, 3, 5, 4})), "*ChannelsFirst Conv");
}
TEST_F(FuseChannelsFirst, OtherUsesOfTheMap) {
  const ValueId map = transpose(square, {0, 3, 1, 2});
  b.output(map);
  expect(conv(map), "*ChannelsFirst Conv");
}
TEST_F(FuseChannelsFirst, LeavesAMapThatIsNotWantedInBlocks) {
  expect(b.node("MatMul", {transpose(x, {0, 2, 1}), b.weights({20, 2})}), "Transpose MatMul");
}
TEST_F(FuseChannelsFirst, LeavesReshapesOfUsedMaps) {
  const ValueId map = transpose(x, {0, 2, 1});
  b.output(map);
  expect(conv(reshape(map, {2, 3, 5, 4})), "Transpose Reshape Conv");
}
TEST_F(FuseChannelsFirst, LeavesWhatMixesChannels) {
  expect(b.node("MaxPool", {reshape(transpose(x, {0, 2, 1}), {2, 6, 5, 2})},
                {{"kernel_shape", Ints{1, 1}}}),
         "Transpose Reshape MaxPool");
}
TEST_F(FuseChannelsFirst, LeavesOtherAxes) {
  expect(conv(transpose(square, {0, 3, 2, 1})), "Transpose Conv");
}

}  // namespace
}  // namespace mini_infer
