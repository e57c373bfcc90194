// Networks that leave nothing to suppress: YOLOv10 and Ultralytics' exports with nms=True, YOLOv7's
// with its own, exports that end in NonMaxSuppression, and transformers (DETR, arXiv 2005.12872).
#include <algorithm>
#include <cmath>

#include "tools/common.h"
#include "tools/tasks/boxes.h"
#include "tools/tasks/families.h"
#include "tools/values.h"

namespace mini_infer::tools {
namespace {

// Sorted by score, at most kMaxObjects; nothing else is removed.
Findings sorted(std::vector<Object> objects) {
  constexpr double kNeverTheSame = 2;
  return Findings{.objects = best_objects(std::move(objects), kNeverTheSame)};
}

bool is_class(double value) { return value >= 0 && value < 1e6 && value == std::floor(value); }

// The columns of a finished box.
struct Columns {
  std::size_t count, box, score, cls;
};
constexpr Columns kYoloV10 = {6, 0, 4, 5};
constexpr Columns kYoloV7 = {7, 1, 6, 5};  // behind the number of the picture in the batch

Result<Findings> decode_rows(const Columns& at, const std::vector<Tensor>& outputs,
                             const Decoding& decoding) {
  if (outputs[0].elements() == 0) return Findings();
  const auto count = static_cast<std::size_t>(outputs[0].elements()) / at.count;
  MINI_TRY_ASSIGN(const Rows rows, rows_of(outputs[0], count, at.count));
  std::vector<Object> objects;
  for (std::size_t i = 0; i < rows.rows; ++i) {
    const std::span<const double> row = rows.row(i);
    if (!(row[at.score] >= 0 && row[at.score] <= 1.001) || !is_class(row[at.cls])) {
      return Status(Code::kInvalidModel,
                    format("row %zu has score %g and class %g; they are not those of a box that is "
                           "left, top, right, bottom, score, class",
                           i, row[at.score], row[at.cls]));
    }
    if (!(row[at.score] >= decoding.score)) continue;
    const std::span<const double> b = row.subspan(at.box, 4);
    objects.push_back({.cls = static_cast<std::size_t>(row[at.cls]),
                       .score = row[at.score],
                       .box = {b[0], b[1], b[2], b[3]}});
  }
  return sorted(std::move(objects));
}

std::optional<Head> rows_head(const Network& network, const Columns& columns) {
  if (network.outputs.size() != 1 || !is_float_output(network.outputs[0])) return {};
  const std::vector<std::int64_t> e = extents_of(network.outputs[0]);
  constexpr std::int64_t kMostRows = 1000;  // more are predictions that still overlap
  if (e.size() != 2 || e[0] > kMostRows || e[1] != static_cast<std::int64_t>(columns.count))
    return {};
  const bool usual = e[0] == 100 || e[0] == 300;
  if (!usual && !network.named && !strides_for(network.width, network.height, e[0]).empty())
    return {};
  Head head{.pixels = plain_pixels(1.0 / 255, Color::kRgb, Fit::kLetterbox)};
  head.classes = classes_in_metadata(network);
  head.decode = [columns](const std::vector<Tensor>& outputs, const Decoding& decoding) {
    return decode_rows(columns, outputs, decoding);
  };
  return head;
}

// Outputs of boxes, scores, classes and perhaps their number, each named for what it is.
struct Named {
  std::size_t boxes = 0, scores = 0, classes = 0;
  std::optional<std::size_t> count;
  bool y_first = false;  // top, left, bottom, right
};

std::optional<std::size_t> output_named(const Network& network,
                                        std::initializer_list<const char*> words) {
  for (const char* word : words) {
    for (std::size_t i = 0; i < network.outputs.size(); ++i) {
      if (network.outputs[i].name.find(word) != std::string::npos) return i;
    }
  }
  return {};
}

std::optional<Named> named_outputs(const Network& network) {
  const auto boxes = output_named(network, {"boxes", "bboxes"});
  const auto scores = output_named(network, {"scores"});
  const auto classes = output_named(network, {"classes", "labels"});
  if (!boxes || !scores || !classes) return {};
  Named at{*boxes, *scores, *classes, output_named(network, {"num_det", "num_dets"})};
  at.y_first = network.outputs[*boxes].name.find("detection_boxes") != std::string::npos;
  const std::size_t count = at.count ? 4 : 3;
  const auto& dims = network.outputs[*boxes].dims;
  const auto& score_dims = network.outputs[*scores].dims;
  const bool four = dims && !dims->empty() && dims->back().value == 4;
  // A score for each box: one extent less.
  const bool one_score = dims && score_dims && score_dims->size() + 1 == dims->size();
  if (network.outputs.size() < count || !four || !one_score) return {};
  return at;
}

Result<Findings> decode_named(const Named& at, const std::vector<Tensor>& outputs,
                              const Decoding& decoding) {
  const std::vector<double> boxes = as_doubles(outputs[at.boxes]);
  const std::vector<double> scores = as_doubles(outputs[at.scores]);
  const std::vector<double> classes = as_doubles(outputs[at.classes]);
  std::size_t count = scores.size();
  if (boxes.size() != 4 * count || classes.size() != count) {
    return Status(Code::kInvalidModel, format("%zu numbers of boxes, %zu scores and %zu classes do "
                                              "not belong together",
                                              boxes.size(), count, classes.size()));
  }
  if (at.count) {
    const std::vector<double> said = as_doubles(outputs[*at.count]);
    if (said.size() == 1 && said[0] >= 0 && said[0] < static_cast<double>(count))
      count = static_cast<std::size_t>(said[0]);
  }
  const bool shares = std::all_of(boxes.begin(), boxes.end(), [](double v) { return v <= 2; });
  const double sx = shares ? decoding.input.width : 1, sy = shares ? decoding.input.height : 1;
  std::vector<Object> objects;
  for (std::size_t i = 0; i < count; ++i) {
    if (!(scores[i] >= decoding.score) || !is_class(classes[i])) continue;
    const double* b = &boxes[4 * i];
    const Box box = at.y_first ? Box{b[1] * sx, b[0] * sy, b[3] * sx, b[2] * sy}
                               : Box{b[0] * sx, b[1] * sy, b[2] * sx, b[3] * sy};
    objects.push_back(
        {.cls = static_cast<std::size_t>(classes[i]), .score = scores[i], .box = box});
  }
  return sorted(std::move(objects));
}

// All boxes and scores, and which of them ONNX's NonMaxSuppression selected.
struct Selected {
  std::size_t boxes = 0, scores = 0, indices = 0;
};

std::optional<Selected> selected_outputs(const Network& network) {
  if (network.outputs.size() != 3) return {};
  for (std::size_t i = 0; i < 3; ++i) {
    const std::vector<std::int64_t> e = extents_of(network.outputs[i]);
    const bool integers =
        network.outputs[i].dtype == DType::kInt64 || network.outputs[i].dtype == DType::kInt32;
    if (!integers || e.size() != 2 || e[1] != 3) continue;
    for (const std::size_t boxes : {(i + 1) % 3, (i + 2) % 3}) {
      const std::size_t scores = 3 - i - boxes;
      const std::vector<std::int64_t> b = extents_of(network.outputs[boxes]);
      const std::vector<std::int64_t> s = extents_of(network.outputs[scores]);
      const bool floats =
          is_float_output(network.outputs[boxes]) && is_float_output(network.outputs[scores]);
      if (floats && b.size() == 2 && b[1] == 4 && s.size() == 2 && (b[0] == s[1] || b[0] < 0))
        return Selected{boxes, scores, i};
    }
  }
  return {};
}

// Rows of indices: picture, class, box. Boxes are two opposite corners, y before x.
Result<Findings> decode_selected(const Selected& at, const std::vector<Tensor>& outputs,
                                 const Decoding& decoding) {
  const std::vector<double> boxes = as_doubles(outputs[at.boxes]);
  const std::vector<double> scores = as_doubles(outputs[at.scores]);
  const std::vector<double> indices = as_doubles(outputs[at.indices]);
  const auto count = static_cast<double>(boxes.size() / 4);
  const bool shares = std::all_of(boxes.begin(), boxes.end(), [](double v) { return v <= 2; });
  const double sx = shares ? decoding.input.width : 1, sy = shares ? decoding.input.height : 1;
  std::vector<Object> objects;
  for (std::size_t i = 0; i + 2 < indices.size(); i += 3) {
    const double cls = indices[i + 1], box = indices[i + 2];
    const double place = cls * count + box;
    if (!(cls >= 0 && box >= 0 && box < count && place < static_cast<double>(scores.size()))) {
      return Status(Code::kInvalidModel,
                    format("the selected box %g of class %g does not exist", box, cls));
    }
    const double score = scores[static_cast<std::size_t>(place)];
    const double* b = &boxes[4 * static_cast<std::size_t>(box)];
    if (!(score >= decoding.score)) continue;
    objects.push_back({.cls = static_cast<std::size_t>(cls),
                       .score = score,
                       .box = {std::min(b[1], b[3]) * sx, std::min(b[0], b[2]) * sy,
                               std::max(b[1], b[3]) * sx, std::max(b[0], b[2]) * sy}});
  }
  return sorted(std::move(objects));
}

struct Queries {
  std::size_t logits = 0, boxes = 0;
  bool background_last = false;  // softmax over the classes and "no object"
};

// Logits of each query's classes, and its box as shares of the input: middle, width, height.
Result<Findings> decode_queries(const Queries& at, const std::vector<Tensor>& outputs,
                                const Decoding& decoding) {
  const auto count = static_cast<std::size_t>(outputs[at.boxes].elements()) / 4;
  MINI_TRY_ASSIGN(Rows boxes, rows_of(outputs[at.boxes], count, 4));
  MINI_TRY_ASSIGN(const Rows logits, rows_of(outputs[at.logits], count));
  if (logits.columns < 2 && at.background_last)
    return Status(Code::kInvalidModel, "logits without a class beside the background");
  scale_boxes(boxes, decoding.input);
  std::vector<Object> objects;
  for (std::size_t i = 0; i < count; ++i) {
    const std::span<const double> row = logits.row(i);
    const std::size_t classes = row.size() - (at.background_last ? 1 : 0);
    const Best best = best_of(row.first(classes));
    double score = sigmoid(best.score);
    if (at.background_last) {
      double sum = 0;
      for (const double logit : row) sum += std::exp(logit - best.score);
      score = 1 / sum;
    }
    if (!(score >= decoding.score)) continue;
    const std::span<const double> b = boxes.row(i);
    objects.push_back(
        {.cls = best.index, .score = score, .box = box_around(b[0], b[1], b[2], b[3])});
  }
  return sorted(std::move(objects));
}

}  // namespace

std::optional<Head> recognise_yolov10(const Network& network) {
  return rows_head(network, kYoloV10);
}

std::optional<Head> recognise_yolov7_nms(const Network& network) {
  // The batch is a column, not an axis: else seven columns are YOLOv5's for two classes.
  const bool flat = network.outputs.size() == 1 && network.outputs[0].dims &&
                    network.outputs[0].dims->size() == 2;
  return flat ? rows_head(network, kYoloV7) : std::nullopt;
}

std::optional<Head> recognise_nms(const Network& network) {
  const std::optional<Named> at = named_outputs(network);
  if (!at) return {};
  Head head{.classes = classes_in_metadata(network),
            .pixels = plain_pixels(1.0 / 255, Color::kRgb, Fit::kLetterbox)};
  head.decode = [at = *at](const std::vector<Tensor>& outputs, const Decoding& decoding) {
    return decode_named(at, outputs, decoding);
  };
  return head;
}

std::optional<Head> recognise_nms_indices(const Network& network) {
  const std::optional<Selected> at = selected_outputs(network);
  if (!at) return {};
  Head head{.classes = classes_in_metadata(network),
            .pixels = plain_pixels(1.0 / 255, Color::kRgb, Fit::kLetterbox)};
  head.decode = [at = *at](const std::vector<Tensor>& outputs, const Decoding& decoding) {
    return decode_selected(at, outputs, decoding);
  };
  return head;
}

std::optional<Head> recognise_detr(const Network& network) {
  const auto logits = output_named(network, {"logits"}), boxes = output_named(network, {"boxes"});
  if (!logits || !boxes || network.outputs.size() < 2) return {};
  const std::vector<std::int64_t> l = extents_of(network.outputs[*logits]);
  const std::vector<std::int64_t> b = extents_of(network.outputs[*boxes]);
  if (l.size() != 2 || b.size() != 2 || b[1] != 4 || l[0] != b[0] || l[1] < 1) return {};
  // DETR itself counts COCO's 91 categories and "no object"; its followers have no background.
  Queries at{*logits, *boxes, l[1] == 92 || l[1] == static_cast<std::int64_t>(network.labels) + 1};
  Head head{.classes = static_cast<std::size_t>(l[1]) - (at.background_last ? 1 : 0)};
  // Those that count COCO's 91 categories take ImageNet's numbers, RT-DETR and later ones 0 to 1.
  const bool imagenet = l[1] == 91 || l[1] == 92;
  head.pixels = {.preset = imagenet ? "imagenet" : "unit", .fit = Fit::kStretch, .open_side = 640};
  head.score = 0.5;
  head.decode = [at](const std::vector<Tensor>& outputs, const Decoding& decoding) {
    return decode_queries(at, outputs, decoding);
  };
  return head;
}

}  // namespace mini_infer::tools
