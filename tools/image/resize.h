// Pictures brought to the size that a model wants.
#pragma once

#include "tools/image/image.h"

namespace mini_infer::tools {

enum class Fit {
  kStretch,    // both sides scaled for themselves
  kCrop,       // the largest centred part with the right proportions, scaled
  kLetterbox,  // the whole picture scaled, centred on grey (114)
};

// Bilinear; when shrinking, the triangle is as wide as the pixels that fall together, so that
// nothing is skipped. Horizontal first, 8 bits between: the same numbers as Pillow's BILINEAR.
// width and height must pass check_image_size().
Image resize(const Image& image, int width, int height);
Image fit(const Image& image, int width, int height, Fit how);

}  // namespace mini_infer::tools
