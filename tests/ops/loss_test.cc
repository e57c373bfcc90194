// Losses, Det and TensorScatter on small cases worked out by hand.
#include <gmock/gmock.h>

#include "tests/support/op_test.h"

namespace mini_infer {
namespace {

using testing::HasSubstr;

TEST(Det, EliminatesWithPivots) {
  expect_op({.type = "Det", .inputs = {floats({2, 2, 2}, {0, 2, 3, 4, 1, 2, 2, 4})}}, {2}, {-6, 0},
            {.absolute = 1e-6});
}

TEST(NegativeLogLikelihoodLoss, WeighsAndIgnores) {
  const OpCase op{.type = "NegativeLogLikelihoodLoss",
                  .inputs = {floats({3, 2}, {-1, -2, -3, -4, -5, -6}), int64s({3}, {0, 1, 7}),
                             floats({2}, {1, 3})},
                  .attributes = {{"ignore_index", std::int64_t{7}}}};
  expect_op(op, {}, {(1 + 12) / 4.0}, {.absolute = 1e-6});
  OpCase strict = op;
  strict.attributes.clear();
  EXPECT_THAT(error_of(strict), HasSubstr("target 7 at position 2 is outside [0,1]"));
}

TEST(TensorScatter, WritesRowsOfEachBatch) {
  const OpCase op{.type = "TensorScatter",
                  .inputs = {floats({2, 3, 1}, {0, 0, 0, 0, 0, 0}), floats({2, 2, 1}, {1, 2, 3, 4}),
                             int64s({2}, {1, 0})},
                  .opset = 24};
  expect_op(op, {2, 3, 1}, {0, 1, 2, 3, 4, 0});
  OpCase late = op;
  late.inputs[2] = int64s({2}, {2, 0});
  EXPECT_THAT(error_of(late), HasSubstr("write_indices[0] is 2; it must be in [0,1]"));
  late.attributes["mode"] = "circular";
  expect_op(late, {2, 3, 1}, {2, 0, 1, 3, 4, 0});
}

}  // namespace
}  // namespace mini_infer
