// Outputs with a value, or one for each class, at each pixel.
#pragma once

#include "tools/tasks/task.h"

namespace mini_infer::tools {

// The four places around a point of a map so large, and how near the point is to the right and the
// lower ones. (0,0) is the corner of the first place; beyond the outermost middles it is as there.
struct Neighbours {
  int left = 0, right = 0, top = 0, bottom = 0;
  double to_right = 0, to_bottom = 0;

  // Between `value(x, y)` at the four places.
  template <class Value>
  double mix(const Value& value) const {
    const double above = value(left, top) * (1 - to_right) + value(right, top) * to_right;
    const double below = value(left, bottom) * (1 - to_right) + value(right, bottom) * to_right;
    return above * (1 - to_bottom) + below * to_bottom;
  }
};
Neighbours neighbours(double x, double y, int width, int height);

// One number for each place, row after row.
struct Field {
  int width = 0, height = 0;
  std::vector<double> values;

  double value(int x, int y) const {
    return values[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                  static_cast<std::size_t>(x)];
  }
  double at(double x, double y) const;  // mixed between neighbours
};

// The point of the network's input that shows the middle of this pixel of the picture.
Point to_input(const Decoding& decoding, int x, int y);

// True when the only output is one map of floats as high and wide as the input, whatever extents 1
// it has around.
bool is_single_map(const Network& network);
// The tensor without its extents 1: [h,w].
Result<Field> single_field(const Tensor& tensor);

// Where the channels are of an output [1,C,h,w] or [1,h,w,C].
struct Planes {
  int channels = 0, width = 0, height = 0;
  bool channels_last = false;
};
// Of the declared extents, or of a tensor's; no value for another rank or open extents. The input's
// size says which axis is which.
std::optional<Planes> planes_of(const std::vector<std::int64_t>& extents, int width, int height);
std::optional<Planes> planes_of(const ValueInfo& output, const Network& network);

}  // namespace mini_infer::tools
