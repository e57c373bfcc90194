// Heads with one prediction for each cell of the feature maps and without anchors, where a box is
// followed by objectness: YOLOX and YOLOv6.
#include <cmath>

#include "tools/tasks/boxes.h"
#include "tools/tasks/families.h"

namespace mini_infer::tools {
namespace {

constexpr std::size_t kFirstClass = 5;  // behind middle x, y, width, height, objectness

// As YOLOX trains it: the middle is an offset from the cell's corner in strides, the size a
// logarithm in strides.
void to_pixels(Rows& rows, const std::vector<Cell>& cells) {
  for (std::size_t i = 0; i < rows.rows; ++i) {
    double* row = &rows.values[i * rows.columns];
    row[0] = (row[0] + cells[i].x) * cells[i].stride;
    row[1] = (row[1] + cells[i].y) * cells[i].stride;
    row[2] = std::exp(row[2]) * cells[i].stride;
    row[3] = std::exp(row[3]) * cells[i].stride;
  }
}

Result<Findings> decode(const std::vector<Tensor>& outputs, const Decoding& decoding) {
  MINI_TRY_ASSIGN(const std::vector<Cell> cells, cells_of(outputs[0], 1, decoding.input));
  MINI_TRY_ASSIGN(Rows rows, rows_of(outputs[0], cells.size()));
  if (rows.columns <= kFirstClass) return Status(Code::kInvalidModel, "an output without classes");
  const BoxUnit unit = box_unit(rows, cells, decoding.input);
  if (unit == BoxUnit::kCell) to_pixels(rows, cells);
  if (unit == BoxUnit::kShare) scale_boxes(rows, decoding.input);
  if (!are_unit(rows, kFirstClass - 1, rows.columns))
    apply_sigmoid(rows, kFirstClass - 1, rows.columns);
  std::vector<Object> objects =
      objects_above(decoding.score, rows, {kFirstClass, rows.columns - kFirstClass, true});
  return Findings{.objects = best_objects(std::move(objects), decoding.iou)};
}

std::optional<Head> with_objectness(const Network& network) {
  const std::int64_t columns = columns_beside_cells(network, 0, 1);
  const std::size_t named = classes_in_metadata(network);
  const auto classes = static_cast<std::size_t>(columns) - kFirstClass;
  if (network.outputs.size() != 1 || columns <= static_cast<std::int64_t>(kFirstClass)) return {};
  if (named > 0 && named != classes) return {};
  return Head{.classes = classes, .decode = decode};
}

bool is_named_as_yolov6(const Network& network) { return network.outputs[0].name == "outputs"; }

}  // namespace

std::optional<Head> recognise_yolov6(const Network& network) {
  std::optional<Head> head = with_objectness(network);
  if (!head || !(network.named || is_named_as_yolov6(network))) return {};
  head->pixels = plain_pixels(1.0 / 255, Color::kRgb, Fit::kLetterbox);
  return head;
}

std::optional<Head> recognise_yolox(const Network& network) {
  std::optional<Head> head = with_objectness(network);
  if (!head || (!network.named && is_named_as_yolov6(network))) return {};
  head->pixels = plain_pixels(1, Color::kBgr, Fit::kCorner);
  head->score = 0.3;
  return head;
}

}  // namespace mini_infer::tools
