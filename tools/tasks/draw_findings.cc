#include <algorithm>
#include <array>

#include "tools/common.h"
#include "tools/tasks/report.h"

namespace mini_infer::tools {
namespace {

// Key points of less certain presence are not drawn.
constexpr double kLeastPointScore = 0.3;

void draw_mask(Image& image, const Mask& mask, Rgb color) {
  constexpr double kOpacity = 0.45;
  std::size_t i = 0;
  for (int y = 0; y < mask.height; ++y) {
    for (int x = 0; x < mask.width; ++x, ++i) {
      if (mask.inside[i]) blend_pixel(image, mask.left + x, mask.top + y, color, kOpacity);
    }
  }
}

void draw_points(Image& image, const Object& object, const Bones& bones, int scale, Rgb color) {
  const auto drawn = [&](int i) {
    const auto at = static_cast<std::size_t>(i);
    return at < object.points.size() && object.points[at].score >= kLeastPointScore;
  };
  for (const auto& [from, to] : bones) {
    if (!drawn(from) || !drawn(to)) continue;
    draw_line(image, object.points[static_cast<std::size_t>(from)].at,
              object.points[static_cast<std::size_t>(to)].at, scale, color);
  }
  // Many points are drawn small, or they would run together; so are those of a small object.
  constexpr std::size_t kMany = 30;
  const double usual = object.points.size() > kMany ? scale : 1.5 * scale + 1;
  const double side = std::min(object.box.width(), object.box.height());
  const double radius = std::clamp(side / 25, 0.7, usual);
  for (const KeyPoint& point : object.points) {
    if (point.score < kLeastPointScore) continue;
    draw_disc(image, point.at, radius + 1, {20, 20, 20});
    draw_disc(image, point.at, radius, color);
  }
}

void draw_outline(Image& image, const Object& object, int scale, Rgb color) {
  const Box& b = object.box;
  const std::array<Point, 4> corners = {
      Point{b.left, b.top}, {b.right, b.top}, {b.right, b.bottom}, {b.left, b.bottom}};
  const std::span<const Point> outline =
      object.outline.empty() ? std::span<const Point>(corners) : object.outline;
  draw_polygon(image, outline, scale + 1.0, color);
}

void draw_class_map(Image& image, const ClassMap& map) {
  constexpr double kOpacity = 0.55;
  std::size_t i = 0;
  for (int y = 0; y < map.height; ++y) {
    for (int x = 0; x < map.width; ++x, ++i) {
      if (map.classes[i] != 0) blend_pixel(image, x, y, palette(map.classes[i]), kOpacity);
    }
  }
}

// What the colours mean: a label for each class with at least a hundredth of the picture.
void draw_legend(Image& image, const ClassMap& map, const Labels& labels) {
  const int scale = drawing_scale(image);
  std::vector<std::size_t> counts;
  for (const std::uint16_t cls : map.classes) {
    if (cls >= counts.size()) counts.resize(cls + std::size_t{1});
    ++counts[cls];
  }
  const double step = text_height(scale) + 4.0 * scale;
  double bottom = step;
  for (std::size_t cls = 1; cls < counts.size(); ++cls) {
    if (counts[cls] * 100 < map.classes.size()) continue;
    draw_label(image, {0, bottom}, label_of(cls, labels), scale, palette(cls));
    bottom += step;
  }
}

}  // namespace

Image draw_findings(const Image& image, const Findings& findings, const Labels& labels) {
  if (findings.picture) return *findings.picture;
  Image out = image;
  const int scale = drawing_scale(image);
  if (findings.class_map) {
    draw_class_map(out, *findings.class_map);
    draw_legend(out, *findings.class_map, labels);
  }
  // The best ones last, so that they lie on top.
  for (auto object = findings.objects.rbegin(); object != findings.objects.rend(); ++object) {
    const Rgb color = palette(object->cls);
    if (object->mask) draw_mask(out, *object->mask, color);
    draw_outline(out, *object, scale, color);
    draw_points(out, *object, findings.bones, scale, color);
  }
  for (auto object = findings.objects.rbegin(); object != findings.objects.rend(); ++object) {
    if (!object->outline.empty()) continue;  // a label would hide the line of text above
    // Where everything is of one kind, its name tells nothing.
    const std::string name = labels.size() == 1 ? "" : label_of(object->cls, labels) + ' ';
    const std::string text = name + format("%.0f%%", object->score * 100);
    draw_label(out, {object->box.left, object->box.top}, text, scale, palette(object->cls));
  }
  return out;
}

}  // namespace mini_infer::tools
