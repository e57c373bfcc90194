#include "tools/tasks/masks.h"

#include <algorithm>
#include <cmath>

#include "tools/common.h"
#include "tools/tasks/dense.h"
#include "tools/values.h"

namespace mini_infer::tools {
namespace {

constexpr std::size_t kMostPixels = std::size_t{1} << 28;

Field weighted_sum(const std::vector<double>& prototypes, std::span<const double> weights,
                   int width, int height) {
  Field field{width, height, {}};
  const std::size_t size = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
  field.values.resize(size);
  for (std::size_t p = 0; p < weights.size(); ++p) {
    for (std::size_t i = 0; i < size; ++i) field.values[i] += weights[p] * prototypes[p * size + i];
  }
  return field;
}

// The whole pixels of the picture that the box covers.
Mask empty_mask(const Box& box, const Decoding& decoding) {
  const Placement& p = decoding.placement;
  const auto column = [&](double x) {
    return static_cast<int>(
        std::lround(std::clamp(p.x_in_source(x), 0.0, decoding.image.width + 0.0)));
  };
  const auto row = [&](double y) {
    return static_cast<int>(
        std::lround(std::clamp(p.y_in_source(y), 0.0, decoding.image.height + 0.0)));
  };
  const int left = column(box.left), top = row(box.top);
  return {left, top, std::max(0, column(box.right) - left), std::max(0, row(box.bottom) - top), {}};
}

void fill(Mask& mask, const Field& field, const Decoding& decoding) {
  const double fx = static_cast<double>(field.width) / decoding.input.width;
  const double fy = static_cast<double>(field.height) / decoding.input.height;
  mask.inside.reserve(static_cast<std::size_t>(mask.width) * static_cast<std::size_t>(mask.height));
  for (int y = mask.top; y < mask.top + mask.height; ++y) {
    for (int x = mask.left; x < mask.left + mask.width; ++x) {
      const Point at = to_input(decoding, x, y);
      mask.inside.push_back(field.at(at.x * fx, at.y * fy) > 0);
    }
  }
}

}  // namespace

std::int64_t prototype_count(const ValueInfo& output, const Network& network) {
  const std::vector<std::int64_t> extents = extents_of(output);
  const bool fits = extents.size() == 3 && is_float_output(output) &&
                    extents[1] == (network.height + 3) / 4 && extents[2] == (network.width + 3) / 4;
  return fits ? extents[0] : 0;
}

Status add_masks(std::vector<Object>& objects, const Rows& rows, std::size_t first,
                 const Tensor& prototypes, const Decoding& decoding) {
  const Shape& shape = prototypes.shape();
  if (shape.rank() != 4 || shape.elements() == 0 || first >= rows.columns ||
      shape[1] != static_cast<std::int64_t>(rows.columns - first)) {
    return {Code::kInvalidModel,
            format("prototypes of masks have shape %s for %zu coefficients", shape.str().c_str(),
                   rows.columns - std::min(first, rows.columns))};
  }
  const std::vector<double> values = as_doubles(prototypes);
  std::size_t left = kMostPixels;
  for (Object& object : objects) {
    const Box& b = object.box;
    if (!std::isfinite(b.left + b.top + b.right + b.bottom)) continue;
    Mask mask = empty_mask(b, decoding);
    const auto pixels =
        static_cast<std::size_t>(mask.width) * static_cast<std::size_t>(mask.height);
    if (pixels > left) break;
    left -= pixels;
    const Field field = weighted_sum(values, rows.row(object.row).subspan(first),
                                     static_cast<int>(shape[3]), static_cast<int>(shape[2]));
    fill(mask, field, decoding);
    object.mask = std::move(mask);
  }
  return ok();
}

}  // namespace mini_infer::tools
