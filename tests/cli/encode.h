// Pictures for tests, encoded in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tools/image/image.h"

namespace mini_infer::tools {

using Bytes = std::vector<std::byte>;

// A gradient with something in every channel.
Image gradient(int width, int height);

// `format`: PNG_FORMAT_RGB, PNG_FORMAT_RGBA, PNG_FORMAT_GRAY, ...
Bytes encode_png(const std::vector<std::uint8_t>& pixels, int width, int height, unsigned format);
Bytes encode_png(const Image& image);

struct JpegOptions {
  int quality = 95;
  int components = 3;  // 1: grey; 3: RGB; 4: CMYK, inverted as Adobe does
  bool progressive = false;
  int orientation = 0;  // 0: no EXIF data
};
// pixels: [height][width][components]
Bytes encode_jpeg(const std::vector<std::uint8_t>& pixels, int width, int height,
                  const JpegOptions& options);
Bytes encode_jpeg(const Image& image, const JpegOptions& options = {});

}  // namespace mini_infer::tools
