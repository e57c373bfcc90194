// DeformConv against its definition, with groups, offset groups, a bias and a mask.
#include <cmath>

#include "tests/support/indexing.h"
#include "tests/support/op_test.h"

namespace mini_infer {
namespace {

double bilinear(const Tensor& x, std::int64_t n, std::int64_t c, double row, double col) {
  const double r0 = std::floor(row), c0 = std::floor(col);
  double sum = 0;
  for (int dr = 0; dr < 2; ++dr) {
    for (int dc = 0; dc < 2; ++dc) {
      const auto r = static_cast<std::int64_t>(r0) + dr, q = static_cast<std::int64_t>(c0) + dc;
      if (r < 0 || r >= x.shape()[2] || q < 0 || q >= x.shape()[3]) continue;
      const double wr = dr == 0 ? 1 - (row - r0) : row - r0;
      const double wc = dc == 0 ? 1 - (col - c0) : col - c0;
      sum += wr * wc * at(x, {n, c, r, q});
    }
  }
  return sum;
}

TEST(DeformConv, AgreesWithItsDefinition) {
  const Tensor x = random_floats({2, 4, 6, 7}), w = random_floats({6, 2, 3, 2}, -1, 1, 2);
  const Tensor offset = random_floats({2, 2 * 6 * 2, 3, 7}, -2, 2, 3);
  const Tensor bias = random_floats({6}, -1, 1, 4), mask = random_floats({2, 12, 3, 7}, 0, 1, 5);
  // Two groups and two offset groups of two channels; strides 2 and 1, pads 1 0 1 1.
  const auto expected = tabulate({2, 6, 3, 7}, [&](const Index& o) {
    double sum = at(bias, {o[1]});
    for (std::int64_t c = 0; c < 2; ++c) {
      const std::int64_t channel = o[1] / 3 * 2 + c, group = channel / 2;
      for (std::int64_t tap = 0; tap < 6; ++tap) {
        const std::int64_t place = group * 6 + tap;
        const double row =
            static_cast<double>(o[2] * 2 - 1 + tap / 2) + at(offset, {o[0], place * 2, o[2], o[3]});
        const double col =
            static_cast<double>(o[3] + tap % 2) + at(offset, {o[0], place * 2 + 1, o[2], o[3]});
        sum += at(w, {o[1], c, tap / 2, tap % 2}) * at(mask, {o[0], place, o[2], o[3]}) *
               bilinear(x, o[0], channel, row, col);
      }
    }
    return sum;
  });
  expect_op({.type = "DeformConv",
             .inputs = {x, w, offset, bias, mask},
             .attributes = {{"group", std::int64_t{2}},
                            {"offset_group", std::int64_t{2}},
                            {"strides", Ints{2, 1}},
                            {"pads", Ints{1, 0, 1, 1}}},
             .opset = 19},
            {2, 6, 3, 7}, expected, {.absolute = 1e-5});
}

}  // namespace
}  // namespace mini_infer
