// Which graphs may run the images of a batch one after the other (engine/batch.h).
#include "engine/batch.h"

#include "kernels/op_registry.h"
#include "tests/passes/pass_test.h"

namespace mini_infer {
namespace {

class Batch : public ::testing::Test {
 protected:
  ValueId node(std::string_view type, std::vector<ValueId> inputs, Attributes attributes = {}) {
    return b.node(type, std::move(inputs), std::move(attributes));
  }
  std::int64_t images(ValueId y) {
    b.output(y);
    EXPECT_TRUE(infer_shapes(b.graph(), op_registry()).ok());
    return separate_images(b.graph(), op_registry());
  }

  GraphBuilder b;
  ValueId x = b.input({4, 8, 6, 6});
};

TEST_F(Batch, FollowsAConvolutionalNetwork) {
  const ValueId conv = node("Conv", {x, b.weights({8, 8, 1, 1})});
  const ValueId sum = node("Add", {node("Relu", {conv}), x});
  const ValueId both =
      node("Concat", {sum, node("Mul", {x, b.weights({8, 1, 1})})}, {{"axis", std::int64_t{1}}});
  const ValueId pooled = node("GlobalAveragePool", {both});
  const ValueId flat = node("Flatten", {pooled});
  const ValueId fc = node("Gemm", {flat, b.weights({16, 5}), b.weights({5})});
  EXPECT_EQ(images(node("Softmax", {fc}, {{"axis", std::int64_t{1}}})), 4);
}

TEST_F(Batch, FollowsATransformer) {
  const ValueId tokens =
      node("Transpose", {node("Reshape", {x, b.ints({0, 8, 36})})}, {{"perm", Ints{0, 2, 1}}});
  const ValueId q = node("MatMul", {tokens, b.weights({8, 8})});
  const ValueId scores =
      node("MatMul", {q, node("Transpose", {tokens}, {{"perm", Ints{0, 2, 1}}})});
  const ValueId mixed = node("MatMul", {node("Softmax", {scores}), tokens});
  EXPECT_EQ(images(node("ReduceMean", {mixed}, {{"axes", Ints{1}}})), 4);
}

TEST_F(Batch, SeesWhereImagesMeet) {
  const auto alone = [&](auto&& make) {
    b = GraphBuilder();
    x = b.input({4, 8, 6, 6});
    return images(make());
  };
  const std::int64_t zero = 0;
  EXPECT_EQ(alone([&] { return node("Relu", {x}); }), 4);
  EXPECT_EQ(alone([&] { return node("Softmax", {x}, {{"axis", zero}}); }), 1);
  EXPECT_EQ(alone([&] { return node("ReduceMean", {x}, {{"axes", Ints{0}}}); }), 1);
  EXPECT_EQ(alone([&] { return node("ReduceMean", {x}); }), 1);  // over all axes
  EXPECT_EQ(alone([&] { return node("Concat", {x, x}, {{"axis", zero}}); }), 1);
  EXPECT_EQ(alone([&] { return node("Transpose", {x}, {{"perm", Ints{1, 0, 2, 3}}}); }), 1);
  // Another number for each image.
  EXPECT_EQ(alone([&] { return node("Add", {x, b.weights({4, 1, 1, 1})}); }), 1);
  // The shape says how many there are.
  EXPECT_EQ(alone([&] { return node("Reshape", {x, b.ints({4, -1})}); }), 1);
  EXPECT_EQ(alone([&] { return node("Reshape", {x, b.ints({-1, 288})}); }), 4);
  // 4 is also what a product of the images with themselves has.
  EXPECT_EQ(alone([&] {
              const ValueId flat = node("Reshape", {x, b.ints({-1, 288})});
              return node("MatMul", {flat, node("Transpose", {flat}, {{"perm", Ints{1, 0}}})});
            }),
            1);
  EXPECT_EQ(alone([&] { return node("NonZero", {x}); }), 1);
  // As many images as sizes say.
  EXPECT_EQ(alone([&] {
              return node("Resize", {x, kNoValue, kNoValue, b.ints({4, 8, 12, 12})});
            }),
            1);
  EXPECT_EQ(alone([&] { return node("Resize", {x, kNoValue, b.floats({4}, {1, 1, 2, 2})}); }), 4);
}

TEST_F(Batch, SeesWhatBelongsToTheWholeBatch) {
  const Attributes window = {{"kernel_shape", Ints{2, 2}}};
  EXPECT_EQ(images(node("MaxPool", {x}, window)), 4);
  b = GraphBuilder();
  x = b.input({4, 8, 6, 6});
  const ValueId pooled = node("MaxPool", {x}, window);
  const ValueId indices = b.graph().add_value("indices");
  b.graph().set_node_output(b.graph().producer(pooled), 1, indices);
  b.output(indices);
  EXPECT_EQ(images(pooled), 1);  // they count from the first image

  const auto normalised = [&](std::int64_t training) {
    b = GraphBuilder(15);
    x = b.input({4, 8, 6, 6});
    const ValueId c = b.weights({8});
    return images(node("BatchNormalization", {x, c, c, c, c}, {{"training_mode", training}}));
  };
  EXPECT_EQ(normalised(0), 4);
  EXPECT_EQ(normalised(1), 1);

  // Numbers drawn once for all images.
  b = GraphBuilder();
  x = b.input({4, 8, 6, 6});
  const ValueId noise = node("RandomNormal", {}, {{"shape", Ints{1, 8, 6, 6}}});
  EXPECT_EQ(images(node("Add", {x, noise})), 1);

  // Before opset 7 `axis` says where the second operand starts: at the images.
  b = GraphBuilder(6);
  x = b.input({4, 8, 6, 6});
  const Attributes legacy = {{"axis", std::int64_t{0}}, {"broadcast", std::int64_t{1}}};
  EXPECT_EQ(images(node("Add", {x, b.weights({4})}, legacy)), 1);
}

TEST_F(Batch, IsForActivationsThatOutweighTheWeights) {
  b = GraphBuilder();
  x = b.input({8, 16, 64, 64});
  b.output(node("Conv", {x, b.weights({48, 16, 1, 1})}));
  ASSERT_TRUE(infer_shapes(b.graph(), op_registry()).ok());
  EXPECT_TRUE(prefers_single_images(b.graph(), 8));
  b = GraphBuilder();
  x = b.input({8, 256, 16, 16});
  b.output(node("Conv", {x, b.weights({640, 256, 3, 3})}));
  ASSERT_TRUE(infer_shapes(b.graph(), op_registry()).ok());
  EXPECT_FALSE(prefers_single_images(b.graph(), 8));
}

TEST(ThreadsForImages, AreAllOrOne) {
  EXPECT_EQ(threads_for_images(8, 1), 1);
  EXPECT_EQ(threads_for_images(8, 2), 2);
  EXPECT_EQ(threads_for_images(8, 8), 8);
  EXPECT_EQ(threads_for_images(19, 10), 10);
  EXPECT_EQ(threads_for_images(3, 2), 1);   // a thread without an image for half of the time
  EXPECT_EQ(threads_for_images(8, 16), 1);  // eight without any
}

}  // namespace
}  // namespace mini_infer
