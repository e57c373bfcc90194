#include "tools/tasks/regions.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace mini_infer::tools {
namespace {

double cross(Point a, Point b, Point c) {
  return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
}

// The corners of the region's leftmost and rightmost pixels in each row: all that its hull can
// have. Sorted by y, then x.
std::vector<Point> outermost_corners(const Region& region, int map_width) {
  const auto width = static_cast<std::size_t>(map_width);
  std::vector<std::size_t> sorted = region.pixels;
  std::sort(sorted.begin(), sorted.end());
  std::vector<Point> points;
  const auto add = [&](std::size_t first, std::size_t last) {
    const double y = static_cast<double>(first / width);
    const double left = static_cast<double>(first % width);
    const double right = static_cast<double>(last % width) + 1;
    for (const double edge : {y, y + 1}) points.insert(points.end(), {{left, edge}, {right, edge}});
  };
  for (std::size_t i = 0; i < sorted.size();) {
    std::size_t last = i;
    while (last + 1 < sorted.size() && sorted[last + 1] / width == sorted[i] / width) ++last;
    add(sorted[i], sorted[last]);
    i = last + 1;
  }
  std::sort(points.begin(), points.end(),
            [](Point a, Point b) { return a.y != b.y ? a.y < b.y : a.x < b.x; });
  return points;
}

// Andrew's monotone chain over points sorted by y.
std::vector<Point> hull_of(const std::vector<Point>& points) {
  std::vector<Point> hull;
  for (const bool back : {false, true}) {
    const std::size_t base = hull.size();
    for (std::size_t i = 0; i < points.size(); ++i) {
      const Point p = points[back ? points.size() - 1 - i : i];
      while (hull.size() >= base + 2 && cross(hull[hull.size() - 2], hull.back(), p) <= 0)
        hull.pop_back();
      hull.push_back(p);
    }
    hull.pop_back();
  }
  return hull;
}

// The rectangle along `direction` (a unit vector) around the hull.
SlantedBox box_along(const std::vector<Point>& hull, Point direction) {
  constexpr double kFar = std::numeric_limits<double>::infinity();
  Box extent{kFar, kFar, -kFar, -kFar};
  for (const Point& p : hull) {
    const double along = p.x * direction.x + p.y * direction.y;
    const double across = p.y * direction.x - p.x * direction.y;
    extent = {std::min(extent.left, along), std::min(extent.top, across),
              std::max(extent.right, along), std::max(extent.bottom, across)};
  }
  const double along = (extent.left + extent.right) / 2, across = (extent.top + extent.bottom) / 2;
  return {{along * direction.x - across * direction.y, along * direction.y + across * direction.x},
          extent.width(),
          extent.height(),
          std::atan2(direction.y, direction.x)};
}

}  // namespace

std::vector<Region> regions_above(const Field& map, double threshold) {
  std::vector<bool> seen(map.values.size());
  std::vector<Region> regions;
  for (std::size_t start = 0; start < map.values.size(); ++start) {
    if (seen[start] || !(map.values[start] > threshold)) continue;
    Region region{{start}};
    seen[start] = true;
    for (std::size_t next = 0; next < region.pixels.size(); ++next) {
      const int x = static_cast<int>(region.pixels[next] % static_cast<std::size_t>(map.width));
      const int y = static_cast<int>(region.pixels[next] / static_cast<std::size_t>(map.width));
      for (int ny = std::max(0, y - 1); ny <= std::min(map.height - 1, y + 1); ++ny) {
        for (int nx = std::max(0, x - 1); nx <= std::min(map.width - 1, x + 1); ++nx) {
          const std::size_t i = static_cast<std::size_t>(ny) * static_cast<std::size_t>(map.width) +
                                static_cast<std::size_t>(nx);
          if (seen[i] || !(map.values[i] > threshold)) continue;
          seen[i] = true;
          region.pixels.push_back(i);
        }
      }
    }
    regions.push_back(std::move(region));
  }
  return regions;
}

std::array<Point, 4> corners_of(const SlantedBox& box) {
  const double c = std::cos(box.angle), s = std::sin(box.angle);
  const auto corner = [&](double x, double y) {
    return Point{box.middle.x + x * c - y * s, box.middle.y + x * s + y * c};
  };
  const double w = box.width / 2, h = box.height / 2;
  return {corner(-w, -h), corner(w, -h), corner(w, h), corner(-w, h)};
}

SlantedBox smallest_box(const Region& region, int map_width) {
  const std::vector<Point> hull = hull_of(outermost_corners(region, map_width));
  // One side of the smallest rectangle lies on an edge of the hull.
  SlantedBox best = box_along(hull, {1, 0});
  for (std::size_t i = 0; i < hull.size(); ++i) {
    const Point a = hull[i], b = hull[(i + 1) % hull.size()];
    Point d = {b.x - a.x, b.y - a.y};
    const double length = std::hypot(d.x, d.y);
    if (length == 0) continue;
    // Of the four directions of its sides the one that leads most to the right.
    if (std::abs(d.y) > std::abs(d.x)) d = {-d.y, d.x};
    const double sign = d.x < 0 ? -1 : 1;
    const SlantedBox box = box_along(hull, {sign * d.x / length, sign * d.y / length});
    if (box.width * box.height < best.width * best.height - 1e-9) best = box;
  }
  return best;
}

}  // namespace mini_infer::tools
