// Points of one face or hand that fills the picture.
#include <algorithm>
#include <cmath>

#include "tools/common.h"
#include "tools/tasks/boxes.h"
#include "tools/tasks/families.h"
#include "tools/tasks/skeletons.h"
#include "tools/values.h"

namespace mini_infer::tools {
namespace {

std::int64_t element_count(const ValueInfo& output) {
  if (!output.dims || !is_float_output(output)) return -1;
  std::int64_t count = 1;
  for (const DimInfo& dim : *output.dims) {
    constexpr std::int64_t kMost = std::int64_t{1} << 20;
    if (dim.value > kMost || count > kMost) return -1;
    if (dim.value > 0) count *= dim.value;  // an open batch is 1
  }
  return count;
}

// An object around its points.
Object around(std::vector<KeyPoint> points, double score) {
  Object object{.score = score, .points = std::move(points)};
  Box& box = object.box;
  box = {INFINITY, INFINITY, -INFINITY, -INFINITY};
  for (const KeyPoint& point : object.points) {
    box = {std::min(box.left, point.at.x), std::min(box.top, point.at.y),
           std::max(box.right, point.at.x), std::max(box.bottom, point.at.y)};
  }
  return object;
}

// x, y, z for each point, in pixels of the input; z is left out.
Result<std::vector<KeyPoint>> points_in(const Tensor& tensor, std::size_t count) {
  const std::vector<double> values = as_doubles(tensor);
  if (values.size() != 3 * count) {
    return Status(Code::kInvalidModel, "points have shape " + tensor.shape().str());
  }
  std::vector<KeyPoint> points;
  for (std::size_t i = 0; i < count; ++i) points.push_back({{values[3 * i], values[3 * i + 1]}, 1});
  return points;
}

// A number that is a probability already, or goes through the sigmoid.
double probability(const Tensor& tensor) {
  const std::vector<double> values = as_doubles(tensor);
  if (values.empty()) return 0;
  return values[0] >= 0 && values[0] <= 1 ? values[0] : sigmoid(values[0]);
}

// Outputs by their number of elements, in the order of the model.
std::vector<std::size_t> outputs_of(const Network& network, std::int64_t elements) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < network.outputs.size(); ++i) {
    if (element_count(network.outputs[i]) == elements) found.push_back(i);
  }
  return found;
}

struct PointOutputs {
  std::size_t points, score, count;
};

Result<Findings> decode_points(const PointOutputs& at, const std::vector<Tensor>& outputs,
                               const Decoding& decoding) {
  const double score = probability(outputs[at.score]);
  MINI_TRY_ASSIGN(std::vector<KeyPoint> points, points_in(outputs[at.points], at.count));
  Findings findings{.bones = bones_for(at.count)};
  if (score >= decoding.score) findings.objects.push_back(around(std::move(points), score));
  return findings;
}

Head point_head(Task task, const char* label, const PointOutputs& at) {
  Head head{.task = task, .classes = 1, .labels = {label}};
  head.pixels = plain_pixels(1.0 / 255, Color::kRgb, Fit::kLetterbox);
  head.score = 0.5;
  head.decode = [at](const std::vector<Tensor>& outputs, const Decoding& decoding) {
    return decode_points(at, outputs, decoding);
  };
  return head;
}

constexpr std::size_t kHeatmapPoints = 66;
constexpr int kHeatmapSide = 28;

// The inverse of the sigmoid, as OpenSeeFace trains offsets: a 16th of it, in sides of the input.
double offset(double p) {
  constexpr double kTiny = 1e-7, kFactor = 16;
  p = std::clamp(p, kTiny, 1 - kTiny);
  return std::log(p / (1 - p)) / kFactor;
}

// 66 heat maps, then as many maps of offsets downwards and to the right, by which the best place of
// a heat map is moved.
Result<Findings> decode_heatmaps(const std::vector<Tensor>& outputs, const Decoding& decoding) {
  constexpr std::size_t kCells = std::size_t{kHeatmapSide} * kHeatmapSide;
  const std::vector<double> maps = as_doubles(outputs[0]);
  if (maps.size() != 3 * kHeatmapPoints * kCells)
    return Status(Code::kInvalidModel, "heat maps have shape " + outputs[0].shape().str());
  const double width = decoding.input.width - 1.0, height = decoding.input.height - 1.0;
  std::vector<KeyPoint> points;
  double sum = 0;
  for (std::size_t i = 0; i < kHeatmapPoints; ++i) {
    const Best best = best_of({&maps[i * kCells], kCells});
    const auto shift = [&](std::size_t map) { return offset(maps[map * kCells + best.index]); };
    const double row = static_cast<double>(best.index / kHeatmapSide) / (kHeatmapSide - 1);
    const double column = static_cast<double>(best.index % kHeatmapSide) / (kHeatmapSide - 1);
    const double score = std::clamp(best.score, 0.0, 1.0);
    points.push_back({{width * (column + shift(2 * kHeatmapPoints + i)),
                       height * (row + shift(kHeatmapPoints + i))},
                      score});
    sum += score;
  }
  Findings findings;
  const double mean = sum / kHeatmapPoints;
  if (mean >= decoding.score) findings.objects.push_back(around(std::move(points), mean));
  return findings;
}

}  // namespace

std::optional<Head> recognise_hand(const Network& network) {
  constexpr std::size_t kPoints = 21;
  const auto points = outputs_of(network, 3 * kPoints), single = outputs_of(network, 1);
  const std::size_t count = network.outputs.size();
  if (points.empty() || points.size() > 2 || single.empty() ||
      points.size() + single.size() != count)
    return {};
  // First the points of the picture, then those in metres; first whether there is a hand, then
  // which one.
  return point_head(Task::kPose, "hand", {points[0], single[0], kPoints});
}

std::optional<Head> recognise_face_mesh(const Network& network) {
  for (const std::size_t count : {std::size_t{468}, std::size_t{478}}) {
    const auto points = outputs_of(network, static_cast<std::int64_t>(3 * count));
    const auto score = outputs_of(network, 1);
    if (points.size() == 1 && score.size() == 1 && network.outputs.size() == 2)
      return point_head(Task::kFace, "face", {points[0], score[0], count});
  }
  return {};
}

std::optional<Head> recognise_face_heatmaps(const Network& network) {
  if (network.outputs.size() != 1) return {};
  const std::vector<std::int64_t> wanted = {3 * kHeatmapPoints, kHeatmapSide, kHeatmapSide};
  const bool fits = network.channels == 3 && network.width == 224 && network.height == 224;
  if (!fits || extents_of(network.outputs[0]) != wanted) return {};
  Head head{
      .task = Task::kFace, .classes = 1, .labels = {"face"}, .pixels = {.preset = "imagenet"}};
  head.pixels.fit = Fit::kStretch;
  head.score = 0.4;
  head.decode = decode_heatmaps;
  return head;
}

}  // namespace mini_infer::tools
