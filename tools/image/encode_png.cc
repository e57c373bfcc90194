// PNG through libpng's simplified interface.
#include <png.h>

#include <cstring>

#include "tools/image/encode.h"

namespace mini_infer::tools {

Result<std::vector<std::byte>> to_png(const Image& image) {
  png_image png;
  std::memset(&png, 0, sizeof png);
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(image.width);
  png.height = static_cast<png_uint_32>(image.height);
  png.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
  std::vector<std::byte> file(size);
  const int written =
      png_image_write_to_memory(&png, file.data(), &size, 0, image.pixels.data(), 0, nullptr);
  if (written == 0) {
    return Status(Code::kInternal, std::string("the picture cannot be made a PNG: ") + png.message);
  }
  file.resize(size);
  return file;
}

}  // namespace mini_infer::tools
