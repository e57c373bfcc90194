// Resize against its definition: every output element from the coordinates up.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "tests/support/indexing.h"
#include "tests/support/op_test.h"

namespace mini_infer {
namespace {

using testing::HasSubstr;

double source(const std::string& mode, double o, double in, double out) {
  const double scale = out / in;
  if (mode == "half_pixel") return (o + 0.5) / scale - 0.5;
  if (mode == "pytorch_half_pixel") return out > 1 ? (o + 0.5) / scale - 0.5 : 0;
  if (mode == "align_corners") return out > 1 ? o * (in - 1) / (out - 1) : 0;
  return o / scale;  // asymmetric
}

double keys(double x) {
  constexpr double a = -0.75;
  x = std::abs(x);
  if (x <= 1) return (a + 2) * x * x * x - (a + 3) * x * x + 1;
  return x < 2 ? a * x * x * x - 5 * a * x * x + 8 * a * x - 4 * a : 0;
}

struct Axis {
  std::int64_t in, out;
};

// Weight of input index i for output index o; the sum over all i is 1.
double weight(const std::string& interpolation, const std::string& coordinates, Axis axis,
              std::int64_t o, std::int64_t i) {
  const double x = source(coordinates, static_cast<double>(o), static_cast<double>(axis.in),
                          static_cast<double>(axis.out));
  double sum = 0;
  for (std::int64_t tap = -axis.in - 8; tap < 2 * axis.in + 8; ++tap) {
    if (std::clamp<std::int64_t>(tap, 0, axis.in - 1) != i) continue;
    const double distance = x - static_cast<double>(tap);
    sum += interpolation == "cubic" ? keys(distance) : std::max(0.0, 1 - std::abs(distance));
  }
  return sum;
}

double expected_at(const Tensor& x, const std::string& interpolation,
                   const std::string& coordinates, const Shape& out, const Index& o) {
  const Shape& in = x.shape();
  const Axis rows{in[2], out[2]}, cols{in[3], out[3]};
  double sum = 0;
  for (std::int64_t r = 0; r < in[2]; ++r) {
    const double wr = weight(interpolation, coordinates, rows, o[2], r);
    for (std::int64_t c = 0; c < in[3] && wr != 0; ++c) {
      const double wc = weight(interpolation, coordinates, cols, o[3], c);
      if (wc != 0) sum += wr * wc * at(x, {o[0], o[1], r, c});
    }
  }
  return sum;
}

OpCase resize_to(const Tensor& x, const Shape& out, Attributes attributes) {
  return {.type = "Resize",
          .inputs = {x, Tensor(), Tensor(), int64s({4}, out.dims())},
          .attributes = std::move(attributes),
          .constants = {3}};
}

TEST(Resize, InterpolatesInPlainAndBlockedLayout) {
  const Tensor x = random_floats({1, 19, 5, 7});
  for (const std::string mode : {"linear", "cubic"}) {
    for (const std::string coordinates :
         {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"}) {
      for (const Shape& out : {Shape{1, 19, 10, 14}, Shape{1, 19, 9, 33}, Shape{1, 19, 3, 7},
                               Shape{1, 19, 5, 4}, Shape{1, 19, 1, 1}}) {
        OpCase op =
            resize_to(x, out, {{"mode", mode}, {"coordinate_transformation_mode", coordinates}});
        const auto expected = tabulate(
            out, [&](const Index& o) { return expected_at(x, mode, coordinates, out, o); });
        SCOPED_TRACE(mode + " " + coordinates + " " + out.str());
        expect_op(op, out, expected, {.absolute = 1e-5});
        op.blocked = {0};
        expect_op(op, out, expected, {.absolute = 1e-5});
      }
    }
  }
}

TEST(Resize, RepeatsTheNearest) {
  const Tensor x = random_floats({2, 19, 5, 7});
  for (const Shape& out :
       {Shape{2, 19, 10, 14}, Shape{2, 19, 15, 7}, Shape{2, 19, 3, 20}, Shape{2, 19, 5, 14}}) {
    OpCase op = resize_to(x, out,
                          {{"mode", "nearest"},
                           {"coordinate_transformation_mode", "asymmetric"},
                           {"nearest_mode", "floor"}});
    const auto expected = tabulate(out, [&](const Index& o) {
      return at(x, {o[0], o[1], o[2] * 5 / out[2], o[3] * 7 / out[3]});
    });
    SCOPED_TRACE(out.str());
    expect_op(op, out, expected);
    op.blocked = {0};
    expect_op(op, out, expected);
  }
}

TEST(Resize, MovesAnyElementType) {
  expect_op({.type = "Resize",
             .inputs = {int64s({1, 1, 1, 3}, {1, 2, 3}), Tensor(), floats({4}, {1, 1, 1, 2})},
             .attributes = {{"mode", "nearest"}, {"nearest_mode", "floor"}},
             .constants = {2}},
            {1, 1, 1, 6}, {1, 1, 1, 2, 2, 3});
}

TEST(Resize, ResizesThreeAxes) {
  const Tensor x = random_floats({1, 2, 3, 4, 5});
  const Shape out{1, 2, 6, 8, 10};
  const auto expected = tabulate(out, [&](const Index& o) {
    double sum = 0;
    for (std::int64_t d = 0; d < 3; ++d) {
      for (std::int64_t r = 0; r < 4; ++r) {
        for (std::int64_t c = 0; c < 5; ++c) {
          sum += weight("linear", "half_pixel", {3, 6}, o[2], d) *
                 weight("linear", "half_pixel", {4, 8}, o[3], r) *
                 weight("linear", "half_pixel", {5, 10}, o[4], c) * at(x, {0, o[1], d, r, c});
        }
      }
    }
    return sum;
  });
  expect_op({.type = "Resize",
             .inputs = {x, Tensor(), floats({5}, {1, 1, 2, 2, 2})},
             .attributes = {{"mode", "linear"}},
             .constants = {2}},
            out, expected, {.absolute = 1e-5});
}

TEST(Upsample, TakesScalesInEveryOpset) {
  const Tensor x = floats({1, 1, 1, 2}, {1, 2});
  const std::vector<double> expected = {1, 1, 2, 2};
  expect_op({.type = "Upsample",
             .inputs = {x},
             .attributes = {{"height_scale", 1.f}, {"width_scale", 2.f}},
             .opset = 1},
            {1, 1, 1, 4}, expected);
  expect_op({.type = "Upsample",
             .inputs = {x},
             .attributes = {{"scales", Floats{1, 1, 1, 2}}},
             .opset = 7},
            {1, 1, 1, 4}, expected);
  expect_op(
      {.type = "Upsample", .inputs = {x, floats({4}, {1, 1, 1, 2})}, .opset = 9, .constants = {1}},
      {1, 1, 1, 4}, expected);
}

TEST(Resize, RefusesWhatItDoesNotKnow) {
  const Tensor x = random_floats({1, 1, 2, 2});
  EXPECT_THAT(error_of(resize_to(x, {1, 1, 4, 4}, {{"mode", "lanczos"}})),
              HasSubstr("mode 'lanczos'"));
  EXPECT_THAT(error_of({.type = "Resize", .inputs = {x}}),
              HasSubstr("either scales or sizes must be given"));
}

TEST(GridSample, PicksPixels) {
  const Tensor x = floats({1, 1, 2, 2}, {1, 2, 3, 4});
  const Tensor grid = floats({1, 1, 4, 2}, {-1, -1, 1, 1, 0, 0, 3, 0});
  expect_op({.type = "GridSample",
             .inputs = {x, grid},
             .attributes = {{"align_corners", std::int64_t{1}}},
             .opset = 20},
            {1, 1, 1, 4}, {1, 4, 2.5, 0}, {.absolute = 1e-6});
  expect_op({.type = "GridSample",
             .inputs = {x, grid},
             .attributes = {{"align_corners", std::int64_t{1}}, {"padding_mode", "border"}},
             .opset = 20},
            {1, 1, 1, 4}, {1, 4, 2.5, 3}, {.absolute = 1e-6});
}

TEST(RoiAlign, ChecksImageNumbers) {
  EXPECT_THAT(error_of({.type = "RoiAlign",
                        .inputs = {random_floats({1, 1, 4, 4}), floats({1, 4}, {0, 0, 2, 2}),
                                   int64s({1}, {1})}}),
              HasSubstr("batch_indices[0] is 1"));
}

}  // namespace
}  // namespace mini_infer
