// fuse_channels_last: what it takes, and what it leaves.
#include "tests/passes/pass_test.h"

namespace mini_infer {
namespace {

class FuseChannelsLast : public ::testing::Test {
 protected:
  FuseChannelsLast() {
    x = b.input({2, 3, 5, 4});
    map = b.node("Conv", {x, b.weights({12, 3, 1, 1})});
  }
  ValueId transpose(ValueId of, Ints perm) {
    return b.node("Transpose", {of}, {{"perm", std::move(perm)}});
  }
  ValueId reshape(ValueId of, std::initializer_list<std::int64_t> shape) {
    return b.node("Reshape", {of, b.ints(shape)});
  }
  void expect(ValueId result, const std::string& ops) {
    b.output(result);
    const Graph before = b.graph();
    EXPECT_EQ(run_pass(b.graph(), fuse_channels_last), ops.find('*') == std::string::npos ? 0 : 1);
    EXPECT_EQ(ops_of(b.graph()), ops);
    EXPECT_EQ(b.graph().verify().ok(), true);
    expect_same_results(before, b.graph(), {{2, 3, 5, 4}}, 0);
  }

  GraphBuilder b;
  ValueId x, map;
};

TEST_F(FuseChannelsLast, Transpose) { expect(transpose(map, {0, 2, 3, 1}), "Conv *ChannelsLast"); }
TEST_F(FuseChannelsLast, Groups) {
  expect(transpose(reshape(map, {2, 3, 4, 5, 4}), {0, 1, 3, 4, 2}), "Conv *ChannelsLast");
}
TEST_F(FuseChannelsLast, MergedPixels) {
  expect(transpose(reshape(map, {2, 12, -1}), {0, 2, 1}), "Conv *ChannelsLast Reshape");
}
TEST_F(FuseChannelsLast, GroupsOfMergedPixels) {
  expect(transpose(reshape(map, {2, 6, 2, 20}), {0, 1, 3, 2}), "Conv *ChannelsLast Reshape");
}
TEST_F(FuseChannelsLast, OneGroup) {
  expect(transpose(reshape(map, {2, 1, 12, 20}), {0, 1, 3, 2}), "Conv *ChannelsLast Reshape");
}
TEST_F(FuseChannelsLast, OtherUsesOfTheReshape) {
  const ValueId merged = reshape(map, {2, 12, -1});
  b.output(merged);
  expect(transpose(merged, {0, 2, 1}), "Conv Reshape *ChannelsLast Reshape");
}
TEST_F(FuseChannelsLast, LeavesOtherAxes) {
  expect(transpose(map, {0, 3, 2, 1}), "Conv Transpose");
}
TEST_F(FuseChannelsLast, LeavesChannelsFirst) {
  expect(transpose(map, {0, 3, 1, 2}), "Conv Transpose");
}
TEST_F(FuseChannelsLast, LeavesWhatMixesImages) {
  expect(transpose(reshape(map, {4, 6, 20}), {0, 2, 1}), "Conv Reshape Transpose");
}
TEST_F(FuseChannelsLast, LeavesWhatMixesPixels) {
  expect(transpose(reshape(map, {2, 3, 20, 4}), {0, 1, 3, 2}), "Conv Reshape Transpose");
}
TEST_F(FuseChannelsLast, LeavesInputs) { expect(transpose(x, {0, 2, 3, 1}), "Conv Transpose"); }

}  // namespace
}  // namespace mini_infer
