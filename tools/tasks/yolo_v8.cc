// YOLOv8, v9, v11 and v12 as Ultralytics exports them: [1, 4 + classes + more, cells], boxes
// decoded in the graph; "more" are key points (pose) or coefficients of masks (segment).
#include <charconv>

#include "tools/common.h"
#include "tools/tasks/boxes.h"
#include "tools/tasks/families.h"
#include "tools/tasks/masks.h"
#include "tools/tasks/skeletons.h"

namespace mini_infer::tools {
namespace {

struct Columns {
  std::size_t classes = 0;
  std::size_t points = 0, point_size = 0;  // 2: x, y; 3: x, y, score
  std::size_t prototypes = 0;
  std::size_t behind_classes() const { return 4 + classes; }
};

void add_points(std::vector<Object>& objects, const Rows& rows, const Columns& columns) {
  for (Object& object : objects) {
    const std::span<const double> row = rows.row(object.row).subspan(columns.behind_classes());
    for (std::size_t i = 0; i < columns.points; ++i) {
      const double* point = &row[i * columns.point_size];
      object.points.push_back({{point[0], point[1]}, columns.point_size == 3 ? point[2] : 1});
    }
  }
}

Result<Findings> decode(const Columns& columns, const std::vector<Tensor>& outputs,
                        const Decoding& decoding) {
  MINI_TRY_ASSIGN(const std::vector<Cell> cells, cells_of(outputs[0], 1, decoding.input));
  MINI_TRY_ASSIGN(Rows rows, rows_of(outputs[0], cells.size()));
  const std::size_t count =
      columns.behind_classes() + columns.points * columns.point_size + columns.prototypes;
  if (rows.columns != count) {
    return Status(
        Code::kInvalidModel,
        format("the output has %zu values for each cell; %zu were expected", rows.columns, count));
  }
  if (box_unit(rows, cells, decoding.input) == BoxUnit::kShare) scale_boxes(rows, decoding.input);
  if (!are_unit(rows, 4, columns.behind_classes()))
    apply_sigmoid(rows, 4, columns.behind_classes());
  std::vector<Object> objects = objects_above(decoding.score, rows, {4, columns.classes, false});
  Findings findings{.objects = best_objects(std::move(objects), decoding.iou)};
  add_points(findings.objects, rows, columns);
  findings.bones = bones_for(columns.points);
  if (columns.prototypes > 0) {
    MINI_TRY(add_masks(findings.objects, rows, columns.behind_classes(), outputs[1], decoding));
  }
  return findings;
}

// "[17, 3]" in the metadata.
void read_points(const std::string& text, Columns& columns) {
  const auto number = [&](std::size_t at) {
    std::size_t value = 0;
    at = text.find_first_of("0123456789", at);
    if (at != text.npos) std::from_chars(text.data() + at, text.data() + text.size(), value);
    return value <= 1000 ? value : 0;
  };
  const std::size_t comma = text.find(',');
  if (comma == text.npos) return;
  columns.points = number(0);
  columns.point_size = number(comma);
}

// What the columns hold, by the metadata and the other outputs; no value when these contradict.
std::optional<Columns> columns_of(const Network& network, std::size_t count) {
  Columns columns;
  const std::string task = metadata(network, "task");
  const bool known = task.empty() || task == "detect" || task == "segment" || task == "pose";
  if (count <= 4 || !known) return {};
  if (network.outputs.size() == 2 && task != "detect")
    columns.prototypes = static_cast<std::size_t>(prototype_count(network.outputs[1], network));
  if (network.outputs.size() != 1 && columns.prototypes == 0) return {};
  read_points(metadata(network, "kpt_shape"), columns);
  constexpr std::size_t kCocoPoseColumns = 4 + 1 + 17 * 3;
  if (task.empty() && columns.points == 0 && count == kCocoPoseColumns && network.labels != 52)
    columns = {.points = 17, .point_size = 3};
  const bool flat_points = columns.points > 0 && columns.point_size != 2 && columns.point_size != 3;
  const std::size_t more = columns.prototypes + columns.points * columns.point_size;
  if (flat_points || count <= 4 + more) return {};
  columns.classes = count - 4 - more;
  const std::size_t named = classes_in_metadata(network);
  return named > 0 && named != columns.classes ? std::nullopt : std::optional(columns);
}

int side_in_metadata(const Network& network) {
  const std::string text = metadata(network, "imgsz");
  const std::size_t at = text.find_first_of("0123456789");
  int side = 0;
  if (at != text.npos) std::from_chars(text.data() + at, text.data() + text.size(), side);
  return side >= 32 && side <= 4096 ? side : 640;
}

std::optional<Head> recognise(const Network& network, Task task) {
  std::int64_t count = columns_beside_cells(network, 1, 1);
  // Some exports turn the output; nothing but the metadata or the user then tells it from YOLOX.
  if (count == 0 && (network.named || classes_in_metadata(network) > 0))
    count = columns_beside_cells(network, 0, 1);
  const std::optional<Columns> columns = columns_of(network, static_cast<std::size_t>(count));
  if (!columns) return {};
  Head head{.classes = columns->classes,
            .pixels = plain_pixels(1.0 / 255, Color::kRgb, Fit::kLetterbox)};
  head.pixels.open_side = side_in_metadata(network);
  head.task = columns->points > 0       ? Task::kPose
              : columns->prototypes > 0 ? Task::kSegment
                                        : Task::kDetect;
  if (head.task != task) return {};
  head.decode = [columns = *columns](const std::vector<Tensor>& outputs, const Decoding& decoding) {
    return decode(columns, outputs, decoding);
  };
  return head;
}

}  // namespace

std::optional<Head> recognise_yolov8(const Network& network) {
  return recognise(network, Task::kDetect);
}

std::optional<Head> recognise_yolov8_pose(const Network& network) {
  return recognise(network, Task::kPose);
}

std::optional<Head> recognise_yolov8_segment(const Network& network) {
  return recognise(network, Task::kSegment);
}

}  // namespace mini_infer::tools
