#include "tools/tasks/dense.h"

#include <algorithm>
#include <cmath>

#include "tools/common.h"
#include "tools/tasks/boxes.h"
#include "tools/values.h"

namespace mini_infer::tools {

Neighbours neighbours(double x, double y, int width, int height) {
  const double cx = std::clamp(x - 0.5, 0.0, width - 1.0);
  const double cy = std::clamp(y - 0.5, 0.0, height - 1.0);
  const int left = static_cast<int>(cx), top = static_cast<int>(cy);
  return {left,    std::min(left + 1, width - 1), top, std::min(top + 1, height - 1), cx - left,
          cy - top};
}

double Field::at(double x, double y) const {
  return neighbours(x, y, width, height).mix([&](int column, int row) {
    return value(column, row);
  });
}

Point to_input(const Decoding& decoding, int x, int y) {
  const auto& [source, target] = decoding.placement;
  return {target.left + (x + 0.5 - source.left) * target.width / source.width,
          target.top + (y + 0.5 - source.top) * target.height / source.height};
}

bool is_single_map(const Network& network) {
  if (network.outputs.size() != 1 || !is_float_output(network.outputs[0])) return false;
  if (!network.outputs[0].dims) return false;
  std::vector<std::int64_t> extents;
  for (const DimInfo& dim : *network.outputs[0].dims) {
    if (dim.value != 1) extents.push_back(dim.value);
  }
  return extents.size() == 2 && extents[0] == network.height && extents[1] == network.width;
}

Result<Field> single_field(const Tensor& tensor) {
  std::vector<int> extents;
  for (const std::int64_t extent : tensor.shape()) {
    if (extent != 1) extents.push_back(static_cast<int>(extent));
  }
  if (extents.size() != 2 || tensor.elements() == 0 || tensor.elements() > kMaxImagePixels) {
    return Status(Code::kInvalidModel,
                  "an output has shape " + tensor.shape().str() + "; one map was expected");
  }
  return Field{extents[1], extents[0], as_doubles(tensor)};
}

std::optional<Planes> planes_of(const std::vector<std::int64_t>& e, int width, int height) {
  constexpr std::int64_t kMost = std::int64_t{1} << 20;
  if (e.size() != 3 || *std::min_element(e.begin(), e.end()) < 1 ||
      *std::max_element(e.begin(), e.end()) > kMost)
    return {};
  const auto make = [&](std::int64_t c, std::int64_t h, std::int64_t w, bool last) {
    return Planes{static_cast<int>(c), static_cast<int>(w), static_cast<int>(h), last};
  };
  // Height and width have the same proportions as the input's.
  const auto fits = [&](std::int64_t h, std::int64_t w) { return h * width == w * height; };
  if (fits(e[1], e[2])) return make(e[0], e[1], e[2], false);
  if (fits(e[0], e[1])) return make(e[2], e[0], e[1], true);
  return {};
}

std::optional<Planes> planes_of(const ValueInfo& output, const Network& network) {
  if (!is_float_output(output)) return {};
  return planes_of(extents_of(output), network.width, network.height);
}

}  // namespace mini_infer::tools
