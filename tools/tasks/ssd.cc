// Detectors with scores [1,N,classes] and boxes [1,N,4] that are decoded in the graph, class 0 the
// background: SSD, and UltraFace, which has one class.
#include <algorithm>

#include "tools/common.h"
#include "tools/tasks/families.h"
#include "tools/tasks/priors.h"

namespace mini_infer::tools {
namespace {

struct Outputs {
  std::size_t scores = 0, boxes = 0;
};

// The share of boxes whose right lies right of their left, bottom below top, and that are not far
// outside of the picture.
double plausible_share(const Rows& boxes) {
  std::size_t good = 0;
  for (std::size_t i = 0; i < boxes.rows; ++i) {
    const std::span<const double> b = boxes.row(i);
    const bool inside = std::all_of(b.begin(), b.end(), [](double v) { return v > -1 && v < 2; });
    good += inside && b[2] > b[0] && b[3] > b[1] ? 1 : 0;
  }
  return static_cast<double>(good) / static_cast<double>(boxes.rows);
}

// UltraFace's, for exports that leave decoding to the caller.
const PriorPlan& ultraface_plan() {
  static const PriorPlan kPlan = {{8, 16, 32, 64},
                                  {{10, 16, 24}, {32, 48}, {64, 96}, {128, 192, 256}}};
  return kPlan;
}

// Left, top, right, bottom in pixels.
Status to_pixels(Rows& boxes, const PictureInput& input) {
  constexpr double kMost = 0.9;
  if (plausible_share(boxes) >= kMost) {
    scale_boxes(boxes, input);
    return ok();
  }
  const std::vector<Prior> all = priors(input.width, input.height, ultraface_plan());
  if (all.size() != boxes.rows) {
    return {Code::kInvalidModel,
            "boxes are not left, top, right, bottom between 0 and 1, so they correct priors that "
            "the model does not hold"};
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Box box = box_from(all[i], boxes.row(i));
    const double edges[] = {box.left, box.top, box.right, box.bottom};
    std::copy_n(edges, 4, &boxes.values[i * 4]);
  }
  return ok();
}

Result<Findings> decode(const Outputs& at, const std::vector<Tensor>& outputs,
                        const Decoding& decoding) {
  const Shape& shape = outputs[at.boxes].shape();
  const auto count = static_cast<std::size_t>(shape.elements() / 4);
  MINI_TRY_ASSIGN(Rows boxes, rows_of(outputs[at.boxes], count, 4));
  MINI_TRY_ASSIGN(const Rows scores, rows_of(outputs[at.scores], count));
  if (scores.columns < 2 || !are_unit(scores, 0, scores.columns))
    return Status(Code::kInvalidModel, "scores are not probabilities; SSD's pass through Softmax");
  MINI_TRY(to_pixels(boxes, decoding.input));
  std::vector<Object> objects;
  for (std::size_t i = 0; i < count; ++i) {
    const Best best = best_of(scores.row(i).subspan(1));
    if (!(best.score >= decoding.score)) continue;
    const std::span<const double> b = boxes.row(i);
    objects.push_back({.cls = best.index, .score = best.score, .box = {b[0], b[1], b[2], b[3]}});
  }
  return Findings{.objects = best_objects(std::move(objects), decoding.iou)};
}

// Two float outputs with as many rows each, of which one has four columns; the other has a score
// for each class.
std::optional<Outputs> outputs_of(const Network& network, std::int64_t& classes) {
  if (network.outputs.size() != 2) return {};
  for (const std::size_t boxes : {std::size_t{1}, std::size_t{0}}) {
    const std::vector<std::int64_t> b = extents_of(network.outputs[boxes]);
    const std::vector<std::int64_t> s = extents_of(network.outputs[1 - boxes]);
    const bool floats = is_float_output(network.outputs[0]) && is_float_output(network.outputs[1]);
    if (!floats || b.size() != 2 || s.size() != 2 || b[1] != 4 || b[0] != s[0]) continue;
    constexpr std::int64_t kFewest = 500;  // below, they are the queries of a transformer
    if (s[1] < 2 || b[0] < kFewest) continue;
    classes = s[1];
    return Outputs{1 - boxes, boxes};
  }
  return {};
}

std::optional<Head> recognise(const Network& network, bool faces) {
  std::int64_t classes = 0;
  const std::optional<Outputs> at = outputs_of(network, classes);
  if (!at || faces != (classes == 2)) return {};
  Head head{.classes = static_cast<std::size_t>(classes) - 1};
  if (faces) head.labels = {"face"};
  if (faces) head.task = Task::kFace;
  head.pixels = {.scale = {1}, .mean = {127}, .std = {128}, .color = Color::kRgb};
  head.pixels.fit = Fit::kStretch;
  head.score = faces ? 0.7 : 0.4;
  head.iou = faces ? 0.3 : 0.45;
  head.decode = [at = *at](const std::vector<Tensor>& outputs, const Decoding& decoding) {
    return decode(at, outputs, decoding);
  };
  return head;
}

}  // namespace

std::optional<Head> recognise_ultraface(const Network& network) { return recognise(network, true); }

std::optional<Head> recognise_ssd(const Network& network) { return recognise(network, false); }

}  // namespace mini_infer::tools
