#include "tools/tasks/report.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "tools/common.h"
#include "tools/text.h"

namespace mini_infer::tools {
namespace {

std::string print_objects(const Findings& findings, const Labels& labels) {
  if (findings.objects.empty()) return "";
  Table table({0, 2, 3, 4, 5});
  table.add({"  score", "what", "left", "top", "right", "bottom"});
  for (const Object& object : findings.objects) {
    std::vector<std::string> row = {format("  %.3f", object.score),
                                    printable(label_of(object.cls, labels))};
    const Box& box = object.box;
    for (const double edge : {box.left, box.top, box.right, box.bottom})
      row.push_back(format("%.1f", edge));
    if (!object.points.empty()) row.push_back(format("%zu points", object.points.size()));
    table.add(std::move(row));
  }
  return table.str();
}

// The share of the picture that each class has, largest first.
std::vector<std::pair<double, std::size_t>> shares(const ClassMap& map) {
  std::map<std::size_t, std::size_t> counts;
  for (const std::uint16_t cls : map.classes) ++counts[cls];
  std::vector<std::pair<double, std::size_t>> sorted;
  for (const auto& [cls, count] : counts) {
    sorted.emplace_back(static_cast<double>(count) / static_cast<double>(map.classes.size()), cls);
  }
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  return sorted;
}

std::string print_map(const ClassMap& map, const Labels& labels) {
  constexpr double kLeast = 0.0005;  // what would print as 0.0 %
  Table table({0});
  for (const auto& [share, cls] : shares(map)) {
    if (share >= kLeast)
      table.add({format("  %.1f %%", share * 100), printable(label_of(cls, labels))});
  }
  return table.str();
}

std::string print_vector(const std::vector<double>& vector) {
  constexpr std::size_t kFirst = 5;
  std::string line = format("  vector of %zu, scaled to length 1:", vector.size());
  for (std::size_t i = 0; i < std::min(kFirst, vector.size()); ++i)
    line += format(" %.4f", vector[i]);
  return line + (vector.size() > kFirst ? " ...\n" : "\n");
}

Json point_json(Point at) { return {at.x, at.y}; }

Json mask_json(const Mask& mask) {
  Json runs = Json::array();
  std::size_t length = 0;
  bool inside = false;
  for (const bool pixel : mask.inside) {
    if (pixel != inside) {
      runs.push_back(length);
      length = 0;
      inside = pixel;
    }
    ++length;
  }
  runs.push_back(length);
  return {{"box", {mask.left, mask.top, mask.left + mask.width, mask.top + mask.height}},
          {"runs", runs}};
}

Json object_json(const Object& object, const Labels& labels) {
  const Box& box = object.box;
  Json json = {{"class", object.cls},
               {"label", label_of(object.cls, labels)},
               {"score", object.score},
               {"box", {box.left, box.top, box.right, box.bottom}}};
  for (const KeyPoint& point : object.points)
    json["points"].push_back({point.at.x, point.at.y, point.score});
  for (const Point& corner : object.outline) json["outline"].push_back(point_json(corner));
  if (object.mask) json["mask"] = mask_json(*object.mask);
  return json;
}

}  // namespace

std::string label_of(std::size_t cls, const Labels& labels) {
  return cls < labels.size() ? labels[cls] : "class " + std::to_string(cls);
}

std::string print_findings(const Findings& findings, const Labels& labels) {
  std::string text = print_objects(findings, labels);
  if (findings.class_map) text += print_map(*findings.class_map, labels);
  if (!findings.vector.empty()) text += print_vector(findings.vector);
  return text;
}

void add_findings(const Findings& findings, const Labels& labels, Json& json) {
  const bool other = findings.class_map || findings.picture || !findings.vector.empty();
  if (!findings.objects.empty() || !other) {
    json["objects"] = Json::array();
    for (const Object& object : findings.objects)
      json["objects"].push_back(object_json(object, labels));
  }
  if (findings.class_map) {
    json["classes"] = Json::array();
    for (const auto& [share, cls] : shares(*findings.class_map)) {
      json["classes"].push_back(
          {{"class", cls}, {"label", label_of(cls, labels)}, {"share", share}});
    }
  }
  if (findings.picture)
    json["picture"] = {{"width", findings.picture->width}, {"height", findings.picture->height}};
  if (!findings.vector.empty()) json["vector"] = findings.vector;
}

}  // namespace mini_infer::tools
