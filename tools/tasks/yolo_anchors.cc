// Heads with anchors, all predictions in one output [1, N, 5 + more]: YOLOv5 and YOLOv7, decoded in
// the graph or not (as YOLOv5-Lite leaves them), with key points behind the objectness (YOLOv5-face
// and plates), or with coefficients of masks behind the classes.
#include "tools/tasks/yolo_anchors.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "tools/common.h"
#include "tools/tasks/families.h"
#include "tools/tasks/masks.h"

namespace mini_infer::tools {
namespace {

constexpr int kAnchorsInCell = 3;
constexpr std::size_t kBehindObjectness = 5;

// Key points are pixels, scores are not: the run of columns behind the objectness that hold more
// than 0 .. 1, of even length. All columns, or none: no points.
std::size_t point_columns(const Rows& rows) {
  std::size_t last = kBehindObjectness;
  while (last < rows.columns && !are_unit(rows, last, last + 1)) ++last;
  const std::size_t count = last - kBehindObjectness;
  return last == rows.columns ? 0 : count + count % 2;
}

struct Options {
  std::size_t prototypes = 0;
  Anchors anchors;
};

// Boxes in pixels, everything behind them but key points between 0 and 1.
Status to_pixels(Rows& rows, const std::vector<AnchorCell>& cells, const PictureInput& input,
                 std::size_t last_score) {
  std::vector<Cell> plain;
  for (const AnchorCell& cell : cells) plain.push_back(cell.cell);
  const BoxUnit unit = box_unit(rows, plain, input);
  if (unit == BoxUnit::kShare) scale_boxes(rows, input);
  const bool logits = !are_unit(rows, 4, 5);
  if (unit != BoxUnit::kCell) {
    if (!logits) return ok();
    apply_sigmoid(rows, 4, last_score);
    return ok();
  }
  if (logits) apply_sigmoid(rows, 0, last_score);
  if (!are_unit(rows, 0, 4)) {
    return {Code::kInvalidModel,
            "boxes are neither pixels of the input, nor shares of it, nor of YOLOv5's form"};
  }
  decode_boxes(rows, cells, BoxFormula::kYoloV5);
  return ok();
}

Result<Findings> decode(const Options& options, const std::vector<Tensor>& outputs,
                        const Decoding& decoding) {
  MINI_TRY_ASSIGN(const std::vector<Cell> plain,
                  cells_of(outputs[0], kAnchorsInCell, decoding.input));
  MINI_TRY_ASSIGN(Rows rows, rows_of(outputs[0], plain.size()));
  const std::vector<int> strides =
      strides_for(decoding.input.width, decoding.input.height,
                  static_cast<std::int64_t>(plain.size()) / kAnchorsInCell);
  if (strides.size() > options.anchors.size())
    return Status(Code::kInvalidModel, format("no anchors are known for %zu maps", strides.size()));
  const std::vector<AnchorCell> cells = anchor_cells(decoding.input, strides, options.anchors);
  const std::size_t points = options.prototypes > 0 ? 0 : point_columns(rows);
  const std::size_t first = kBehindObjectness + points;
  if (rows.columns <= first + options.prototypes)
    return Status(Code::kInvalidModel, "an output without classes");
  const std::size_t classes = rows.columns - first - options.prototypes;
  MINI_TRY(to_pixels(rows, cells, decoding.input, first + classes));
  std::vector<Object> objects = objects_above(decoding.score, rows, {first, classes, true});
  Findings findings{.objects = best_objects(std::move(objects), decoding.iou)};
  for (Object& object : findings.objects) {
    const std::span<const double> row = rows.row(object.row).subspan(kBehindObjectness, points);
    for (std::size_t i = 0; i < points; i += 2) object.points.push_back({{row[i], row[i + 1]}, 1});
  }
  if (options.prototypes > 0)
    MINI_TRY(add_masks(findings.objects, rows, first + classes, outputs[1], decoding));
  return findings;
}

std::optional<Head> recognise(const Network& network, Task task) {
  const std::int64_t columns = columns_beside_cells(network, 0, kAnchorsInCell);
  const std::size_t named = classes_in_metadata(network);
  Options options{.anchors = anchors_in_metadata(network)};
  if (options.anchors.empty()) options.anchors = yolov5_anchors();
  if (network.outputs.size() == 2)
    options.prototypes = static_cast<std::size_t>(prototype_count(network.outputs[1], network));
  const std::size_t more = kBehindObjectness + options.prototypes;
  if (columns <= static_cast<std::int64_t>(more)) return {};
  const std::size_t classes = static_cast<std::size_t>(columns) - more;
  // Beside the predictions: prototypes, or the maps they were made from, as older exports keep
  // them.
  const bool segments = options.prototypes > 0;
  if (segments != (task == Task::kSegment)) return {};
  if (!segments && network.outputs.size() != 1 && network.outputs.size() != 4) return {};
  if (named > classes) return {};
  Head head{.task = task, .pixels = plain_pixels(1.0 / 255, Color::kRgb, Fit::kLetterbox)};
  head.classes = named;
  head.decode = [options](const std::vector<Tensor>& outputs, const Decoding& decoding) {
    return decode(options, outputs, decoding);
  };
  return head;
}

std::vector<double> numbers_in(const std::string& text) {
  std::vector<double> numbers;
  const char* at = text.data();
  const char* end = at + text.size();
  while (at != end) {
    double number = 0;
    const auto [next, error] = std::from_chars(at, end, number);
    if (error == std::errc()) numbers.push_back(number);
    at = error == std::errc() ? next : at + 1;
  }
  return numbers;
}

}  // namespace

const Anchors& yolov5_anchors() {
  static const Anchors kAnchors = {{{10, 13}, {16, 30}, {33, 23}},
                                   {{30, 61}, {62, 45}, {59, 119}},
                                   {{116, 90}, {156, 198}, {373, 326}}};
  return kAnchors;
}

const Anchors& yolov7_anchors() {
  static const Anchors kAnchors = {{{12, 16}, {19, 36}, {40, 28}},
                                   {{36, 75}, {76, 55}, {72, 146}},
                                   {{142, 110}, {192, 243}, {459, 401}}};
  return kAnchors;
}

Anchors anchors_in_metadata(const Network& network) {
  const std::vector<double> numbers = numbers_in(metadata(network, "anchors"));
  constexpr std::size_t kInMap = 2 * kAnchorsInCell;
  Anchors anchors;
  if (numbers.size() % kInMap != 0) return anchors;
  for (std::size_t i = 0; i < numbers.size(); i += kInMap) {
    anchors.push_back({{numbers[i], numbers[i + 1]},
                       {numbers[i + 2], numbers[i + 3]},
                       {numbers[i + 4], numbers[i + 5]}});
  }
  return anchors;
}

std::vector<AnchorCell> anchor_cells(const PictureInput& input, std::span<const int> strides,
                                     const Anchors& anchors) {
  std::vector<AnchorCell> cells;
  for (std::size_t level = 0; level < strides.size(); ++level) {
    const std::vector<Cell> map = grid(input.width, input.height, strides.subspan(level, 1));
    for (const Anchor& anchor : anchors[level]) {
      for (const Cell& cell : map) cells.push_back({cell, anchor});
    }
  }
  return cells;
}

void decode_boxes(Rows& rows, const std::vector<AnchorCell>& cells, BoxFormula formula) {
  for (std::size_t i = 0; i < rows.rows; ++i) {
    double* t = &rows.values[i * rows.columns];
    const auto& [cell, anchor] = cells[i];
    if (formula == BoxFormula::kYoloV5) {
      t[0] = (2 * t[0] - 0.5 + cell.x) * cell.stride;
      t[1] = (2 * t[1] - 0.5 + cell.y) * cell.stride;
      t[2] = 4 * t[2] * t[2] * anchor.width;
      t[3] = 4 * t[3] * t[3] * anchor.height;
    } else {
      const bool v4 = formula == BoxFormula::kYoloV4;
      const double stretch = !v4 ? 1 : cell.stride == 8 ? 1.2 : cell.stride == 16 ? 1.1 : 1.05;
      const auto middle = [&](double v) { return (sigmoid(v) - 0.5) * stretch + 0.5; };
      t[0] = (middle(t[0]) + cell.x) * cell.stride;
      t[1] = (middle(t[1]) + cell.y) * cell.stride;
      t[2] = std::exp(t[2]) * anchor.width;
      t[3] = std::exp(t[3]) * anchor.height;
    }
  }
}

std::optional<Head> recognise_yolov5(const Network& network) {
  return recognise(network, Task::kDetect);
}

std::optional<Head> recognise_yolov5_segment(const Network& network) {
  return recognise(network, Task::kSegment);
}

}  // namespace mini_infer::tools
