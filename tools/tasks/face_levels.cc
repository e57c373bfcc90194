// Detectors of faces without priors, with outputs for each feature map: SCRFD (arXiv 2105.04714)
// and YuNet of 2022 and later.
#include <algorithm>
#include <array>
#include <cmath>

#include "tools/tasks/families.h"
#include "tools/tasks/priors.h"

namespace mini_infer::tools {
namespace {

constexpr std::array<int, 3> kStrides = {8, 16, 32};

Head face_head() {
  Head head{.task = Task::kFace, .classes = 1, .labels = {"face"}};
  head.score = 0.5;
  head.iou = 0.4;
  return head;
}

struct ScrfdLevel {
  int stride = 0;
  std::size_t scores = 0, boxes = 0;
  std::optional<std::size_t> points;
};
constexpr int kScrfdPerCell = 2;

// Distances, in strides, from the corner of the cell to the sides of the box and to the points.
Status decode_scrfd_level(const ScrfdLevel& level, const std::vector<Tensor>& outputs,
                          const Decoding& decoding, std::vector<Object>& faces) {
  const std::vector<Cell> cells =
      grid(decoding.input.width, decoding.input.height, {&level.stride, 1}, kScrfdPerCell);
  MINI_TRY_ASSIGN(Rows scores, rows_of(outputs[level.scores], cells.size(), 1));
  MINI_TRY_ASSIGN(const Rows boxes, rows_of(outputs[level.boxes], cells.size(), 4));
  Rows points;
  if (level.points) {
    MINI_TRY_ASSIGN(points, rows_of(outputs[*level.points], cells.size(), 2 * kFacePoints));
  }
  if (!are_unit(scores, 0, 1)) apply_sigmoid(scores, 0, 1);
  const double s = level.stride;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (!(scores.at(i, 0) >= decoding.score)) continue;
    const double x = cells[i].x * s, y = cells[i].y * s;
    const std::span<const double> b = boxes.row(i);
    Object face{.score = scores.at(i, 0),
                .box = {x - b[0] * s, y - b[1] * s, x + b[2] * s, y + b[3] * s}};
    for (std::size_t p = 0; level.points && p < kFacePoints; ++p) {
      face.points.push_back({{x + points.at(i, 2 * p) * s, y + points.at(i, 2 * p + 1) * s}, 1});
    }
    faces.push_back(std::move(face));
  }
  return ok();
}

// The outputs of the maps are told apart by their numbers of rows.
std::vector<ScrfdLevel> scrfd_levels(const Network& network) {
  std::vector<ScrfdLevel> levels;
  for (const int stride : kStrides) {
    const std::int64_t rows =
        grid_size(network.width, network.height, {&stride, 1}) * kScrfdPerCell;
    const auto scores = output_with(network, rows, 1), boxes = output_with(network, rows, 4);
    if (!scores || !boxes) return {};
    levels.push_back({stride, *scores, *boxes, output_with(network, rows, 2 * kFacePoints)});
  }
  return levels;
}

struct YunetLevel {
  int stride = 0;
  std::size_t scores = 0, overlaps = 0, boxes = 0, points = 0;
};

Status decode_yunet_level(const YunetLevel& level, const std::vector<Tensor>& outputs,
                          const Decoding& decoding, std::vector<Object>& faces) {
  const std::vector<Cell> cells =
      grid(decoding.input.width, decoding.input.height, {&level.stride, 1});
  MINI_TRY_ASSIGN(const Rows scores, rows_of(outputs[level.scores], cells.size(), 1));
  MINI_TRY_ASSIGN(const Rows overlaps, rows_of(outputs[level.overlaps], cells.size(), 1));
  MINI_TRY_ASSIGN(const Rows boxes, rows_of(outputs[level.boxes], cells.size(), 4));
  MINI_TRY_ASSIGN(const Rows points, rows_of(outputs[level.points], cells.size(), 10));
  const double s = level.stride;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const auto unit = [](double v) { return std::clamp(v, 0.0, 1.0); };
    const double score = std::sqrt(unit(scores.at(i, 0)) * unit(overlaps.at(i, 0)));
    if (!(score >= decoding.score)) continue;
    const std::span<const double> b = boxes.row(i);
    Object face{.score = score,
                .box = box_around((cells[i].x + b[0]) * s, (cells[i].y + b[1]) * s,
                                  std::exp(b[2]) * s, std::exp(b[3]) * s)};
    for (std::size_t p = 0; p < kFacePoints; ++p) {
      face.points.push_back(
          {{(cells[i].x + points.at(i, 2 * p)) * s, (cells[i].y + points.at(i, 2 * p + 1)) * s},
           1});
    }
    faces.push_back(std::move(face));
  }
  return ok();
}

std::optional<std::size_t> output_called(const Network& network, const std::string& name) {
  for (std::size_t i = 0; i < network.outputs.size(); ++i) {
    if (network.outputs[i].name == name) return i;
  }
  return {};
}

std::vector<YunetLevel> yunet_levels(const Network& network) {
  std::vector<YunetLevel> levels;
  for (const int stride : kStrides) {
    const std::string end = '_' + std::to_string(stride);
    const auto scores = output_called(network, "cls" + end),
               overlaps = output_called(network, "obj" + end),
               boxes = output_called(network, "bbox" + end),
               points = output_called(network, "kps" + end);
    if (!scores || !overlaps || !boxes || !points) return {};
    levels.push_back({stride, *scores, *overlaps, *boxes, *points});
  }
  return levels;
}

template <class Level>
Decode decode_levels(std::vector<Level> levels,
                     Status (*decode)(const Level&, const std::vector<Tensor>&, const Decoding&,
                                      std::vector<Object>&)) {
  return [=](const std::vector<Tensor>& outputs, const Decoding& decoding) -> Result<Findings> {
    std::vector<Object> faces;
    for (const Level& level : levels) MINI_TRY(decode(level, outputs, decoding, faces));
    return Findings{.objects = best_objects(std::move(faces), decoding.iou)};
  };
}

}  // namespace

std::optional<Head> recognise_scrfd(const Network& network) {
  std::vector<ScrfdLevel> levels = scrfd_levels(network);
  const std::size_t count = network.outputs.size();
  if (levels.empty() || (count != 6 && count != 9)) return {};
  Head head = face_head();
  head.pixels = {.scale = {1}, .mean = {127.5}, .std = {128}, .color = Color::kRgb};
  head.pixels.fit = Fit::kCorner;
  head.pixels.open_side = 640;
  head.decode = decode_levels(std::move(levels), decode_scrfd_level);
  return head;
}

std::optional<Head> recognise_yunet_levels(const Network& network) {
  std::vector<YunetLevel> levels = yunet_levels(network);
  if (levels.empty()) return {};
  Head head = face_head();
  head.score = 0.6;
  head.pixels = plain_pixels(1, Color::kBgr, Fit::kLetterbox);
  head.decode = decode_levels(std::move(levels), decode_yunet_level);
  return head;
}

}  // namespace mini_infer::tools
