#include "tools/tasks/priors.h"

#include <cmath>

namespace mini_infer::tools {
namespace {

constexpr double kMiddleVariance = 0.1, kSizeVariance = 0.2;

// The cells along a side. With `floor`: the first halving rounds up (a convolution), the others
// down (pooling).
int cells_along(int side, int stride, bool floor) {
  return floor ? (side + 1) / 2 / (stride / 2) : (side + stride - 1) / stride;
}

}  // namespace

std::vector<Prior> priors(int width, int height, const PriorPlan& plan) {
  std::vector<Prior> all;
  for (std::size_t level = 0; level < plan.strides.size(); ++level) {
    const int stride = plan.strides[level];
    const int columns = cells_along(width, stride, plan.floor);
    for (int i = 0; i < columns * cells_along(height, stride, plan.floor); ++i) {
      for (const double size : plan.sizes[level])
        all.push_back({(i % columns + 0.5) * stride, (i / columns + 0.5) * stride, size, size});
    }
  }
  return all;
}

std::int64_t prior_count(int width, int height, const PriorPlan& plan) {
  std::int64_t count = 0;
  for (std::size_t level = 0; level < plan.strides.size(); ++level) {
    const int stride = plan.strides[level];
    count += std::int64_t{cells_along(width, stride, plan.floor)} *
             cells_along(height, stride, plan.floor) *
             static_cast<std::int64_t>(plan.sizes[level].size());
  }
  return count;
}

Point point_from(const Prior& prior, std::span<const double> corrections) {
  return {prior.x + corrections[0] * kMiddleVariance * prior.width,
          prior.y + corrections[1] * kMiddleVariance * prior.height};
}

Box box_from(const Prior& prior, std::span<const double> corrections) {
  const Point middle = point_from(prior, corrections);
  return box_around(middle.x, middle.y, prior.width * std::exp(corrections[2] * kSizeVariance),
                    prior.height * std::exp(corrections[3] * kSizeVariance));
}

std::optional<std::size_t> output_with(const Network& network, std::int64_t rows,
                                       std::int64_t columns) {
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < network.outputs.size(); ++i) {
    const std::vector<std::int64_t> extents = extents_of(network.outputs[i]);
    const bool fits = is_float_output(network.outputs[i]) && extents.size() == 2 &&
                      extents[0] == rows && extents[1] == columns;
    if (fits && found) return {};
    if (fits) found = i;
  }
  return found;
}

}  // namespace mini_infer::tools
