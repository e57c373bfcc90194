// Heads with anchors that come as one output for each feature map: YOLOv3, v4, v5 and v7 without
// their last layer, and YOLO-FastestV2.
#include <algorithm>
#include <cmath>

#include "tools/common.h"
#include "tools/tasks/families.h"
#include "tools/tasks/yolo_anchors.h"
#include "tools/values.h"

namespace mini_infer::tools {
namespace {

constexpr std::size_t kAnchorCount = 3;

// Where the elements of one map lie.
struct MapLayout {
  std::size_t output = 0;
  int stride = 0;
  std::size_t height = 0, width = 0;
  std::size_t columns = 0;  // of one prediction; of a cell where its predictions share columns
  // Steps between anchors, columns, rows of the map and cells of a row.
  std::size_t anchor_step = 0, column_step = 0, row_step = 0, cell_step = 0;
};

// An input's size and the extents of the outputs, behind the batch.
struct Maps {
  int width = 0, height = 0;
  std::vector<std::vector<std::int64_t>> outputs;
};

Maps maps_of(const Network& network) {
  Maps maps{network.width, network.height, {}};
  for (const ValueInfo& output : network.outputs)
    maps.outputs.push_back(is_float_output(output) ? extents_of(output)
                                                   : std::vector<std::int64_t>());
  return maps;
}

Maps maps_of(const std::vector<Tensor>& outputs, const PictureInput& input) {
  Maps maps{input.width, input.height, {}};
  for (const Tensor& output : outputs) maps.outputs.push_back(extents_of(output));
  return maps;
}

std::size_t as_size(std::int64_t extent) { return static_cast<std::size_t>(extent); }

// Whether height and width are those of a map of the input, at the stride that fits.
bool set_stride(const Maps& maps, std::int64_t height, std::int64_t width, MapLayout& map) {
  for (const int stride : {8, 16, 32, 64}) {
    if (height != (maps.height + stride - 1) / stride) continue;
    if (width != (maps.width + stride - 1) / stride) continue;
    map.stride = stride;
    map.height = as_size(height);
    map.width = as_size(width);
    return true;
  }
  return false;
}

// [A,h,w,K], [h,w,A,K], [A*K,h,w] or [h,w,A*K], behind the batch.
std::optional<MapLayout> layout_of(const Maps& maps, std::size_t output, std::size_t anchors) {
  const std::vector<std::int64_t>& e = maps.outputs[output];
  MapLayout m{.output = output};
  const auto count = static_cast<std::int64_t>(anchors);
  if (e.size() == 4) {
    m.columns = as_size(e[3]);
    m.column_step = 1;
    if (e[0] == count && set_stride(maps, e[1], e[2], m)) {
      m.cell_step = m.columns;
      m.row_step = m.width * m.cell_step;
      m.anchor_step = m.height * m.row_step;
      return m;
    }
    if (e[2] != count || !set_stride(maps, e[0], e[1], m)) return {};
    m.anchor_step = m.columns;
    m.cell_step = anchors * m.columns;
    m.row_step = m.width * m.cell_step;
    return m;
  }
  if (e.size() != 3) return {};
  const bool channels_first = set_stride(maps, e[1], e[2], m);
  if (!channels_first && !set_stride(maps, e[0], e[1], m)) return {};
  const std::int64_t channels = channels_first ? e[0] : e[2];
  if (channels <= 0 || channels % count != 0) return {};
  m.columns = as_size(channels) / anchors;
  m.column_step = channels_first ? m.height * m.width : 1;
  m.cell_step = channels_first ? 1 : as_size(channels);
  m.row_step = m.width * m.cell_step;
  m.anchor_step = m.columns * m.column_step;
  return m;
}

// One map for each output, the finest first; empty when the outputs are no such maps.
std::vector<MapLayout> layouts_of(const Maps& network, std::size_t anchors) {
  std::vector<MapLayout> maps;
  for (std::size_t i = 0; i < network.outputs.size(); ++i) {
    const std::optional<MapLayout> map = layout_of(network, i, anchors);
    if (!map) return {};
    maps.push_back(*map);
  }
  std::sort(maps.begin(), maps.end(),
            [](const MapLayout& a, const MapLayout& b) { return a.stride < b.stride; });
  for (std::size_t i = 1; i < maps.size(); ++i) {
    const bool follows = maps[i].stride == 2 * maps[i - 1].stride;
    if (!follows || maps[i].columns != maps[0].columns) return {};
  }
  return maps;
}

// The predictions of all maps: anchor after anchor, row after row in each.
Result<Rows> gather(const std::vector<Tensor>& outputs, const std::vector<MapLayout>& maps,
                    std::size_t anchors, std::size_t least_columns) {
  if (maps.empty() || maps[0].columns < least_columns)
    return Status(Code::kInvalidModel, "the outputs are no maps of a picture of this size");
  Rows rows{.columns = maps[0].columns};
  for (const MapLayout& m : maps) {
    const std::vector<double> values = as_doubles(outputs[m.output]);
    for (std::size_t i = 0; i < anchors * m.height * m.width; ++i) {
      const std::size_t x = i % m.width, y = i / m.width % m.height, a = i / m.width / m.height;
      const double* from = &values[a * m.anchor_step + y * m.row_step + x * m.cell_step];
      for (std::size_t c = 0; c < m.columns; ++c) rows.values.push_back(from[c * m.column_step]);
    }
    rows.rows += anchors * m.height * m.width;
  }
  return rows;
}

std::vector<int> strides_of(const std::vector<MapLayout>& maps) {
  std::vector<int> strides;
  for (const MapLayout& map : maps) strides.push_back(map.stride);
  return strides;
}

// Boxes in columns 0 to 3, objectness, classes.
Findings objects_in(const Rows& rows, const Decoding& decoding) {
  std::vector<Object> objects = objects_above(decoding.score, rows, {5, rows.columns - 5, true});
  return Findings{.objects = best_objects(std::move(objects), decoding.iou)};
}

struct MapHead {
  Anchors anchors;
  BoxFormula formula = BoxFormula::kYoloV5;
  bool certain = false;  // logits can be decoded: formula and anchors are known
};

Result<Findings> decode_maps(const MapHead& head, const std::vector<Tensor>& outputs,
                             const Decoding& decoding) {
  const std::vector<MapLayout> maps = layouts_of(maps_of(outputs, decoding.input), kAnchorCount);
  MINI_TRY_ASSIGN(Rows rows, gather(outputs, maps, kAnchorCount, 6));
  const bool logits = !are_unit(rows, 0, rows.columns);
  if (logits && !head.certain) {
    return Status(
        Code::kInvalidModel,
        "feature maps without their last layer, of which nothing says whether they are "
        "YOLOv3's, v4's, v5's or v7's; say it with --head yolov5-maps, yolov7, yolov4 or yolov3");
  }
  if (logits) apply_sigmoid(rows, head.formula == BoxFormula::kYoloV5 ? 0 : 4, rows.columns);
  const std::vector<int> strides = strides_of(maps);
  decode_boxes(rows, anchor_cells(decoding.input, strides, head.anchors), head.formula);
  return objects_in(rows, decoding);
}

std::optional<Head> map_head(const Network& network, const Anchors& usual, BoxFormula formula) {
  const std::vector<MapLayout> maps = layouts_of(maps_of(network), kAnchorCount);
  MapHead how{.anchors = anchors_in_metadata(network), .formula = formula};
  const bool given = !how.anchors.empty();
  if (!given) how.anchors = usual;
  if (maps.size() != how.anchors.size() || maps[0].columns < 6) return {};
  how.certain = network.named || network.outputs[0].dims->size() == 5;
  Head head{.classes = maps[0].columns - 5};
  const std::size_t named = classes_in_metadata(network);
  if (named > 0 && named != head.classes) return {};
  head.pixels = plain_pixels(1.0 / 255, Color::kRgb, Fit::kLetterbox);
  if (!given && !network.named) {
    head.note =
        "the model does not hold its anchors; those of YOLOv5 are taken (--head yolov7, yolov4 or "
        "yolov3 for theirs)";
  }
  head.decode = [how](const std::vector<Tensor>& outputs, const Decoding& decoding) {
    return decode_maps(how, outputs, decoding);
  };
  return head;
}

// The columns of a cell in YOLO-FastestV2: the boxes of its anchors, their objectness, the classes.
constexpr std::size_t kFastestBoxes = 4 * kAnchorCount;
constexpr std::size_t kFastestFirstClass = 5 * kAnchorCount;

void softmax(std::span<double> values) {
  const double most = *std::max_element(values.begin(), values.end());
  double sum = 0;
  for (double& value : values) sum += value = std::exp(value - most);
  for (double& value : values) value /= sum;
}

// Gives each anchor of a cell a row of its own: box, objectness, classes.
Rows split_anchors(const Rows& cells, const std::vector<MapLayout>& maps) {
  Rows rows{.columns = cells.columns - kFastestFirstClass + 5};
  std::size_t first = 0;
  for (const MapLayout& map : maps) {
    const std::size_t count = map.height * map.width;
    for (std::size_t a = 0; a < kAnchorCount; ++a) {
      for (std::size_t i = first; i < first + count; ++i) {
        const std::span<const double> cell = cells.row(i);
        const auto box = cell.subspan(4 * a, 4), classes = cell.subspan(kFastestFirstClass);
        rows.values.insert(rows.values.end(), box.begin(), box.end());
        rows.values.push_back(cell[kFastestBoxes + a]);
        rows.values.insert(rows.values.end(), classes.begin(), classes.end());
      }
    }
    first += count;
  }
  rows.rows = first * kAnchorCount;
  return rows;
}

Result<Findings> decode_fastest(const MapHead& head, const std::vector<Tensor>& outputs,
                                const Decoding& decoding) {
  const std::vector<MapLayout> maps = layouts_of(maps_of(outputs, decoding.input), 1);
  MINI_TRY_ASSIGN(Rows cells, gather(outputs, maps, 1, kFastestFirstClass + 1));
  if (!are_unit(cells, 0, cells.columns)) {
    apply_sigmoid(cells, 0, kFastestFirstClass);
    for (std::size_t i = 0; i < cells.rows; ++i) {
      softmax({&cells.values[i * cells.columns + kFastestFirstClass],
               cells.columns - kFastestFirstClass});
    }
  }
  Rows rows = split_anchors(cells, maps);
  const std::vector<int> strides = strides_of(maps);
  decode_boxes(rows, anchor_cells(decoding.input, strides, head.anchors), BoxFormula::kYoloV5);
  return objects_in(rows, decoding);
}

const Anchors& tiny_anchors() {
  static const Anchors kAnchors = {{{10, 14}, {23, 27}, {37, 58}},
                                   {{81, 82}, {135, 169}, {344, 319}}};
  return kAnchors;
}

}  // namespace

std::optional<Head> recognise_yolov5_maps(const Network& network) {
  return map_head(network, yolov5_anchors(), BoxFormula::kYoloV5);
}

std::optional<Head> recognise_yolov7(const Network& network) {
  return network.named ? map_head(network, yolov7_anchors(), BoxFormula::kYoloV5) : std::nullopt;
}

std::optional<Head> recognise_yolov4(const Network& network) {
  return network.named ? map_head(network, yolov7_anchors(), BoxFormula::kYoloV4) : std::nullopt;
}

std::optional<Head> recognise_yolov3(const Network& network) {
  const Anchors& anchors = network.outputs.size() == 2 ? tiny_anchors() : yolov5_anchors();
  return network.named ? map_head(network, anchors, BoxFormula::kYoloV3) : std::nullopt;
}

std::optional<Head> recognise_yolo_fastest(const Network& network) {
  // COCO's, for the published networks of 352 pixels.
  static const Anchors kAnchors = {{{12.64, 19.39}, {37.88, 51.48}, {55.71, 138.31}},
                                   {{126.91, 78.23}, {131.57, 214.55}, {279.92, 258.87}}};
  const Anchors given = anchors_in_metadata(network);
  const MapHead how{.anchors = given.empty() ? kAnchors : given};
  const std::vector<MapLayout> maps = layouts_of(maps_of(network), 1);
  if (maps.size() != 2 || how.anchors.size() != 2 || maps[0].stride != 16) return {};
  const std::size_t columns = maps[0].columns;
  if (columns <= kFastestFirstClass) return {};
  const std::size_t classes = columns - kFastestFirstClass;
  const std::size_t named = classes_in_metadata(network);
  const bool could_be_other = columns % kAnchorCount == 0 && classes != 80;
  if (named > 0 ? named != classes : could_be_other && !network.named) return {};
  Head head{.classes = classes, .pixels = plain_pixels(1.0 / 255, Color::kBgr, Fit::kStretch)};
  head.score = 0.3;
  head.iou = 0.4;
  head.decode = [how](const std::vector<Tensor>& outputs, const Decoding& decoding) {
    return decode_fastest(how, outputs, decoding);
  };
  return head;
}

}  // namespace mini_infer::tools
