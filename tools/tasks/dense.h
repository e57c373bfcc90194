// Outputs with a value, or one for each class, at each pixel.
#pragma once

#include "tools/tasks/task.h"

namespace mini_infer::tools {

// One number for each place, row after row.
struct Field {
  int width = 0, height = 0;
  std::vector<double> values;

  double value(int x, int y) const {
    return values[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                  static_cast<std::size_t>(x)];
  }
  // Between the middles of the four nearest places; (0,0) is the corner of the first one. Beyond
  // the outermost middles as there.
  double at(double x, double y) const;
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
