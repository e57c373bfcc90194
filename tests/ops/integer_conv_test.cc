// ConvInteger and QLinearConv against sums in 64 bits.
#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/support/op_test.h"

namespace mini_infer {
namespace {

struct Geometry {
  std::int64_t n, ic, oc, groups, height, width, kernel, stride, pad;
  std::int64_t out_height() const { return (height + 2 * pad - kernel) / stride + 1; }
  std::int64_t out_width() const { return (width + 2 * pad - kernel) / stride + 1; }
  Shape y() const { return {n, oc, out_height(), out_width()}; }
  Attributes attributes() const {
    return {{"group", groups},
            {"strides", Ints{stride, stride}},
            {"pads", Ints{pad, pad, pad, pad}},
            {"kernel_shape", Ints{kernel, kernel}}};
  }
};

const std::vector<Geometry> kGeometries = {
    {1, 1, 1, 1, 1, 1, 1, 1, 0},   {1, 3, 5, 1, 7, 9, 3, 1, 1},  {2, 20, 17, 1, 5, 6, 1, 1, 0},
    {1, 33, 8, 1, 9, 9, 3, 2, 1},  {1, 6, 6, 6, 8, 11, 3, 1, 1}, {1, 8, 12, 4, 6, 6, 3, 1, 0},
    {1, 40, 30, 1, 6, 7, 3, 1, 1},
};

template <class T>
Tensor bytes(const Shape& shape, int step) {
  constexpr int kLow = std::numeric_limits<T>::min();
  std::vector<T> values;
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    values.push_back(static_cast<T>(kLow + static_cast<int>(i * step % 256)));
  }
  return Tensor::from<T>(shape, values);
}

// Sums of (x - x_zero) (w - w_zero[oc]), outside of x zero.
std::vector<double> convolve(const Geometry& g, const Tensor& x, const Tensor& w, double x_zero,
                             const std::vector<double>& w_zero) {
  const std::vector<double> xs = doubles(x), ws = doubles(w);
  const std::int64_t group_ic = g.ic / g.groups, group_oc = g.oc / g.groups;
  std::vector<double> sums;
  const auto at = [&](std::int64_t n, std::int64_t oc, std::int64_t oy, std::int64_t ox) {
    double sum = 0;
    for (std::int64_t ic = 0; ic < group_ic; ++ic) {
      for (std::int64_t tap = 0; tap < g.kernel * g.kernel; ++tap) {
        const std::int64_t iy = oy * g.stride + tap / g.kernel - g.pad;
        const std::int64_t ix = ox * g.stride + tap % g.kernel - g.pad;
        if (iy < 0 || iy >= g.height || ix < 0 || ix >= g.width) continue;
        const std::int64_t channel = n * g.ic + oc / group_oc * group_ic + ic;
        sum += (xs[(channel * g.height + iy) * g.width + ix] - x_zero) *
               (ws[(oc * group_ic + ic) * g.kernel * g.kernel + tap] -
                w_zero[static_cast<std::size_t>(oc) % w_zero.size()]);
      }
    }
    return sum;
  };
  for (std::int64_t plane = 0; plane < g.n * g.oc; ++plane) {
    for (std::int64_t pixel = 0; pixel < g.out_height() * g.out_width(); ++pixel) {
      sums.push_back(at(plane / g.oc, plane % g.oc, pixel / g.out_width(), pixel % g.out_width()));
    }
  }
  return sums;
}

// No constants; constant weights; constant weights and zero points.
std::vector<std::vector<std::size_t>> constant_sets(std::size_t w, std::size_t w_zero) {
  return {{}, {w}, {w, w_zero}};
}

TEST(ConvInteger, is_exact) {
  for (const Geometry& g : kGeometries) {
    const Tensor x = bytes<std::uint8_t>({g.n, g.ic, g.height, g.width}, 37);
    const Tensor w = bytes<std::int8_t>({g.oc, g.ic / g.groups, g.kernel, g.kernel}, 91);
    const Tensor x_zero = Tensor::scalar<std::uint8_t>(131);
    const Tensor w_zero = Tensor::scalar<std::int8_t>(-7);
    const std::vector<double> expected = convolve(g, x, w, 131, {-7});
    for (const auto& constants : constant_sets(1, 3)) {
      expect_op({.type = "ConvInteger",
                 .inputs = {x, w, x_zero, w_zero},
                 .attributes = g.attributes(),
                 .constants = constants},
                g.y(), expected);
    }
  }
}

TEST(ConvInteger, needs_no_zero_points) {
  const Geometry g{1, 3, 4, 1, 5, 5, 3, 1, 1};
  const Tensor x = bytes<std::uint8_t>({1, 3, 5, 5}, 37), w = bytes<std::uint8_t>({4, 3, 3, 3}, 91);
  expect_op({.type = "ConvInteger", .inputs = {x, w}, .attributes = g.attributes()}, g.y(),
            convolve(g, x, w, 0, {0}));
}

TEST(QLinearConv, requantises_with_a_scale_and_zero_point_for_each_channel) {
  for (const Geometry& g : kGeometries) {
    const Tensor x = bytes<std::uint8_t>({g.n, g.ic, g.height, g.width}, 37);
    const Tensor w = bytes<std::int8_t>({g.oc, g.ic / g.groups, g.kernel, g.kernel}, 91);
    std::vector<float> scales;
    std::vector<std::int8_t> zeros;
    std::vector<double> zero_values;
    std::vector<std::int32_t> biases;
    for (std::int64_t oc = 0; oc < g.oc; ++oc) {
      scales.push_back(1.f / static_cast<float>(1 << (8 + oc % 4)));  // products are exact
      zeros.push_back(static_cast<std::int8_t>(oc % 5 - 2));
      zero_values.push_back(zeros.back());
      biases.push_back(static_cast<std::int32_t>(oc * 321 - 500));
    }
    std::vector<double> expected = convolve(g, x, w, 128, zero_values);
    const std::int64_t plane = g.out_height() * g.out_width();
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const auto oc = i / static_cast<std::size_t>(plane) % static_cast<std::size_t>(g.oc);
      const double y = std::nearbyint((expected[i] + biases[oc]) * scales[oc]) + 100;
      expected[i] = std::min(std::max(y, 0.0), 255.0);
    }
    for (const auto& constants : constant_sets(3, 5)) {
      expect_op({.type = "QLinearConv",
                 .inputs = {x, Tensor::scalar(0.5f), Tensor::scalar<std::uint8_t>(128), w,
                            floats({g.oc}, scales), Tensor::from<std::int8_t>({g.oc}, zeros),
                            Tensor::scalar(0.5f), Tensor::scalar<std::uint8_t>(100),
                            Tensor::from<std::int32_t>({g.oc}, biases)},
                 .attributes = g.attributes(),
                 .constants = constants},
                g.y(), expected);
    }
  }
}

}  // namespace
}  // namespace mini_infer
