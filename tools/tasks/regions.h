// Connected regions of a map, and the boxes around them.
#pragma once

#include <array>

#include "tools/tasks/dense.h"

namespace mini_infer::tools {

// Indices of pixels (y * width + x) that hang together over edges or corners.
struct Region {
  std::vector<std::size_t> pixels;
};
std::vector<Region> regions_above(const Field& map, double threshold);

// A rectangle turned by `angle` (radians, clockwise in a picture) around its middle.
struct SlantedBox {
  Point middle;
  double width = 0, height = 0, angle = 0;
};
// The corners in their order, clockwise from the top left one of the unturned rectangle.
std::array<Point, 4> corners_of(const SlantedBox& box);
// The rectangle of least area that covers all pixels of the region of a map so wide, their areas
// included.
SlantedBox smallest_box(const Region& region, int map_width);

}  // namespace mini_infer::tools
