// What a network found in a picture.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "tools/image/draw.h"

namespace mini_infer::tools {

struct Box {
  double left = 0, top = 0, right = 0, bottom = 0;

  double width() const { return right - left; }
  double height() const { return bottom - top; }
};

struct KeyPoint {
  Point at;
  double score = 1;  // how sure, 0 to 1
};

// The pixels of an object: `inside[y * width + x]` for the pixel (left + x, top + y) of the
// picture.
struct Mask {
  int left = 0, top = 0, width = 0, height = 0;
  std::vector<bool> inside;
};

struct Object {
  std::size_t cls = 0;
  double score = 0;
  Box box;
  std::size_t row = 0;  // of the outputs, where it comes from
  std::vector<KeyPoint> points;
  std::vector<Point> outline;  // corners in their order, where a box is not enough
  std::optional<Mask> mask;
};

// The class of each pixel of the picture, row by row.
struct ClassMap {
  int width = 0, height = 0;
  std::vector<std::uint16_t> classes;
};

// Which key points a line joins when they are drawn.
using Bones = std::vector<std::pair<int, int>>;

// Positions are in pixels: of the network's input as it leaves a decoder, of the picture after
// map_back().
struct Findings {
  std::vector<Object> objects;  // best first
  Bones bones;
  std::optional<ClassMap> class_map;
  std::optional<Image> picture;
  std::vector<double> vector;  // of unit length
};

}  // namespace mini_infer::tools
