// Pictures brought to the size that a model wants.
#pragma once

#include "tools/image/image.h"

namespace mini_infer::tools {

enum class Fit {
  kStretch,    // both sides scaled for themselves
  kCrop,       // the largest centred part with the right proportions, scaled
  kLetterbox,  // the whole picture scaled, centred on grey (114)
  kCorner,     // the whole picture scaled, in the top left corner of grey (114)
};

// How a picture lies in what fit() makes of it: its part `source` fills `target`. Whole pixels.
struct Placement {
  struct Area {
    int left = 0, top = 0, width = 0, height = 0;
  };
  Area source, target;

  // From a point of the fitted picture to the same point of the original one; pixels, (0,0) is the
  // top left corner of the top left pixel.
  double x_in_source(double x) const {
    return source.left + (x - target.left) * source.width / target.width;
  }
  double y_in_source(double y) const {
    return source.top + (y - target.top) * source.height / target.height;
  }
};
Placement place(int image_width, int image_height, int width, int height, Fit how);

// Bilinear; when shrinking, the triangle is as wide as the pixels that fall together, so that
// nothing is skipped. Horizontal first, 8 bits between: the same numbers as Pillow's BILINEAR.
// width and height must pass check_image_size().
Image resize(const Image& image, int width, int height);
Image fit(const Image& image, int width, int height, Fit how);
// The pixels of `area`, which must lie in the picture.
Image crop(const Image& image, const Placement::Area& area);

}  // namespace mini_infer::tools
