// NanoDet and NanoDet-Plus: probabilities of the classes, then for each side of the box how likely
// each distance to it is (generalised focal loss, arXiv 2006.04388).
#include <algorithm>
#include <cmath>

#include "tools/tasks/boxes.h"
#include "tools/tasks/families.h"

namespace mini_infer::tools {
namespace {

// The mean of 0, 1, 2, ... weighted by the softmax of `scores`.
double expected_bin(std::span<const double> scores) {
  const double most = *std::max_element(scores.begin(), scores.end());
  double sum = 0, weighted = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const double weight = std::exp(scores[i] - most);
    sum += weight;
    weighted += weight * static_cast<double>(i);
  }
  return weighted / sum;
}

Result<Findings> decode(std::size_t bins, const std::vector<Tensor>& outputs,
                        const Decoding& decoding) {
  MINI_TRY_ASSIGN(const std::vector<Cell> cells, cells_of(outputs[0], 1, decoding.input));
  MINI_TRY_ASSIGN(Rows rows, rows_of(outputs[0], cells.size()));
  if (rows.columns <= 4 * bins) return Status(Code::kInvalidModel, "an output without classes");
  const std::size_t classes = rows.columns - 4 * bins;
  if (!are_unit(rows, 0, classes)) apply_sigmoid(rows, 0, classes);
  // NanoDet-Plus, which has a fourth map of stride 64, measures from the corner of a cell, NanoDet
  // from its middle.
  const double shift = cells.back().stride == 64 ? 0 : 0.5;
  std::vector<Object> objects;
  for (std::size_t i = 0; i < rows.rows; ++i) {
    const std::span<const double> row = rows.row(i);
    const Best best = best_of(row.first(classes));
    if (!(best.score >= decoding.score)) continue;
    double sides[4];
    for (std::size_t s = 0; s < 4; ++s)
      sides[s] = expected_bin(row.subspan(classes + s * bins, bins)) * cells[i].stride;
    const double x = (cells[i].x + shift) * cells[i].stride;
    const double y = (cells[i].y + shift) * cells[i].stride;
    objects.push_back({.cls = best.index,
                       .score = best.score,
                       .box = {x - sides[0], y - sides[1], x + sides[2], y + sides[3]}});
  }
  return Findings{.objects = best_objects(std::move(objects), decoding.iou)};
}

}  // namespace

std::optional<Head> recognise_nanodet(const Network& network) {
  const auto columns = static_cast<std::size_t>(columns_beside_cells(network, 0, 1));
  if (network.outputs.size() != 1 || columns == 0) return {};
  const std::size_t named = classes_in_metadata(network);
  const std::size_t known = named > 0 ? named : network.labels > 0 ? network.labels : 80;
  for (const std::size_t bins : {std::size_t{8}, std::size_t{11}}) {
    if (columns != known + 4 * bins) continue;
    Head head{.classes = known};
    head.pixels = {.scale = {1},
                   .mean = {103.53, 116.28, 123.675},
                   .std = {57.375, 57.12, 58.395},
                   .color = Color::kBgr,
                   .fit = Fit::kStretch,
                   .open_side = 416};
    head.score = 0.35;
    head.iou = 0.6;
    head.decode = [bins](const std::vector<Tensor>& outputs, const Decoding& decoding) {
      return decode(bins, outputs, decoding);
    };
    return head;
  }
  return {};
}

}  // namespace mini_infer::tools
