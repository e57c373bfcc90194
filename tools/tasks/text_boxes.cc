// Detectors of text that give the probability of being text for each pixel (DB, arXiv 1911.08947;
// PP-OCR): regions above a threshold become slanted boxes, grown again to the size that the
// training had shrunk them from.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "tools/common.h"
#include "tools/tasks/boxes.h"
#include "tools/tasks/dense.h"
#include "tools/tasks/families.h"
#include "tools/tasks/regions.h"

namespace mini_infer::tools {
namespace {

constexpr double kPixelThreshold = 0.3;
constexpr double kGrowth = 1.5;   // the shift of the edges is growth * area / perimeter
constexpr double kLeastSide = 3;  // pixels of the map, before growing

// The mean probability in the region.
double mean_of(const Field& map, const Region& region) {
  double sum = 0;
  for (const std::size_t i : region.pixels) sum += map.values[i];
  return sum / static_cast<double>(region.pixels.size());
}

SlantedBox grown(SlantedBox box) {
  const double shift = kGrowth * box.width * box.height / (2 * (box.width + box.height));
  box.width += 2 * shift;
  box.height += 2 * shift;
  return box;
}

Object text_at(const SlantedBox& box, double score, double x_scale, double y_scale) {
  Object text{.score = score};
  for (const Point& corner : corners_of(box))
    text.outline.push_back({corner.x * x_scale, corner.y * y_scale});
  const auto [left, right] =
      std::minmax_element(text.outline.begin(), text.outline.end(),
                          [](const Point& a, const Point& b) { return a.x < b.x; });
  const auto [top, bottom] =
      std::minmax_element(text.outline.begin(), text.outline.end(),
                          [](const Point& a, const Point& b) { return a.y < b.y; });
  text.box = {left->x, top->y, right->x, bottom->y};
  return text;
}

Result<Findings> decode(const std::vector<Tensor>& outputs, const Decoding& decoding) {
  MINI_TRY_ASSIGN(const Field map, single_field(outputs[0]));
  for (const double value : map.values) {
    if (value >= -1e-3 && value <= 1 + 1e-3) continue;
    return Status(Code::kInvalidModel,
                  format("the map holds %g; the probability of text lies between 0 and 1", value));
  }
  const double x_scale = static_cast<double>(decoding.input.width) / map.width;
  const double y_scale = static_cast<double>(decoding.input.height) / map.height;
  std::vector<Object> texts;
  for (const Region& region : regions_above(map, kPixelThreshold)) {
    if (texts.size() == kMaxCandidates) break;
    const SlantedBox box = smallest_box(region, map.width);
    const double score = mean_of(map, region);
    if (std::min(box.width, box.height) < kLeastSide || !(score >= decoding.score)) continue;
    texts.push_back(text_at(grown(box), score, x_scale, y_scale));
  }
  // In reading order: line after line.
  std::sort(texts.begin(), texts.end(), [](const Object& a, const Object& b) {
    return std::pair(a.box.top, a.box.left) < std::pair(b.box.top, b.box.left);
  });
  return Findings{.objects = std::move(texts)};
}

}  // namespace

std::optional<Head> recognise_text(const Network& network) {
  // Paddle calls its input x and leaves its size open.
  const bool paddle = network.open_size && network.input_name == "x";
  const bool asked = network.named || network.asked == Task::kDetect;
  if (network.channels != 3 || !is_single_map(network) || !(paddle || asked)) return {};
  Head head{.classes = 1, .labels = {"text"}};
  // PP-OCR reads BGR and applies ImageNet's numbers to it as they stand.
  head.pixels = {.scale = {1.0 / 255},
                 .mean = {0.485, 0.456, 0.406},
                 .std = {0.229, 0.224, 0.225},
                 .color = Color::kBgr,
                 .fit = Fit::kStretch,
                 .most_side = 960};
  head.score = 0.6;
  head.decode = decode;
  return head;
}

}  // namespace mini_infer::tools
