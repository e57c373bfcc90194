// DeformConv: without movement it is a convolution; whole movements read other elements, half ones
// the mean of two.
#include <gmock/gmock.h>

#include "tests/support/op_test.h"

namespace mini_infer {
namespace {

using testing::HasSubstr;

Tensor filled(const Shape& shape, float value) {
  return floats(shape, std::vector<float>(static_cast<std::size_t>(shape.elements()), value));
}

TEST(DeformConv, without_offsets_is_a_convolution) {
  const Tensor x = random_floats({2, 6, 19, 23}, -1, 1, 1),
               w = random_floats({8, 3, 3, 3}, -1, 1, 2);
  const Tensor bias = random_floats({8}, -1, 1, 3);
  const Attributes attributes = {{"group", std::int64_t{2}}, {"pads", Ints{1, 1, 1, 1}}};
  const auto expected =
      outputs_of({.type = "Conv", .inputs = {x, w, bias}, .attributes = attributes});
  ASSERT_EQ(expected.size(), 1u);
  const OpCase op{.type = "DeformConv",
                  .inputs = {x, w, filled({2, 18, 19, 23}, 0), bias},
                  .attributes = attributes,
                  .opset = 19};
  expect_op(op, expected[0].shape(), doubles(expected[0]), {.absolute = 1e-5});
}

TEST(DeformConv, moves_and_weighs_taps) {
  // one tap; y is moved by nothing, one row, half a row, and out of the input
  const Tensor x = floats({1, 1, 2, 2}, {1, 2, 3, 4}), w = floats({1, 1, 1, 1}, {10});
  const Tensor offset = floats({1, 2, 2, 2}, {0, 1, -0.5f, 5, 0, 0, 0, 0});
  const Tensor mask = floats({1, 1, 2, 2}, {1, 1, 0.5f, 1});
  const OpCase op{.type = "DeformConv", .inputs = {x, w, offset, {}, mask}, .opset = 19};
  expect_op(op, {1, 1, 2, 2}, {10, 40, 10, 0});
}

TEST(DeformConv, refuses_other_shapes) {
  EXPECT_THAT(error_of({.type = "DeformConv",
                        .inputs = {random_floats({1, 2, 5, 5}), random_floats({3, 2, 3, 3}),
                                   random_floats({1, 9, 3, 3})},
                        .opset = 19}),
              HasSubstr("offset [1,9,3,3]"));
}

}  // namespace
}  // namespace mini_infer
