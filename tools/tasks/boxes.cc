#include "tools/tasks/boxes.h"

#include <algorithm>
#include <cmath>

#include "tools/common.h"
#include "tools/labels.h"
#include "tools/values.h"

namespace mini_infer::tools {
namespace {

std::vector<std::int64_t> without_batch(std::vector<std::int64_t> extents) {
  const bool batched = extents.size() >= 3 && (extents[0] == 1 || extents[0] == -1);
  if (batched) extents.erase(extents.begin());
  return extents;
}

}  // namespace

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

double iou(const Box& a, const Box& b) {
  const double width = std::min(a.right, b.right) - std::max(a.left, b.left);
  const double height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  if (!(width > 0 && height > 0)) return 0;
  const double both = width * height;
  return both / (a.width() * a.height() + b.width() * b.height() - both);
}

Box box_around(double center_x, double center_y, double width, double height) {
  return {center_x - width / 2, center_y - height / 2, center_x + width / 2, center_y + height / 2};
}

std::vector<Object> best_objects(std::vector<Object> objects, double most_iou) {
  std::stable_sort(objects.begin(), objects.end(),
                   [](const Object& a, const Object& b) { return a.score > b.score; });
  if (objects.size() > kMaxCandidates) objects.resize(kMaxCandidates);
  std::vector<Object> kept;
  for (Object& object : objects) {
    if (kept.size() == kMaxObjects) break;
    const bool again = std::any_of(kept.begin(), kept.end(), [&](const Object& other) {
      return other.cls == object.cls && iou(other.box, object.box) > most_iou;
    });
    if (!again) kept.push_back(std::move(object));
  }
  return kept;
}

std::vector<Cell> grid(int width, int height, std::span<const int> strides, int per_cell) {
  std::vector<Cell> cells;
  for (const int stride : strides) {
    for (int y = 0; y * stride < height; ++y) {
      for (int x = 0; x * stride < width; ++x) {
        for (int i = 0; i < per_cell; ++i) {
          cells.push_back(
              {static_cast<double>(x), static_cast<double>(y), static_cast<double>(stride)});
        }
      }
    }
  }
  return cells;
}

std::int64_t grid_size(int width, int height, std::span<const int> strides) {
  std::int64_t cells = 0;
  for (const int stride : strides) {
    cells += std::int64_t{(width + stride - 1) / stride} * ((height + stride - 1) / stride);
  }
  return cells;
}

std::vector<int> strides_for(int width, int height, std::int64_t cells) {
  static const std::vector<int> kUsual[] = {
      {8, 16, 32}, {8, 16, 32, 64}, {16, 32}, {4, 8, 16, 32}, {8, 16}};
  for (const std::vector<int>& strides : kUsual) {
    if (grid_size(width, height, strides) == cells) return strides;
  }
  return {};
}

Result<std::vector<Cell>> cells_of(const Tensor& tensor, int per_cell, const PictureInput& input) {
  for (const std::int64_t extent : tensor.shape()) {
    if (extent % per_cell != 0) continue;
    const std::vector<int> strides = strides_for(input.width, input.height, extent / per_cell);
    if (!strides.empty()) return grid(input.width, input.height, strides, per_cell);
  }
  return Status(Code::kInvalidModel,
                format("output shape %s does not count the cells of a picture of %dx%d",
                       tensor.shape().str().c_str(), input.width, input.height));
}

std::int64_t columns_beside_cells(const Network& network, std::size_t axis, int per_cell) {
  if (network.outputs.empty() || !is_float_output(network.outputs[0])) return 0;
  const std::vector<std::int64_t> extents = extents_of(network.outputs[0]);
  if (extents.size() != 2 || extents[axis] <= 0 || extents[axis] % per_cell != 0) return 0;
  const std::int64_t cells = extents[axis] / per_cell;
  const bool fits = !strides_for(network.width, network.height, cells).empty();
  return fits ? std::max<std::int64_t>(0, extents[1 - axis]) : 0;
}

Result<Rows> rows_of(const Tensor& tensor, std::size_t rows, std::size_t columns) {
  std::vector<std::size_t> extents;
  for (const std::int64_t extent : tensor.shape()) {
    if (extent != 1) extents.push_back(static_cast<std::size_t>(extent));
  }
  extents.resize(std::max<std::size_t>(extents.size(), 2), 1);
  const bool by_row = extents[0] == rows;
  const bool by_column = !by_row && extents[1] == rows;
  const bool fits = rows > 0 && extents.size() == 2 && (by_row || by_column);
  const std::size_t found = by_row ? extents[1] : extents[0];
  if (!fits || (columns > 0 && found != columns)) {
    const std::string wanted = columns > 0 ? format(" of %zu values", columns) : "";
    return Status(Code::kInvalidModel,
                  format("an output has shape %s; %zu rows%s were expected for this picture",
                         tensor.shape().str().c_str(), rows, wanted.c_str()));
  }
  Rows table = {rows, found, as_doubles(tensor)};
  if (!by_column) return table;
  std::vector<double> turned(table.values.size());
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < found; ++c) turned[r * found + c] = table.values[c * rows + r];
  }
  table.values = std::move(turned);
  return table;
}

bool are_unit(const Rows& rows, std::size_t first, std::size_t last) {
  constexpr double kSlack = 1e-3;
  for (std::size_t r = 0; r < rows.rows; ++r) {
    for (std::size_t c = first; c < last; ++c) {
      if (!(rows.at(r, c) >= -kSlack && rows.at(r, c) <= 1 + kSlack)) return false;
    }
  }
  return true;
}

void apply_sigmoid(Rows& rows, std::size_t first, std::size_t last) {
  for (std::size_t r = 0; r < rows.rows; ++r) {
    for (std::size_t c = first; c < last; ++c) {
      double& value = rows.values[r * rows.columns + c];
      value = sigmoid(value);
    }
  }
}

BoxUnit box_unit(const Rows& rows, const std::vector<Cell>& cells, const PictureInput& input) {
  const auto near_own_cell = [&](double width, double height) {
    std::size_t near = 0;
    for (std::size_t i = 0; i < rows.rows; ++i) {
      const double x = rows.at(i, 0) * width, y = rows.at(i, 1) * height;
      const double far = std::abs(x - cells[i].middle_x()) + std::abs(y - cells[i].middle_y());
      near += far < 4 * cells[i].stride ? 1 : 0;
    }
    return near * 2 > rows.rows;
  };
  if (near_own_cell(1, 1)) return BoxUnit::kPixel;
  return near_own_cell(input.width, input.height) ? BoxUnit::kShare : BoxUnit::kCell;
}

void scale_boxes(Rows& rows, const PictureInput& input) {
  for (std::size_t i = 0; i < rows.rows; ++i) {
    for (std::size_t c = 0; c < 4; ++c)
      rows.values[i * rows.columns + c] *= c % 2 == 0 ? input.width : input.height;
  }
}

Best best_of(std::span<const double> scores) {
  Best best{0, scores.empty() ? 0.0 : scores[0]};
  for (std::size_t i = 1; i < scores.size(); ++i) {
    if (scores[i] > best.score) best = {i, scores[i]};
  }
  return best;
}

std::vector<Object> objects_above(double least_score, const Rows& rows,
                                  const ScoreColumns& columns) {
  std::vector<Object> objects;
  for (std::size_t i = 0; i < rows.rows; ++i) {
    const std::span<const double> row = rows.row(i);
    const Best best = best_of(row.subspan(columns.first, columns.count));
    const double score = columns.objectness ? best.score * row[4] : best.score;
    if (!(score >= least_score)) continue;
    objects.push_back({.cls = best.index,
                       .score = score,
                       .box = box_around(row[0], row[1], row[2], row[3]),
                       .row = i});
  }
  return objects;
}

std::vector<std::int64_t> extents_of(const ValueInfo& output) {
  std::vector<std::int64_t> extents;
  if (!output.dims) return extents;
  for (const DimInfo& dim : *output.dims) extents.push_back(dim.value);
  return without_batch(std::move(extents));
}

std::vector<std::int64_t> extents_of(const Tensor& output) {
  return without_batch(output.shape().dims());
}

bool is_float_output(const ValueInfo& output) { return is_float(output.dtype); }

std::string metadata(const Network& network, const std::string& key) {
  const auto found = network.model.metadata.find(key);
  return found == network.model.metadata.end() ? std::string() : found->second;
}

std::size_t classes_in_metadata(const Network& network) {
  return labels_of(network.model.metadata).size();
}

PixelOptions plain_pixels(double scale, Color color, Fit fit) {
  return {.scale = {scale}, .mean = {0}, .std = {1}, .color = color, .fit = fit, .open_side = 640};
}

}  // namespace mini_infer::tools
